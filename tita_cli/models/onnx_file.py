"""Exported files: ONNX for any runtime, and at the same time a zip archive with the network cut into steps.

An ONNX file is a Protocol Buffers message, whose readers skip fields that they do not know; a zip archive may have
anything in front of it. So ``tita export`` appends an archive in an unknown field. It holds a description and the graph
of every step; the steps' weights are where the whole network has them, and the description says at which offsets. So a
file is cut when it is written, and the runtime needs neither the ``onnx`` package nor the weights twice.
"""

from __future__ import annotations

import math
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from tita_cli.errors import ModelError, parsing
from tita_cli.files import parse_json
from tita_cli.models.onnx_graph import check_graph
from tita_cli.network.spec import Spec

FORMAT = "tita-onnx-2"
DESCRIPTION = "tita.json"
HINT = "tita reads ONNX files that tita export wrote"
FIELD = 2047
"""Number of the field that holds the archive; ONNX's own end at 26."""
_MOST_BYTES = 1 << 26
_LARGEST_MODEL = 1 << 31  # bytes that Protocol Buffers allow
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

    ``about``: what it says of itself. ``precision``: fp32 or fp16. ``size``: the only H×W that it takes, or None
    for any; such a file has no steps.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size: tuple[int, int] | None = None
        with parsing(str(path), ModelError, hint=HINT), path.open("rb") as stream:
            if not zipfile.is_zipfile(stream) and _is_model(path):
                raise ModelError(f"{path}: is an ONNX model, but without the steps of a network of tita's", hint=HINT)
            with zipfile.ZipFile(stream) as archive:
                found = parse_json(_member(archive, DESCRIPTION))
                if found["format"] != FORMAT:
                    raise ModelError(f"{path}: another format than this version of tita reads", hint=HINT)
                if not 0 < archive.infolist()[0].header_offset - found["whole"] < _FIELD_HEAD:
                    raise ValueError("what stands before the archive is not what was written")
                self.about: dict[str, str] = {str(key): str(value) for key, value in found["about"].items()}
                self.precision = str(found["precision"])
                if found["size"]:
                    height, width = map(int, found["size"])
                    self.size = (height, width)
                self._spec, self._inputs, self._weights = str(found["spec"]), found["inputs"], found["weights"]
                self._graphs = {name: _member(archive, f"{name}.onnx") for name in self._inputs}

    @property
    def spec(self) -> Spec:
        """What the network declares of itself. Raises ``ModelError``."""
        return Spec.from_json(self._spec)

    def steps(self, names: list[str]) -> dict[str, Step]:
        """Steps of the network, ready for a session each. Raises ``ModelError`` where the file lacks one."""
        with parsing(str(self.path), ModelError, hint=HINT):
            data = self.path.read_bytes()
            return {name: self._step(name, data) for name in names}

    def _step(self, name: str, data: bytes) -> Step:
        weights = {}
        for weight in self._inputs[name]["weights"]:
            kind, shape, offset = self._weights[weight]
            numbers = np.dtype(kind)
            count = math.prod(shape)
            if numbers.kind not in "fiub" or not all(type(n) is int and n >= 0 for n in (*shape, offset)):
                raise ValueError(f"weight {weight} is no array of numbers")
            weights[weight] = np.frombuffer(data, numbers, count, offset).reshape(shape).copy()  # aligned
        types = {str(key): np.dtype(kind).name for key, kind in self._inputs[name]["types"].items()}
        return Step(self._graphs[name], weights, types)


def _is_model(path: Path) -> bool:
    """Whether a file is a whole ONNX model, whoever wrote it: ``ir_version`` comes first in what serializers write."""
    if path.stat().st_size >= _LARGEST_MODEL:
        return False
    content = path.read_bytes()
    try:
        check_graph(content)
    except ModelError as error:
        return error.__cause__ is None  # refused for what it holds, rather than damaged
    return content.startswith(b"\x08")


def _member(archive: zipfile.ZipFile, name: str) -> bytes:
    """A file of the archive. Raises ValueError for one that is larger than any graph that we write."""
    info = archive.getinfo(name)
    if info.file_size > _MOST_BYTES:
        raise ValueError(f"{name} would have {info.file_size >> 20} MiB")
    return archive.read(info)
