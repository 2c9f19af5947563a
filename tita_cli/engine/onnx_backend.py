"""The ONNX Runtime back end. Imports no torch."""

from __future__ import annotations

from pathlib import Path

from tita_cli.engine.blocked import Blocked
from tita_cli.engine.memory import raise_malloc_thresholds
from tita_cli.engine.onnx_file import HINT, OnnxFile
from tita_cli.engine.onnx_halves import OnnxHalves
from tita_cli.engine.onnx_kernels import OnnxKernels
from tita_cli.engine.onnx_sessions import Place
from tita_cli.engine.onnx_whole import OnnxWhole
from tita_cli.engine.tiles import Halves
from tita_cli.errors import ModelError


def load_onnx(path: Path, place: Place, threads: int) -> Halves | OnnxWhole:
    """An exported file on a provider: block by block on the CPU, in halves elsewhere, as it is where it cannot be cut.

    Raises ``ModelError``, ``DeviceError``.
    """
    raise_malloc_thresholds()
    file = OnnxFile(path)
    try:
        if file.size is not None:
            return OnnxWhole(file, place, threads)
        if place.is_cpu:
            return Blocked(OnnxKernels(file), file.geometry, threads)
        return OnnxHalves(file, place, threads)
    except ModelError as error:
        if str(path) in error.message:
            raise
        raise ModelError(f"{path}: {error.message}", hint=HINT) from error
