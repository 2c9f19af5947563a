"""An exported file: what it says of itself, and its cutting into models of their own.

An exported file runs as it is in any ONNX runtime. The engine runs it in pieces, for which the tensors between the
network's steps bear names (``tita_cli.engine.exportable``): block by block on what fits the cache, or as the two halves
before and behind OAF's pooling.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from tita_cli.engine.geometry import Geometry
from tita_cli.engine.wire import Field, fields, packed, parts, texts
from tita_cli.errors import ModelError

FORMAT = "tita-onnx-1"
FORMAT_KEY, GEOMETRY_KEY = "tita.format", "tita.geometry"
PRECISION_KEY, SIZE_KEY = "tita.precision", "tita.size"
"""Of an exported file's metadata. The size is HxW, and absent where any will do."""
SEAM = "seam:"
"""What the names of tensors between the steps begin with."""
HINT = "tita reads ONNX files that tita export wrote"

# Numbers of the fields in https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
_MODEL_IR, _MODEL_GRAPH, _MODEL_OPSET, _MODEL_METADATA = 1, 7, 8, 14
_ENTRY_KEY, _ENTRY_VALUE = 1, 2
_GRAPH_NODE, _GRAPH_NAME, _GRAPH_WEIGHT, _GRAPH_INPUT, _GRAPH_OUTPUT, _GRAPH_INFO = 1, 2, 5, 11, 12, 13
_NODE_INPUT, _NODE_OUTPUT = 1, 2
_TENSOR_NAME, _TENSOR_EXTERNAL = 8, 13
_INFO_NAME, _INFO_TYPE = 1, 2
_TYPE_TENSOR, _TENSOR_ELEMENT, _TENSOR_SHAPE, _SHAPE_DIM = 1, 1, 2, 1
_DTYPES = {1: np.float32, 10: np.float16}


class Step(NamedTuple):
    """A part of the graph, by the names of the tensors that go in and come out."""

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


class _Node(NamedTuple):
    place: int
    message: memoryview
    inputs: list[str]


