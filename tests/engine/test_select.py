"""Which back end and provider run, on machines that the tests do not have: with fakes. Not run on a GPU."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path
from typing import Any

import onnxruntime
import pytest

from tita_cli.engine import cuda, onnx_sessions, select
from tita_cli.engine.cuda import Driver, ask_driver
from tita_cli.engine.onnx_sessions import CPU, CUDA, TENSORRT, Place, device_errors, open_session
from tita_cli.engine.tiles import OutOfMemoryError
from tita_cli.engine.wish import Wish
from tita_cli.errors import DeviceError, ModelError, UsageError

NO_GPU = Driver(problem="no CUDA: there is no driver")
ONE_GPU = Driver(gpus=1, cuda="12.4")


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """What would have been loaded, instead of loading it."""
    calls: list[tuple[Any, ...]] = []

    def onnx(path: Path, provider: str, gpu: int, threads: int) -> str:
        calls.append(("onnx", path.name, provider, gpu))
        return "onnx"

    def torch(model: str, device: str, threads: int, precision: str = "fp32") -> str:
        calls.append(("torch", Path(model).name, device, *([precision] if precision != "fp32" else [])))
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
    ("driver", "wish", "suffix", "expected"),
    [
        (NO_GPU, Wish(), "onnx", ("onnx", "m.onnx", "cpu", 0)),
        (NO_GPU, Wish(), "safetensors", ("torch", "m.safetensors", "cpu")),
        (ONE_GPU, Wish(), "onnx", ("onnx", "m.onnx", "cuda", 0)),
        (ONE_GPU, Wish(), "safetensors", ("torch", "m.safetensors", "cuda:0")),
        (ONE_GPU, Wish(device="cpu"), "onnx", ("onnx", "m.onnx", "cpu", 0)),
        (ONE_GPU, Wish(device="cuda:0"), "safetensors", ("torch", "m.safetensors", "cuda:0")),
        (ONE_GPU, Wish(backend="onnx", device="cuda"), "onnx", ("onnx", "m.onnx", "cuda", 0)),
        (ONE_GPU, Wish(provider="tensorrt"), "onnx", ("onnx", "m.onnx", "tensorrt", 0)),
        (ONE_GPU, Wish(provider="cpu"), "onnx", ("onnx", "m.onnx", "cpu", 0)),
        (ONE_GPU, Wish(precision="bf16"), "safetensors", ("torch", "m.safetensors", "cpu", "bf16")),
        (NO_GPU, Wish(precision="bf16", device="cpu"), "safetensors", ("torch", "m.safetensors", "cpu", "bf16")),
    ],
)
def test_what_runs_where(
    driver: Driver, wish: Wish, suffix: str, expected: tuple[Any, ...], files: dict[str, str],
    started: list[tuple[Any, ...]], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(select, "ask_driver", lambda: driver)
    _, notes = select.select(files[suffix], wish, 1)
    assert started == [expected]
    assert notes == ()


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        (Wish(backend="tensorflow"), "back end"),
        (Wish(device="gpu"), "device"),
        (Wish(device="cuda:one"), "device"),
        (Wish(backend="torch", provider="cuda"), "ONNX Runtime"),
        (Wish(device="cpu", provider="cuda"), "contradict"),
        (Wish(device="cuda:7", provider="CPUExecutionProvider"), "contradict"),
        (Wish(precision="fp8"), "precision"),
        (Wish(precision="bf16", backend="onnx"), "is for PyTorch"),
        (Wish(precision="bf16", provider="cpu"), "is for PyTorch"),
        (Wish(precision="bf16", device="cuda:0"), "is for the CPU"),
    ],
)
def test_wishes_that_make_no_sense(wish: Wish, words: str, files: dict[str, str]) -> None:
    with pytest.raises(UsageError, match=words):
        select.select(files["onnx"], wish, 1)


def test_a_gpu_that_was_asked_for_and_is_not_there_is_an_error(
    files: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(select, "ask_driver", lambda: NO_GPU)
    with pytest.raises(DeviceError, match="there is no driver"):
        select.select(files["onnx"], Wish(device="cuda"), 1)
    monkeypatch.setattr(select, "ask_driver", lambda: ONE_GPU)
    with pytest.raises(DeviceError, match="1 GPUs, counted from 0"):
        select.select(files["onnx"], Wish(device="cuda:1"), 1)


def test_auto_goes_on_without_a_gpu_that_does_not_work_and_says_why(
    files: dict[str, str], started: list[tuple[Any, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(select, "ask_driver", lambda: ONE_GPU)
    on_cpu = select._onnx

    def broken(path: Path, provider: str, gpu: int, threads: int) -> Any:
        if provider == "cuda":
            raise DeviceError("libcudnn.so.9 is missing")
        return on_cpu(path, provider, gpu, threads)

    monkeypatch.setattr(select, "_onnx", broken)
    _, notes = select.select(files["onnx"], Wish(), 1)
    assert started == [("onnx", "m.onnx", "cpu", 0)]
    assert "libcudnn.so.9" in notes[0]
    with pytest.raises(DeviceError, match="libcudnn"):
        select.select(files["onnx"], Wish(device="cuda"), 1)


def test_an_onnx_runtime_without_cuda_beside_a_gpu_is_a_reason_and_not_a_usage_error(
    files: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on aarch64, where there is no onnxruntime-gpu; find_provider is the real one."""
    loaded = []

    def load(path: Path, place: Place, threads: int) -> Any:
        loaded.append(place.provider)

    monkeypatch.setattr(select, "ask_driver", lambda: ONE_GPU)
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [CPU])
    monkeypatch.setattr("tita_cli.engine.onnx_backend.load_onnx", load)
    _, notes = select.select(files["onnx"], Wish(), 1)
    assert loaded == [CPU]
    assert "no CUDA provider" in notes[0]
    with pytest.raises(DeviceError, match="no CUDA provider"):
        select.select(files["onnx"], Wish(device="cuda"), 1)
    with pytest.raises(UsageError, match="does not have it"):
        select.select(files["onnx"], Wish(provider="cuda"), 1)


