"""Whether the image data of a raw file are there, where LibRaw does not ask.

It refuses most files that end too early. Two kinds it develops all the same, from whatever its memory held before:
DNG whose tiles are no JPEG or are fewer than the picture has, and Panasonic's older RW2.
"""

from __future__ import annotations

import struct
from math import prod
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy.typing as npt

if TYPE_CHECKING:
    import tifffile

_TIFF, _PANASONIC = (b"II*\0", b"MM\0*"), b"IIU\0"
_DNG_VERSION = 50706
_OF_SENSOR = (32803, 34892)  # photometric interpretations of samples that are to be developed
_JPEG = (7, 34892)  # numbers of compression, with and without loss
_SOI = b"\xff\xd8"

# Of Panasonic: tags, the bytes that samples are packed into, and how many are in them for each of its ways.
_WIDTH, _HEIGHT, _BITS, _WAY, _OFFSET = 0x02, 0x03, 0x0A, 0x2D, 0x118
_PACKED, _IN_PACK, _IN_PACK_5 = 16, 14, {12: 10, 14: 9}
_SHORT, _LONG = 3, 4

_STEP, _BLOCK = 3, 5  # an odd step meets all colours of a filter


def check_data(stream: BinaryIO) -> None:
    """Find out whether the picture of a raw file is all there.

    :raises ValueError: some of it is missing.
    """
    size = stream.seek(0, 2)
    stream.seek(0)
    signature = stream.read(4)
    stream.seek(0)
    if signature in _TIFF:
        import tifffile

        with tifffile.TiffFile(stream) as file:
            first = file.pages.first
            if _DNG_VERSION in first.tags:
                for page in (first, *(first.pages or ())):
                    _check_tiles(stream, page.aspage(), size)
    elif signature == _PANASONIC:
        needed = _panasonic_end(stream)
        if needed > size:
            raise ValueError(f"{needed - size} bytes of its picture are missing")


def _check_tiles(stream: BinaryIO, page: tifffile.TiffPage, size: int) -> None:
    if page.photometric not in _OF_SENSOR:
        return
    count = prod(page.chunked)
    offsets = page.dataoffsets[:count]
    found = sum(_begins(stream, offset, size, jpeg=page.compression in _JPEG) for offset in offsets)
    if found < count:
        raise ValueError(f"{count - found} of {count} strips or tiles of its picture are missing")


def _begins(stream: BinaryIO, offset: int, size: int, *, jpeg: bool) -> bool:
    """Whether a tile may be at ``offset`` of a file of ``size`` bytes."""
    if not jpeg:
        return offset < size
    stream.seek(offset)
    return stream.read(2) == _SOI


def _panasonic_end(stream: BinaryIO) -> int:
    """Where the picture of an RW2 file ends, at least; 0 where LibRaw finds that out itself."""
    tags = _panasonic_tags(stream)
    way = tags.get(_WAY, 0)
    if _OFFSET not in tags or way > 5:
        return 0
    in_pack = _IN_PACK_5.get(tags.get(_BITS, 0), max(_IN_PACK_5.values())) if way == 5 else _IN_PACK
    return tags[_OFFSET] + tags.get(_WIDTH, 0) * tags.get(_HEIGHT, 0) // in_pack * _PACKED


def _panasonic_tags(stream: BinaryIO) -> dict[int, int]:
    """The single whole numbers of the first directory, laid out as in TIFF."""
    stream.seek(4)
    (place,) = struct.unpack("<I", stream.read(4))
    stream.seek(place)
    (count,) = struct.unpack("<H", stream.read(2))
    tags = {}
    for tag, kind, length, value in struct.iter_unpack("<HHII", stream.read(12 * count)):
        if length == 1 and kind in (_SHORT, _LONG):
            tags[tag] = value & 0xFFFF if kind == _SHORT else value
    return tags


def empty_share(samples: npt.NDArray[Any]) -> float:
    """The share of a picture H×W or H×W×C, 0..1, in which all samples are zero."""
    sampled = samples[::_STEP, ::_STEP]
    if sampled.ndim == 3:
        sampled = sampled.max(axis=2)
    rows, columns = (max(1, length // _BLOCK) for length in sampled.shape)
    height, width = min(_BLOCK, sampled.shape[0]), min(_BLOCK, sampled.shape[1])
    blocks = sampled[: rows * height, : columns * width].reshape(rows, height, columns, width)
    return float((blocks.max(axis=(1, 3)) == 0).mean())
