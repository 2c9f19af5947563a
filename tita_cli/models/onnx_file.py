"""Exported files: ONNX for any runtime, and at the same time a zip archive with the network cut into steps.

An ONNX file is a Protocol Buffers message, whose readers skip fields that they do not know; a zip archive may have
anything in front of it. So ``tita export`` appends an archive in an unknown field. It holds a description and the graph
of every step; the steps' weights are where the whole network has them, and the description says at which offsets. So a
file is cut when it is written, and the runtime needs neither the ``onnx`` package nor the weights twice.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from tita_cli.errors import ModelError
from tita_cli.network.spec import Spec

FORMAT = "tita-onnx-2"
DESCRIPTION = "tita.json"
HINT = "tita reads ONNX files that tita export wrote"
FIELD = 2047
"""Number of the field that holds the archive; ONNX's own end at 26."""
_FIELD_HEAD = 16
"""Bytes that a field's number and length take at most."""


class Step(NamedTuple):
    """A part of the network as an ONNX graph, its large weights by name beside it.

    ``inputs``: NumPy's name of each input's type, in order. ``outputs``: how many there are.
    """

    graph: bytes
    weights: Mapping[str, np.ndarray[Any, Any]]
    inputs: Mapping[str, str]


class OnnxFile:
    """An exported file, read but not loaded. Raises ``ModelError`` for one that tita did not write, or a damaged one.

    ``about``: what it says of itself. ``precision``: fp32, fp16 or int8. ``size``: the only H×W that it takes, or None
    for any; such a file has no steps.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            with path.open("rb") as stream, zipfile.ZipFile(stream) as archive:
                found = json.loads(archive.read(DESCRIPTION))
                if found["format"] != FORMAT:
                    raise ModelError(f"{path}: another format than this version of tita reads", hint=HINT)
                if not 0 < archive.infolist()[0].header_offset - found["whole"] < _FIELD_HEAD:
                    raise ValueError("what stands before the archive is not what was written")
                self.about: dict[str, str] = {str(key): str(value) for key, value in found["about"].items()}
                self.precision = str(found["precision"])
                self.size: tuple[int, int] | None = tuple(map(int, found["size"])) if found["size"] else None  # type: ignore[assignment]
                self._spec, self._inputs, self._weights = str(found["spec"]), found["inputs"], found["weights"]
                self._graphs = {name: archive.read(f"{name}.onnx") for name in self._inputs}
        except OSError as error:
            raise ModelError(f"{path}: cannot read the model: {error.strerror}") from error
        except (zipfile.BadZipFile, ValueError, KeyError, TypeError, AttributeError, EOFError) as error:
            raise ModelError(f"{path}: not one of tita's ONNX files, or damaged", hint=HINT) from error

    @property
    def spec(self) -> Spec:
        """What the network declares of itself. Raises ``ModelError``."""
        return Spec.from_json(self._spec)

    def steps(self, names: list[str]) -> dict[str, Step]:
        """Steps of the network, ready for a session each. Raises ``ModelError`` where the file lacks one."""
        try:
            data = self.path.read_bytes()
            return {name: self._step(name, data) for name in names}
        except (KeyError, ValueError, TypeError) as error:
            raise ModelError(f"{self.path}: damaged, or another network than it says ({error})", hint=HINT) from error

    def _step(self, name: str, data: bytes) -> Step:
        weights = {}
        for weight in self._inputs[name]["weights"]:
            kind, shape, offset = self._weights[weight]
            count = int(np.prod(shape, dtype=np.int64))
            weights[weight] = np.frombuffer(data, np.dtype(kind), count, offset).reshape(shape).copy()  # aligned
        return Step(self._graphs[name], weights, self._inputs[name]["types"])
