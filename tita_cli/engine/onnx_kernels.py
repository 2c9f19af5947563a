"""The network's steps for ``tita_cli.engine.blocked`` in ONNX Runtime, cut from an exported file. Imports no torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np

from tita_cli.engine.onnx_file import OnnxFile
from tita_cli.engine.onnx_sessions import CPU, Place, open_session
from tita_cli.engine.onnx_steps import blocks
from tita_cli.engine.windows import TEAR, bands

if TYPE_CHECKING:
    from tita_cli.engine.detail import Detail
    from tita_cli.images.picture import FloatArray


class OnnxKernels:
    """See :class:`tita_cli.engine.blocked.Kernels`."""

    def __init__(self, file: OnnxFile) -> None:
        self._steps = blocks(file.geometry)
        self._sessions = {name: open_session(piece, Place(CPU), 1) for name, piece in file.cut(self._steps).items()}
        self._tears = np.float32(TEAR) * bands()

    def start_thread(self) -> None:
        """Nothing: every session works on the thread that calls it."""

    def shallow(self, image: FloatArray, seen: FloatArray | None) -> FloatArray:
        (features,) = self._run("shallow", image[None, None], *([] if seen is None else [seen[None]]))
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
        (weights,) = self._run("weigh", pooled[None])
        return cast("FloatArray", weights[0])

    def merge(self, x: FloatArray, y: FloatArray, weights: FloatArray) -> FloatArray:
        (merged,) = self._run("merge", x[None], y[None], weights[None])
        return cast("FloatArray", merged[0])

    def paint(
        self, a: FloatArray, b: FloatArray, z: FloatArray, seen: Detail | None
    ) -> tuple[FloatArray, FloatArray | None]:
        sources = [] if seen is None else [a[None, None], b[None, None], seen.bands[None], seen.activity[None]]
        fused, *gate = self._run("paint", *sources, z[None])
        return fused[0, 0], gate[0][0, 0] if gate else None

    def describe(self) -> dict[str, Any]:
        return Place(CPU).describe()

    def _run_block(self, name: str, kind: int, *windows: FloatArray) -> list[FloatArray]:
        if len(self._steps[name].inputs) == len(windows):
            return self._run(name, *windows)
        return self._run(name, *windows, np.broadcast_to(self._tears[kind], (len(windows[0]), *self._tears.shape[1:])))

    def _run(self, name: str, *inputs: FloatArray) -> list[FloatArray]:
        feed = {
            tensor: np.ascontiguousarray(array) for tensor, array in zip(self._steps[name].inputs, inputs, strict=True)
        }
        results: list[FloatArray] = self._sessions[name].run(None, feed)
        return results