class OnnxFile:
    """An exported file, read but not loaded. Raises ``ModelError`` for a file that is none or damaged.

    ``metadata``: what it says of itself. ``precision``: fp32, fp16 or int8. ``size``: the only H×W it runs
    at, or None for any.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            model = memoryview(path.read_bytes())
        except OSError as error:
            raise ModelError(f"{path}: cannot read the model: {error.strerror}") from error
        try:
            self._read(model)
        except (ModelError, ValueError) as error:  # the latter where what there is one of is missing, or there twice
            words = error.message if isinstance(error, ModelError) else "not an ONNX file, or damaged"
            raise ModelError(f"{path}: {words}", hint=HINT) from error

    def _read(self, model: memoryview) -> None:
        entries = [(texts(entry, _ENTRY_KEY), texts(entry, _ENTRY_VALUE)) for entry in parts(model, _MODEL_METADATA)]
        self.metadata = {key[0]: value[0] for key, value in entries if key and value}
        if self.metadata.get(FORMAT_KEY) != FORMAT:
            raise ModelError("not one of tita's ONNX files")
        self.geometry = Geometry.from_json(self.metadata.get(GEOMETRY_KEY, ""))
        self.precision = self.metadata.get(PRECISION_KEY, "")
        self.size = _size(self.metadata.get(SIZE_KEY))
        self._head = b"".join(_repacked(f) for f in fields(model) if f.number in (_MODEL_IR, _MODEL_OPSET))
        (graph,) = parts(model, _MODEL_GRAPH)
        self._producers: dict[str, _Node] = {}
        for place, node in enumerate(parts(graph, _GRAPH_NODE)):
            known = _Node(place, node, texts(node, _NODE_INPUT))
            self._producers.update(dict.fromkeys(texts(node, _NODE_OUTPUT), known))
        self._weights = {_name(tensor, _TENSOR_NAME): tensor for tensor in parts(graph, _GRAPH_WEIGHT)}
        if any(field.number == _TENSOR_EXTERNAL for w in self._weights.values() for field in fields(w)):
            raise ModelError("refers to another file for its weights")
        infos = (info for number in (_GRAPH_INFO, _GRAPH_INPUT, _GRAPH_OUTPUT) for info in parts(graph, number))
        self._infos = {_name(info, _INFO_NAME): info for info in infos}

    def dtype(self, tensor: str) -> Any:
        """A tensor's, for NumPy: what is no half is single precision. Raises ``ModelError`` for one that is neither."""
        element = self._element(tensor)
        if element not in _DTYPES:
            raise ModelError(f"{self.path}: {tensor} is of a kind that tita's networks have not", hint=HINT)
        return _DTYPES[element]

    def cut(self, steps: Mapping[str, Step]) -> dict[str, bytes]:
        """Each step as a model of its own. Raises ``ModelError`` where the file has no such tensors."""
        try:
            return {name: self._cut(name, step) for name, step in steps.items()}
        except (KeyError, ValueError) as error:
            raise ModelError(f"{self.path}: cannot be cut at {error.args[0]}", hint="export it again") from error

    def _cut(self, name: str, step: Step) -> bytes:
        nodes: dict[int, memoryview] = {}
        weights: dict[str, memoryview] = {}
        seen: set[str] = set()
        waiting = list(step.outputs)
        while waiting:
            tensor = waiting.pop()
            if tensor in seen or not tensor:
                continue
            seen.add(tensor)
            if tensor in self._weights:
                weights[tensor] = self._weights[tensor]
            elif tensor not in step.inputs:
                node = self._producers[tensor]
                nodes[node.place] = node.message
                waiting.extend(node.inputs)
        for tensor in step.inputs:
            if tensor not in seen:  # what goes in would be computed a second time, from a part of the image
                raise KeyError(tensor)
        graph = [
            *(packed(_GRAPH_NODE, nodes[place]) for place in sorted(nodes)),
            packed(_GRAPH_NAME, name.encode()),
            *(packed(_GRAPH_WEIGHT, weight) for weight in weights.values()),
            *(packed(_GRAPH_INPUT, self._open_shape(tensor)) for tensor in step.inputs),
            *(packed(_GRAPH_OUTPUT, self._open_shape(tensor)) for tensor in step.outputs),
        ]
        return self._head + packed(_MODEL_GRAPH, b"".join(graph))

    def _element(self, tensor: str) -> int | memoryview | None:
        (known,) = (of for kind in parts(self._infos[tensor], _INFO_TYPE) for of in parts(kind, _TYPE_TENSOR))
        return next((field.value for field in fields(known) if field.number == _TENSOR_ELEMENT), None)

    def _open_shape(self, tensor: str) -> bytes:
        """A tensor's name, type and number of dimensions, their lengths left open."""
        (known,) = (of for kind in parts(self._infos[tensor], _INFO_TYPE) for of in parts(kind, _TYPE_TENSOR))
        element = b"".join(_repacked(field) for field in fields(known) if field.number == _TENSOR_ELEMENT)
        rank = sum(1 for shape in parts(known, _TENSOR_SHAPE) for _ in parts(shape, _SHAPE_DIM))
        kind = element + packed(_TENSOR_SHAPE, rank * packed(_SHAPE_DIM, b""))
        return packed(_INFO_NAME, tensor.encode()) + packed(_INFO_TYPE, packed(_TYPE_TENSOR, kind))


def _repacked(field: Field) -> bytes:
    return packed(field.number, field.value)


def _name(message: memoryview, number: int) -> str:
    (name,) = texts(message, number) or [""]
    return name


def _size(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    height, _, width = text.partition("x")
    if not (height.isdecimal() and width.isdecimal()):
        raise ModelError(f"bad size {text!r}")
    return int(height), int(width)
