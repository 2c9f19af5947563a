"""What an ONNX graph may hold: plain operators and the weights inside of it. Needs no package to read it.

A graph can name files that its weights are in, and operators that a library brings. Neither is in the files that
``tita export`` writes, and ONNX Runtime would follow the first and look for the second. Format: onnx.proto, and the
encoding of Protocol Buffers.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TypeAlias

from tita_cli.errors import ModelError, parsing

Field: TypeAlias = "tuple[int, int | memoryview]"

_DOMAINS = (b"", b"ai.onnx")
_MODEL_GRAPH, _MODEL_FUNCTIONS = 7, 25
_NODE, _INITIALIZER, _SPARSE_INITIALIZER = 1, 5, 15
_NODE_ATTRIBUTE, _NODE_DOMAIN = 5, 7
_TENSORS, _GRAPHS, _SPARSE = (5, 10), (6, 11), (22, 23)  # in an attribute: one, and a list
_DIMS, _NAME, _EXTERNAL_DATA, _LOCATION = 1, 8, 13, 14
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_DEEPEST = 16


def check_graph(model: bytes, given: Collection[str] = ()) -> None:
    """Refuse a model that needs more than its own bytes and the operators of ONNX itself.

    ``given``: names of initializers that the caller hands over, which the model only names.

    :raises ModelError: it names external data in any tensor, custom operators or functions, or is damaged.
    """
    names = frozenset(name.encode() for name in given)
    with parsing("the ONNX graph", ModelError):
        for number, value in _fields(memoryview(model)):
            if number == _MODEL_FUNCTIONS:
                raise ModelError("the ONNX graph defines functions of its own, which tita does not run")
            if number == _MODEL_GRAPH:
                _check_graph(_message(value), names, 0)


def _check_graph(graph: memoryview, given: frozenset[bytes], depth: int) -> None:
    if depth > _DEEPEST:
        raise ValueError("nested too deeply")
    for number, value in _fields(graph):
        if number == _INITIALIZER:
            _check_tensor(_message(value), given)
        elif number == _SPARSE_INITIALIZER:
            _check_sparse(_message(value))
        elif number == _NODE:
            _check_node(_message(value), depth)


def _check_node(node: memoryview, depth: int) -> None:
    for number, value in _fields(node):
        if number == _NODE_DOMAIN and bytes(_message(value)) not in _DOMAINS:
            raise ModelError(f"the ONNX graph has operators of {bytes(_message(value))!r}, which tita does not run")
        if number == _NODE_ATTRIBUTE:
            for kind, content in _fields(_message(value)):
                if kind in _TENSORS:
                    _check_tensor(_message(content), frozenset())
                elif kind in _GRAPHS:
                    _check_graph(_message(content), frozenset(), depth + 1)
                elif kind in _SPARSE:
                    _check_sparse(_message(content))


def _check_sparse(tensor: memoryview) -> None:
    for number, value in _fields(tensor):
        if number in (1, 2):  # values and indices
            _check_tensor(_message(value), frozenset())


def _check_tensor(tensor: memoryview, given: frozenset[bytes]) -> None:
    external, name = False, b""
    for number, value in _fields(tensor):
        external |= number == _EXTERNAL_DATA or (number == _LOCATION and value != 0)
        if number == _NAME:
            name = bytes(_message(value))
        elif number == _DIMS and isinstance(value, int) and value >= 1 << 31:
            raise ValueError("a tensor with a side that cannot be")
    if external and name not in given:
        raise ModelError(f"the ONNX graph keeps {name.decode(errors='replace') or 'a tensor'} in another file")


def _message(value: int | memoryview) -> memoryview:
    if isinstance(value, int):
        raise TypeError("a number where a message should be")
    return value


def _fields(message: memoryview) -> Iterator[Field]:
    """The number and the value of every field: a number, or bytes; numbers of fixed size are passed over."""
    place, end = 0, len(message)
    while place < end:
        key, place = _varint(message, place)
        number, wire = key >> 3, key & 7
        if wire == _VARINT:
            value, place = _varint(message, place)
            yield number, value
        elif wire == _BYTES:
            length, place = _varint(message, place)
            if length > end - place:
                raise ValueError("cut short")
            yield number, message[place : place + length]
            place += length
        elif wire in (_FIXED64, _FIXED32):
            place += 8 if wire == _FIXED64 else 4
        else:
            raise ValueError(f"no such kind of field: {wire}")


def _varint(message: memoryview, place: int) -> tuple[int, int]:
    value = message[place]
    if value < 0x80:  # nearly all
        return value, place + 1
    value = shift = 0
    while True:
        byte = message[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, place
        shift += 7
        if shift > 63:
            raise ValueError("a number that does not end")
