"""Which back end and provider run, on machines that the tests do not have: with fakes. Not run on a GPU."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path
from typing import Any

import onnxruntime
import pytest

from tita_cli.errors import DeviceError, ModelError, UsageError
from tita_cli.runtime import device, onnx_session, select
from tita_cli.runtime.device import DeviceRequest, Driver, ask_driver
from tita_cli.runtime.onnx_session import CPU, CUDA, TENSORRT, Place, device_errors, open_session
from tita_cli.runtime.tiles import OutOfMemoryError

NO_GPU = Driver(problem="no CUDA: there is no driver")
ONE_GPU = Driver(gpus=1, cuda="12.4")


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """What would have been loaded, instead of loading it."""
    calls: list[tuple[Any, ...]] = []

    def onnx(path: Path, provider: str, gpu: int, threads: int) -> str:
        calls.append(("onnx", path.name, provider, gpu))
        return "onnx"

    def torch(model: str, device: str, threads: int) -> str:
        calls.append(("torch", Path(model).name, device))
        return "torch"

    monkeypatch.setattr(select, "_onnx", onnx)
    monkeypatch.setattr(select, "_torch", torch)
    return calls


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    for name in ("m.onnx", "m.safetensors"):
        (tmp_path / name).touch()
    return {suffix: str(tmp_path / f"m.{suffix}") for suffix in ("onnx", "safetensors")}


@pytest.mark.parametrize(
    ("driver", "request_", "suffix", "expected"),
    [
        (NO_GPU, DeviceRequest(), "onnx", ("onnx", "m.onnx", "cpu", 0)),
        (NO_GPU, DeviceRequest(), "safetensors", ("torch", "m.safetensors", "cpu")),
        (ONE_GPU, DeviceRequest(), "safetensors", ("torch", "m.safetensors", "cuda:0")),
        (ONE_GPU, DeviceRequest(device="cpu"), "onnx", ("onnx", "m.onnx", "cpu", 0)),
        (ONE_GPU, DeviceRequest(backend="onnx"), "onnx", ("onnx", "m.onnx", "cpu", 0)),
        (ONE_GPU, DeviceRequest(device="cuda:0"), "safetensors", ("torch", "m.safetensors", "cuda:0")),
        (ONE_GPU, DeviceRequest(backend="onnx", device="cuda"), "onnx", ("onnx", "m.onnx", "cuda", 0)),
        (ONE_GPU, DeviceRequest(provider="tensorrt"), "onnx", ("onnx", "m.onnx", "tensorrt", 0)),
        (ONE_GPU, DeviceRequest(provider="cpu"), "onnx", ("onnx", "m.onnx", "cpu", 0)),
    ],
)
def test_what_runs_where(
    driver: Driver, request_: DeviceRequest, suffix: str, expected: tuple[Any, ...], files: dict[str, str],
    started: list[tuple[Any, ...]], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(select, "ask_driver", lambda: driver)
    _, notes = select.select(files[suffix], request_, 1)
    assert started == [expected]
    assert notes == ()


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (DeviceRequest(backend="tensorflow"), "tensorflow"),
        (DeviceRequest(device="gpu"), "device"),
        (DeviceRequest(device="cuda:one"), "device"),
        (DeviceRequest(backend="torch", provider="cuda"), "ONNX Runtime"),
        (DeviceRequest(device="cpu", provider="cuda"), "contradict"),
        (DeviceRequest(device="cuda:7", provider="CPUExecutionProvider"), "contradict"),
    ],
)
def test_requests_that_make_no_sense(request_: DeviceRequest, words: str, files: dict[str, str]) -> None:
    with pytest.raises(UsageError, match=words):
        select.select(files["onnx"], request_, 1)


def test_a_gpu_that_was_asked_for_and_is_not_there_is_an_error(
    files: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(select, "ask_driver", lambda: NO_GPU)
    with pytest.raises(DeviceError, match="there is no driver"):
        select.select(files["onnx"], DeviceRequest(device="cuda"), 1)
    monkeypatch.setattr(select, "ask_driver", lambda: ONE_GPU)
    with pytest.raises(DeviceError, match="1 GPUs, counted from 0"):
        select.select(files["onnx"], DeviceRequest(device="cuda:1"), 1)


def test_auto_goes_on_without_a_gpu_that_does_not_work_and_says_why(
    files: dict[str, str], started: list[tuple[Any, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(select, "ask_driver", lambda: ONE_GPU)
    on_cpu = select._torch

    def broken(model: str, device: str, threads: int) -> Any:
        if device != "cpu":
            raise DeviceError("PyTorch was built without CUDA")
        return on_cpu(model, device, threads)

    monkeypatch.setattr(select, "_torch", broken)
    _, notes = select.select(files["safetensors"], DeviceRequest(), 1)
    assert started == [("torch", "m.safetensors", "cpu")]
    assert "built without CUDA" in notes[0]
    with pytest.raises(DeviceError, match="without CUDA"):
        select.select(files["safetensors"], DeviceRequest(device="cuda"), 1)


def test_an_exported_file_beside_a_gpu_runs_on_the_cpu_and_says_so(
    files: dict[str, str], started: list[tuple[Any, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(select, "ask_driver", lambda: ONE_GPU)
    _, notes = select.select(files["onnx"], DeviceRequest(), 1)
    assert started == [("onnx", "m.onnx", "cpu", 0)]
    assert "PyTorch does not run ONNX" in notes[0]


def test_a_provider_that_this_onnx_runtime_lacks(files: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """find_provider is the real one."""
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [CPU])
    with pytest.raises(UsageError, match="does not have it"):
        select.select(files["onnx"], DeviceRequest(provider="cuda"), 1)


def test_a_provider_is_onnx_runtimes_even_the_cpu(files: dict[str, str]) -> None:
    with pytest.raises(ModelError, match="not an ONNX file"):
        select.select(files["safetensors"], DeviceRequest(provider="cpu"), 1)


def test_an_own_onnx_file_is_found_by_its_name_and_in_capitals(
    files: dict[str, str], started: list[tuple[Any, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(select, "ask_driver", lambda: NO_GPU)
    monkeypatch.setattr(select, "find_model", lambda name, suffix: Path(files["onnx"]))
    select.select("mine", DeviceRequest(), 1)
    monkeypatch.setattr(select, "find_model", lambda name, suffix: Path(name))
    select.select("OUT.ONNX", DeviceRequest(), 1)
    assert started == [("onnx", "m.onnx", "cpu", 0), ("onnx", "OUT.ONNX", "cpu", 0)]


def test_a_back_end_does_not_run_the_other_ones_files(files: dict[str, str]) -> None:
    with pytest.raises(ModelError, match="not an ONNX file"):
        select.select(files["safetensors"], DeviceRequest(backend="onnx", device="cpu"), 1)
    with pytest.raises(UsageError, match="PyTorch does not run ONNX"):
        select.select(files["onnx"], DeviceRequest(backend="torch", device="cpu"), 1)


class FakeSession:
    """As ONNX Runtime: silently on the CPU where a provider does not come up."""

    loads: tuple[str, ...] = (CPU,)
    asked: list[Any] = []  # noqa: RUF012

    def __init__(self, model: bytes, options: Any, providers: list[Any]) -> None:
        FakeSession.asked = providers

    def get_providers(self) -> list[str]:
        return list(self.loads)


@pytest.fixture
def fake_runtime(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> type[FakeSession]:
    monkeypatch.setattr(onnxruntime, "InferenceSession", FakeSession)
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [TENSORRT, CUDA, CPU])
    monkeypatch.setattr(onnxruntime, "preload_dlls", lambda: None, raising=False)
    monkeypatch.setattr(onnx_session, "engine_cache", lambda: tmp_path / "engines")
    return FakeSession


def test_a_provider_that_silently_did_not_load_is_an_error(fake_runtime: type[FakeSession]) -> None:
    with pytest.raises(DeviceError, match=r"CUDAExecutionProvider: did not load; there is CPUExecutionProvider"):
        open_session(b"", Place(CUDA), 1)


def test_providers_get_their_device_and_tensorrt_its_cache(
    fake_runtime: type[FakeSession], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(FakeSession, "loads", (TENSORRT, CUDA, CPU))
    open_session(b"", Place(CUDA, 1), 1)
    assert FakeSession.asked == [(CUDA, {"device_id": 1}), CPU]
    open_session(b"", Place(TENSORRT), 1)
    (name, options), fallback, last = FakeSession.asked
    assert (name, fallback, last) == (TENSORRT, (CUDA, {"device_id": 0}), CPU)
    assert options["trt_engine_cache_enable"] is True
    assert options["trt_engine_cache_path"] == str(tmp_path / "engines")


def test_providers_are_known_by_short_and_full_names(fake_runtime: type[FakeSession]) -> None:
    assert onnx_session.find_provider("cuda") == CUDA
    assert onnx_session.find_provider("TensorRT") == TENSORRT
    assert onnx_session.find_provider(CPU) == CPU
    with pytest.raises(UsageError) as caught:
        onnx_session.find_provider("openvino")
    assert "tensorrt, cuda, cpu" in str(caught.value.hint)


class FakeDriver:
    """libcuda with a number of GPUs, or one that does not start."""

    def __init__(self, count: int, code: int = 0) -> None:
        self._count, self._code = count, code

    def cuInit(self, flags: int) -> int:  # noqa: N802
        return self._code

    def cuDriverGetVersion(self, version: Any) -> int:  # noqa: N802
        version._obj.value = 12040
        return 0

    def cuDeviceGetCount(self, count: Any) -> int:  # noqa: N802
        count._obj.value = self._count
        return 0


def test_the_driver_says_what_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device.ctypes, "CDLL", lambda name: FakeDriver(2))
    assert ask_driver() == Driver(2, "12.4")
    monkeypatch.setattr(device.ctypes, "CDLL", lambda name: FakeDriver(0))
    assert "sees no GPU" in ask_driver().problem
    monkeypatch.setattr(device.ctypes, "CDLL", lambda name: FakeDriver(1, code=999))
    assert "999" in ask_driver().problem

    def missing(name: str) -> ctypes.CDLL:
        raise OSError(name)

    monkeypatch.setattr(device.ctypes, "CDLL", missing)
    assert "cannot be loaded" in ask_driver().problem


def test_why_a_provider_does_not_load_is_told_in_one_line(
    fake_runtime: type[FakeSession], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """ONNX Runtime's C++ writes it to the terminal, in many; it is caught there."""

    def noisy(self: FakeSession, model: bytes, options: Any, providers: list[Any]) -> None:
        os.write(
            2, b"libcublas.so.13: cannot open shared object file\nlibcublas.so.13: cannot open shared object file\n"
        )
        os.write(1, b"Failed to create it. Require cuDNN 9.* and CUDA 13.*. Please install\n")

    monkeypatch.setattr(FakeSession, "__init__", noisy)
    with pytest.raises(
        DeviceError, match=r"cannot load libcublas\.so\.13; it requires cuDNN 9\.\* and CUDA 13"
    ) as caught:
        open_session(b"", Place(CUDA), 1)
    assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ("BFCArena::AllocateRawInternal Failed to allocate memory for requested buffer of size 1", OutOfMemoryError),
        ("CUDA failure 2: out of memory ; GPU=0", OutOfMemoryError),
        ("CUDNN_STATUS_EXECUTION_FAILED", DeviceError),
    ],
)
def test_what_goes_wrong_on_a_gpu_is_told_apart(message: str, kind: type[DeviceError]) -> None:
    with pytest.raises(DeviceError) as caught, device_errors(Place(CUDA)):
        raise RuntimeError(message)
    assert type(caught.value) is kind
