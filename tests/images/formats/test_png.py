"""PNG beyond the round trip."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from tita_cli.errors import InputError
from tita_cli.images import Picture, read_picture, write_picture


def test_deep_png_with_a_transparent_colour(ramp: np.ndarray) -> None:
    deep = ramp.astype(np.uint16) * 257
    buffer = io.BytesIO()
    write_picture(Picture((deep / 65535).astype(np.float32)[..., None], depth=16), buffer)
    content = buffer.getvalue()
    chunk = b"tRNS" + struct.pack(">H", int(deep[2, 3]))
    chunk = struct.pack(">I", 2) + chunk + struct.pack(">I", zlib.crc32(chunk))
    picture = read_picture(io.BytesIO(content[:33] + chunk + content[33:]))
    assert picture.depth == 16 and picture.alpha is not None
    np.testing.assert_array_equal(picture.alpha == 0, deep == deep[2, 3])


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def _header(width: int, height: int, bits: int = 8) -> bytes:
    return _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, 2, 0, 0, 0))


def test_bombs_are_refused_by_their_header(refused: Callable[..., InputError]) -> None:
    def png(width: int, height: int) -> io.BytesIO:
        ending = _chunk(b"IDAT", b"") + _chunk(b"IEND", b"")
        return io.BytesIO(b"\x89PNG\r\n\x1a\n" + _header(width, height) + ending)

    bound = Image.MAX_IMAGE_PIXELS
    error = refused(png(60_000, 60_000), "megapixels")
    assert error.hint is not None and "`max_pixels`" in error.hint
    refused(png(2_000_000, 1), "absurd")
    assert bound == Image.MAX_IMAGE_PIXELS


def test_two_headers_are_refused() -> None:
    """libpng goes by the first, Pillow by the last."""
    buffer = io.BytesIO()
    write_picture(Picture(np.zeros((4, 4, 3), np.float32), depth=16), buffer)
    content = buffer.getvalue()
    with pytest.raises(InputError, match="damaged"):
        read_picture(io.BytesIO(content[:8] + _header(9000, 9000, 16) + content[8:]), max_pixels=10**9)