def test_a_provider_is_onnx_runtimes_even_the_cpu(files: dict[str, str]) -> None:
    with pytest.raises(ModelError, match="not an ONNX file"):
        select.select(files["safetensors"], Wish(provider="cpu"), 1)


def test_an_own_onnx_file_is_found_by_its_name_and_in_capitals(
    files: dict[str, str], started: list[tuple[Any, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(select, "ask_driver", lambda: NO_GPU)
    monkeypatch.setattr(select, "find_model", lambda name, suffix: Path(files["onnx"]))
    select.select("mine", Wish(), 1)
    monkeypatch.setattr(select, "find_model", lambda name, suffix: Path(name))
    select.select("OUT.ONNX", Wish(), 1)
    assert started == [("onnx", "m.onnx", "cpu", 0), ("onnx", "OUT.ONNX", "cpu", 0)]


def test_a_back_end_does_not_run_the_other_ones_files(files: dict[str, str]) -> None:
    with pytest.raises(ModelError, match="not an ONNX file"):
        select.select(files["safetensors"], Wish(backend="onnx", device="cpu"), 1)
    with pytest.raises(UsageError, match="PyTorch does not run ONNX"):
        select.select(files["onnx"], Wish(backend="torch", device="cpu"), 1)


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
    monkeypatch.setattr(onnx_sessions, "engine_cache", lambda: tmp_path / "engines")
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
    assert onnx_sessions.find_provider("cuda") == CUDA
    assert onnx_sessions.find_provider("TensorRT") == TENSORRT
    assert onnx_sessions.find_provider(CPU) == CPU
    with pytest.raises(UsageError) as caught:
        onnx_sessions.find_provider("openvino")
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
    monkeypatch.setattr(cuda.ctypes, "CDLL", lambda name: FakeDriver(2))
    assert ask_driver() == Driver(2, "12.4")
    monkeypatch.setattr(cuda.ctypes, "CDLL", lambda name: FakeDriver(0))
    assert "sees no GPU" in ask_driver().problem
    monkeypatch.setattr(cuda.ctypes, "CDLL", lambda name: FakeDriver(1, code=999))
    assert "999" in ask_driver().problem

    def missing(name: str) -> ctypes.CDLL:
        raise OSError(name)

    monkeypatch.setattr(cuda.ctypes, "CDLL", missing)
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
