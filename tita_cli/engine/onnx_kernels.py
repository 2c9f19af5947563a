"""The network's steps for ``tita_cli.engine.blocked`` in ONNX Runtime, cut from an exported file. Imports no torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np

from tita_cli.engine.onnx_file import HINT, OnnxFile
from tita_cli.engine.onnx_sessions import CPU, Place, first_line, open_session
from tita_cli.engine.onnx_steps import blocks
from tita_cli.engine.windows import TEAR, bands
from tita_cli.errors import ModelError

if TYPE_CHECKING:
    from tita_cli.engine.detail import Detail
    from tita_cli.images.picture import FloatArray


class OnnxKernels:
    """See :class:`tita_cli.engine.blocked.Kernels`."""

    chunk = 16

    def __init__(self, file: OnnxFile) -> None:
        self._path, self._geometry = file.path, file.geometry
        self._steps = blocks(file.geometry)
        self._sessions = {name: open_session(piece, Place(CPU), 1) for name, piece in file.cut(self._steps).items()}
        self._dtypes = {name: [file.dtype(tensor) for tensor in step.inputs] for name, step in self._steps.items()}
        self._precision = file.precision
        self._tears = np.float32(TEAR) * bands()

    def start_thread(self) -> None:
        """Nothing: every session works on the thread that calls it."""

    def shallow(self, image: FloatArray, seen: FloatArray | None) -> FloatArray:
        g = self._geometry
        shape = (1, g.dim, image.shape[0] // g.patch, image.shape[1] // g.patch)
        (features,) = self._run("shallow", shape, image[None, None], *([] if seen is None else [seen[None]]))
        return cast("FloatArray", features[0])

    def extract_a(self, block: int, kind: int, x: FloatArray) -> tuple[FloatArray]:
        (x,) = self._run_block(f"extract_a.{block}", kind, x)
        return (x,)

    def extract_b(self, block: int, kind: int, x: FloatArray) -> tuple[FloatArray]:
        (x,) = self._run_block(f"extract_b.{block}", kind, x)
        return (x,)

    def reconstruct(self, block: int, kind: int, x: FloatArray) -> tuple[FloatArray]:
        (x,) = self._run_block(f"reconstruct.{block}", kind, x)
        return (x,)

    def cross(self, block: int, kind: int, x: FloatArray, y: FloatArray) -> tuple[FloatArray, FloatArray]:
        x, y = self._run_block(f"cross.{block}", kind, x, y)
        return x, y

    def weigh(self, pooled: FloatArray) -> FloatArray:
        (guidance,) = self._run("weigh", (1, self._geometry.guidance), pooled[None])
        return cast("FloatArray", guidance[0])

    def merge(self, x: FloatArray, y: FloatArray, guidance: FloatArray) -> FloatArray:
        (merged,) = self._run("merge", (1, *x.shape), x[None], y[None], guidance[None])
        return cast("FloatArray", merged[0])

    def paint(
        self, a: FloatArray, b: FloatArray, z: FloatArray, seen: Detail | None, guidance: FloatArray
    ) -> tuple[FloatArray, FloatArray | None]:
        inputs = [z[None]]
        if seen is not None:
            inputs = [a[None, None], b[None, None], seen.bands[None], seen.activity[None], z[None], guidance[None]]
        painted, *residual = self._run("paint", (1, 1, *a.shape), *inputs)
        return painted[0, 0], residual[0][0, 0] if residual else None

    def describe(self) -> dict[str, Any]:
        return {**Place(CPU).describe(), "precision": self._precision}

    def _run_block(self, name: str, kind: int, *windows: FloatArray) -> list[FloatArray]:
        shape = windows[0].shape
        if len(self._steps[name].inputs) > len(windows):
            windows = (*windows, np.broadcast_to(self._tears[kind], (shape[0], *self._tears.shape[1:])))
        return self._run(name, shape, *windows)

    def _run(self, name: str, shape: tuple[int, ...], *inputs: FloatArray) -> list[FloatArray]:
        """A step's results, which have to be of one shape: a file may say what it likes of itself."""
        feed = {
            tensor: np.ascontiguousarray(array, dtype)
            for tensor, array, dtype in zip(self._steps[name].inputs, inputs, self._dtypes[name], strict=True)
        }
        try:
            results: list[FloatArray] = self._sessions[name].run(None, feed)
        except Exception as error:  # ONNX Runtime's own kinds have no other base
            raise ModelError(f"{self._path}: {first_line(error)}", hint=HINT) from error
        if any(result.shape != shape for result in results):
            raise ModelError(f"{self._path}: {name} gives another shape than tita's networks do", hint=HINT)
        return [np.asarray(result, np.float32) for result in results]
