"""Protocol Buffers' wire format, as far as taking an ONNX file apart and putting pieces together needs it.

https://protobuf.dev/programming-guides/encoding/: a message is a row of fields, each a number and a value; strings and
messages within are bytes of stated length. Cutting a file needs names and nothing else, so the ``onnx`` package, which
unpacks everything and takes longer to import than a VGA pair to fuse, is not needed to run a model.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from tita_cli.errors import ModelError

_ONE_BYTE = 0x7F
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


class Field(NamedTuple):
    """A field's number, and its value: an integer, or the bytes of a string, message or anything else."""

    number: int
    value: int | memoryview


def fields(message: memoryview) -> Iterator[Field]:
    """The fields of a message, in order. Raises ``ModelError`` where it is none."""
    position, end = 0, len(message)
    while position < end:
        key = message[position]
        position += 1
        if key > _ONE_BYTE:
            key, position = _varint(message, position - 1)
        number, kind = key >> 3, key & 7
        if kind == _VARINT:
            value, position = _varint(message, position)
            yield Field(number, value)
            continue
        if kind == _BYTES:
            length, position = _varint(message, position)
        elif kind in (_FIXED32, _FIXED64):
            length = 4 if kind == _FIXED32 else 8
        else:
            raise _damaged()
        if position + length > end:
            raise _damaged()
        yield Field(number, message[position : position + length])
        position += length


def parts(message: memoryview, number: int) -> Iterator[memoryview]:
    """The strings or messages in the fields of one number."""
    for field in fields(message):
        if field.number == number:
            if isinstance(field.value, int):
                raise _damaged()
            yield field.value


def texts(message: memoryview, number: int) -> list[str]:
    """The strings in the fields of one number."""
    try:
        return [str(part, "utf-8") for part in parts(message, number)]
    except UnicodeDecodeError as error:
        raise _damaged() from error


def packed(number: int, value: int | bytes | memoryview) -> bytes:
    """A field."""
    if isinstance(value, int):
        return _as_varint(number << 3 | _VARINT) + _as_varint(value)
    return _as_varint(number << 3 | _BYTES) + _as_varint(len(value)) + value


def _varint(message: memoryview, position: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if position >= len(message):
            raise _damaged()
        byte = message[position]
        position += 1
        value |= (byte & _ONE_BYTE) << shift
        if byte <= _ONE_BYTE:
            return value, position
    raise _damaged()


def _as_varint(value: int) -> bytes:
    out = bytearray()
    while value > _ONE_BYTE:
        out.append(value & _ONE_BYTE | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _damaged() -> ModelError:
    return ModelError("not an ONNX file, or damaged")
