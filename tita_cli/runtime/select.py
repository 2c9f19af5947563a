"""Which back end runs a model, and where: what was asked for, or what is really there.

PyTorch runs on GPUs, ONNX Runtime on the CPU, where the model was exported, and with any other of its providers that is
named. What was asked for and cannot be had is an error with its reason; ``auto`` then takes the CPU and says why.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from tita_cli import ort
from tita_cli.errors import DeviceError, ModelError, UsageError, need, parsing
from tita_cli.models.find import expected_hash, find_model, shipped_models
from tita_cli.runtime.device import DeviceRequest, ask_driver
from tita_cli.runtime.onnx_whole import WholeRunner
from tita_cli.runtime.set_engine import SetRunner
from tita_cli.runtime.threads import usable_cores
from tita_cli.runtime.tiles import Runner

if TYPE_CHECKING:
    from tita_cli.runtime.onnx_cpu import CpuRunner
    from tita_cli.runtime.onnx_session import Place

AnyRunner: TypeAlias = Runner | WholeRunner | SetRunner


def select(model: str, request: DeviceRequest, threads: int | None) -> tuple[AnyRunner, tuple[str, ...]]:
    """What runs ``model`` as requested, and what the user should know of the choice.

    Raises ``ModelError``, ``DeviceError``, ``UsageError``.
    """
    request.check()
    cores = threads or usable_cores()
    on_gpu = request.device.startswith("cuda")
    if request.provider is not None or (on_gpu and request.backend == "onnx"):
        return _onnx(_file(model, ".onnx"), request.provider or "cuda", request.gpu, cores), ()
    if on_gpu:
        return _torch_on_gpu(model, request, cores), ()
    if request.device == "cpu" or request.backend == "onnx" or not ask_driver().gpus:
        return _on_cpu(model, request, cores)
    try:
        if not _has(model, ".safetensors"):
            raise DeviceError("PyTorch does not run ONNX files", hint="`provider` cuda does")
        return _torch_on_gpu(model, request, cores), ()
    except DeviceError as error:
        runner, notes = _on_cpu(model, request, cores)
        return runner, (f"there is a GPU, but it is not used: {error.message}", *notes)


def _on_cpu(model: str, request: DeviceRequest, threads: int) -> tuple[AnyRunner, tuple[str, ...]]:
    """In ONNX Runtime where the model exists as .onnx: it is faster, and PyTorch need not be imported.

    Unless it was asked for by name, PyTorch serves where ONNX Runtime is missing or broken, with a note.
    """
    if request.backend == "onnx":
        return _onnx(_file(model, ".onnx"), "cpu", 0, threads), ()
    if request.backend == "torch" or not _has(model, ".onnx"):
        return _torch(model, "cpu", threads), ()
    try:
        ort.load()
    except DeviceError as error:
        if not _has(model, ".safetensors") or find_spec("torch") is None:
            raise
        return _torch(model, "cpu", threads), (f"{error.message}; PyTorch serves in its place, more slowly",)
    return _onnx(_file(model, ".onnx"), "cpu", 0, threads), ()


def _torch_on_gpu(model: str, request: DeviceRequest, threads: int) -> AnyRunner:
    driver = ask_driver()
    if request.gpu >= driver.gpus:
        reason = driver.problem or f"there are {driver.gpus} GPUs, counted from 0"
        raise DeviceError(
            f"`device` {request.device}: {reason}", hint="tita doctor tells more; `device` cpu works everywhere"
        )
    return _torch(model, f"cuda:{request.gpu}", threads)


def _onnx(path: Path, provider: str, gpu: int, threads: int) -> AnyRunner:
    from tita_cli.runtime.onnx_session import Place, find_provider

    return load_onnx(path, Place(find_provider(provider), gpu), threads)


def load_onnx(path: Path, place: Place, threads: int) -> AnyRunner:
    """An exported file on a provider: step by step on the CPU, in one piece elsewhere, or where it is of one size.

    Raises ``ModelError``, ``DeviceError``.
    """
    from tita_cli.models.onnx_file import OnnxFile
    from tita_cli.runtime.memory import raise_malloc_thresholds
    from tita_cli.runtime.onnx_cpu import CpuRunner, OnnxSteps

    raise_malloc_thresholds()
    file = OnnxFile(path)
    try:
        if place.is_cpu and file.size is None and file.spec.kind == "pair":
            runner = CpuRunner(OnnxSteps(file), file.spec, threads)
            if expected_hash(path) is None:
                _try_out(runner, path)
            return runner
        return WholeRunner(file, place, threads)
    except ModelError as error:
        if str(path) in error.message:
            raise
        raise ModelError(f"{path}: {error.message}", hint=error.hint) from error


def _try_out(runner: CpuRunner, path: Path) -> None:
    """Fuse the smallest of images with a file from anywhere, before it gets pictures.

    Raises ``ModelError`` where its steps do not give what the next ones take.
    """
    from tita_cli.runtime.engine import Engine

    black = np.zeros((runner.spec.multiple, runner.spec.multiple), np.float32)
    with parsing(f"{path}: its network, tried out,", ModelError, hint="export it again"):
        if Engine(runner).fuse(black, black).fused.shape != black.shape:
            raise ValueError("the result has another size")


def _torch(model: str, device: str, threads: int) -> AnyRunner:
    path = _file(model, ".safetensors")
    if _is_onnx(path):
        raise UsageError(f"{path}: PyTorch does not run ONNX files", hint="`backend` onnx, or leave it to auto")
    need(f"{path}: running it", "torch")
    from tita_cli.runtime.torch_runner import load_torch

    return load_torch(path, device, threads)


def _has(model: str, suffix: str) -> bool:
    """Whether a model exists as .onnx, or as something that PyTorch reads."""
    shipped = shipped_models().get(model)
    if shipped is not None:
        return shipped.file(suffix) is not None
    return _is_onnx(find_model(model, suffix=suffix)) == (suffix == ".onnx")


def _file(model: str, suffix: str) -> Path:
    path = find_model(model, suffix=suffix)
    if suffix == ".onnx" and not _is_onnx(path):
        raise ModelError(f"{path}: not an ONNX file", hint=f"tita export --model {path} -o OUT.onnx makes one")
    return path


def _is_onnx(path: Path) -> bool:
    return path.suffix.lower() == ".onnx"
