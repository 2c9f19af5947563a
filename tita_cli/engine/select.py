"""Which back end runs a model, and where: what was asked for, or what is really there.

What was asked for and cannot be had is an error with its reason. ``auto`` takes the first that works of: a GPU through
ONNX Runtime, a GPU through PyTorch, the CPU; and where there is a GPU that it does not use, it says why.
"""

from __future__ import annotations

from pathlib import Path

from tita_cli.engine.cuda import ask_driver
from tita_cli.engine.models import find_model, shipped_models
from tita_cli.engine.onnx_whole import OnnxWhole
from tita_cli.engine.threads import usable_cores
from tita_cli.engine.tiles import Halves
from tita_cli.engine.wish import Precision, Wish
from tita_cli.errors import DeviceError, ModelError, UsageError


def select(model: str, wish: Wish, threads: int | None) -> tuple[Halves | OnnxWhole, tuple[str, ...]]:
    """The halves of ``model`` as wished for, and what the user should know of the choice.

    Raises ``ModelError``, ``DeviceError``, ``UsageError``.
    """
    wish.check()
    cores = threads or usable_cores()
    if wish.provider is not None:
        return _onnx(_file(model, ".onnx"), wish.provider, wish.gpu, cores), ()
    if wish.device == "cpu" or wish.precision == "bf16":
        return _on_cpu(model, wish, cores), ()
    if wish.device.startswith("cuda"):
        return _on_gpu(model, wish, cores), ()
    if not ask_driver().gpus:
        return _on_cpu(model, wish, cores), ()
    try:
        return _on_gpu(model, wish, cores), ()
    except DeviceError as error:
        return _on_cpu(model, wish, cores), (f"there is a GPU, but it is not used: {error.message}",)


def _on_cpu(model: str, wish: Wish, threads: int) -> Halves | OnnxWhole:
    """In ONNX Runtime where the model is to be had for it: no second goes by for importing PyTorch."""
    if wish.precision == "bf16":
        return _torch(model, "cpu", threads, "bf16")
    if wish.backend != "torch" and (wish.backend == "onnx" or _has(model, ".onnx")):
        return _onnx(_file(model, ".onnx"), "cpu", 0, threads)
    return _torch(model, "cpu", threads)


def _on_gpu(model: str, wish: Wish, threads: int) -> Halves | OnnxWhole:
    driver = ask_driver()
    if wish.gpu >= driver.gpus:
        reason = driver.problem or f"there are {driver.gpus} GPUs, counted from 0"
        raise DeviceError(
            f"--device {wish.device}: {reason}", hint="tita doctor tells more; --device cpu works everywhere"
        )
    if wish.backend == "onnx":
        return _onnx_on_gpu(model, wish, threads)
    if wish.backend == "auto" and _has(model, ".onnx"):
        try:
            return _onnx_on_gpu(model, wish, threads)
        except DeviceError:
            if not _has(model, ".safetensors"):
                raise
    return _torch(model, f"cuda:{wish.gpu}", threads)


def _onnx_on_gpu(model: str, wish: Wish, threads: int) -> Halves | OnnxWhole:
    path = _file(model, ".onnx")
    try:
        return _onnx(path, "cuda", wish.gpu, threads)
    except UsageError as error:  # nobody named a provider: that there is none is the installation's fault
        raise DeviceError("this ONNX Runtime has no CUDA provider", hint="pip install onnxruntime-gpu") from error


def _onnx(path: Path, provider: str, gpu: int, threads: int) -> Halves | OnnxWhole:
    from tita_cli.engine.onnx_backend import load_onnx
    from tita_cli.engine.onnx_sessions import Place, find_provider

    return load_onnx(path, Place(find_provider(provider), gpu), threads)


def _torch(model: str, device: str, threads: int, precision: Precision = "fp32") -> Halves:
    path = _file(model, ".safetensors")
    if _is_onnx(path):
        raise UsageError(f"{path}: PyTorch does not run ONNX files", hint="--backend onnx, or leave it to auto")
    from tita_cli.engine.torch_backend import load_torch

    return load_torch(path, device, threads, precision)


def _has(model: str, suffix: str) -> bool:
    """Whether a model is to be had as .onnx, or as something that PyTorch reads."""
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
