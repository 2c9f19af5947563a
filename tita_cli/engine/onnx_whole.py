"""An exported file that cannot be cut, as it is: one of a single size, or of reduced precision."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tita_cli.engine.onnx_file import OnnxFile
from tita_cli.engine.onnx_sessions import Place, device_errors, open_session
from tita_cli.engine.tiles import Planes
from tita_cli.errors import ModelError

if TYPE_CHECKING:
    from tita_cli.images.picture import FloatArray


class OnnxWhole:
    """A session on a whole file."""

    def __init__(self, file: OnnxFile, place: Place, threads: int) -> None:
        self.geometry = file.geometry
        self._file = file
        self._place = place
        self._threads = threads
        self._session = open_session(file.path.read_bytes(), place, threads)

    def run(self, a: FloatArray, b: FloatArray) -> Planes:
        """Fuse two luminances H×W. Raises ``ModelError`` for a size that is not the file's, ``DeviceError``."""
        size = self._file.size
        if size is not None and a.shape != size:
            raise ModelError(
                f"{self._file.path}: exported for {size[1]}×{size[0]} pixels only, not {a.shape[1]}×{a.shape[0]}",
                hint="tita export without --size takes any size",
            )
        with device_errors(self._place):
            fused, weights, *gate = self._session.run(None, {"a": a[None, None], "b": b[None, None]})
        return Planes(fused[0, 0], gate[0][0, 0] if gate else None, weights[0])

    def describe(self) -> dict[str, Any]:
        return {**self._place.describe(), "precision": self._file.precision, "threads": self._threads, "mode": "whole"}
