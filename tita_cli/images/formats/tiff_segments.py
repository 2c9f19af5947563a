"""The strips and tiles of a TIFF page, checked before they are decoded: each may hold a picture of another size."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, BinaryIO

from tita_cli.errors import InputError
from tita_cli.images.formats.jpeg_segments import frame_size

if TYPE_CHECKING:
    import tifffile

# Numbers of the tag Compression. Plain ones, whose decoders are given the size that the page states:
# none, CCITT (three), LZW, deflate (two), PackBits, LZMA, zstd (two).
_PLAIN = frozenset((1, 2, 3, 4, 5, 8, 32773, 32946, 34925, 34926, 50000))
_JPEG, _JPEG_2000 = frozenset((6, 7, 33007)), frozenset((33003, 33004, 33005, 34712))
_BLOCK = 16  # encoders fill the last block of a tile


def check_segments(stream: BinaryIO, page: tifffile.TiffPage, name: str) -> None:
    """Find out whether the strips or tiles of ``page`` are all there, and no larger than the page says.

    :raises InputError: they are compressed in a way that is not read.
    :raises ValueError: one is missing, or holds a larger picture.
    """
    if len(page.dataoffsets) < prod(page.chunked):
        raise ValueError("strips or tiles are missing")
    if max(page.databytecounts, default=0) > stream.seek(0, 2):  # memory is taken for as many bytes as it states
        raise ValueError("a strip or tile is larger than the file")
    code = int(page.compression)
    if code in _PLAIN:
        return
    if code not in _JPEG | _JPEG_2000:
        kind = getattr(page.compression, "name", str(code))
        raise InputError(
            f"{name}: is a TIFF compressed as {kind}, which tita does not read",
            hint="save it with deflate or LZW, or without compression",
        )
    height, width = page.chunks[-3:-1] if len(page.chunks) > 2 and page.axes == "YXS" else page.chunks[-2:]
    tables = page.jpegtables or b""
    if tables and frame_size(tables) is not None:
        raise ValueError("its JPEG tables hold a picture")
    for place, length in zip(page.dataoffsets, page.databytecounts, strict=False):
        if length:
            stream.seek(place)
            content = (page.jpegheader or b"") + stream.read(length)
            size = frame_size(content) if code in _JPEG else _codestream_size(content)
            if size is None or size[0] > width + _BLOCK or size[1] > height + _BLOCK:
                raise ValueError(f"a strip or tile of {width}×{height} holds a picture of {size or 'unknown size'}")


def _codestream_size(content: bytes) -> tuple[int, int] | None:
    """Width and height of a bare JPEG 2000 codestream (ITU-T T.800, annex A); None for one in a file of its own."""
    if content[:4] != b"\xff\x4f\xff\x51":
        return None
    right, lower, left, upper = (int.from_bytes(content[place : place + 4], "big") for place in (8, 12, 16, 20))
    return right - left, lower - upper
