"""An exported file in ONNX Runtime as it is, in one piece: with providers other than the CPU's, or of a single size."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tita_cli import ort
from tita_cli.errors import ModelError
from tita_cli.models.find import is_shipped
from tita_cli.models.onnx_file import HINT, OnnxFile
from tita_cli.runtime.onnx_session import Place, device_errors, open_session

if TYPE_CHECKING:
    from tita_cli.images.picture import FloatArray


class WholeRunner:
    """A session on a whole file, on ``place``: a network for pairs or for sets."""

    def __init__(self, file: OnnxFile, place: Place, threads: int) -> None:
        self.spec = file.spec
        self._file, self._place, self._threads = file, place, threads
        known = is_shipped(file.path)
        self._session = open_session(file.path.read_bytes(), place, threads, own_memory=True, known=known)
        self._giving_back = ort.load().RunOptions()
        self._giving_back.log_severity_level = ort.SILENT  # a run has its own
        if place.is_cpu:
            self._giving_back.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")

    def run(self, *inputs: FloatArray) -> list[FloatArray]:
        """The graph's outputs for its inputs, ...×H×W. Raises ``ModelError`` for a size that is not the file's,
        ``DeviceError``."""
        size, (height, width) = self._file.size, inputs[0].shape[-2:]
        if size is not None and (height, width) != size:
            raise ModelError(
                f"{self._file.path}: exported for {size[1]}×{size[0]} pixels only, not {width}×{height}",
                hint="tita export without --size takes any size",
            )
        feed = dict(zip((value.name for value in self._session.get_inputs()), inputs, strict=True))
        with device_errors(self._place):
            results = [np.asarray(x) for x in self._session.run(None, feed, self._giving_back)]
        if self.spec.kind == "pair":
            planes = results[:1] + results[2:]
            if len(results) < 2 or results[1].ndim != 2 or any(plane.shape != inputs[0].shape for plane in planes):
                raise ModelError(f"{self._file.path}: its results have other shapes than its inputs", hint=HINT)
        return results

    def describe(self) -> dict[str, Any]:
        place = self._place.describe()
        return {**place, "precision": self._file.precision, "threads": self._threads, "mode": "whole"}
