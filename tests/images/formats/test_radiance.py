"""Radiance HDR, and linear light in general."""

from __future__ import annotations

import io

import numpy as np
import pytest

from tita_cli.errors import InputError
from tita_cli.images import Picture, read_picture, write_picture
from tita_cli.images.transfer import decode_srgb, encode_srgb


@pytest.mark.parametrize(("format", "tolerance"), [("exr", 1e-5), ("hdr", 0.01)])
def test_light_above_white_survives(format: str, tolerance: float) -> None:
    if format == "exr":
        pytest.importorskip("OpenEXR")
    light = np.array([[[0.0, 0.5, 1.0], [4.0, 0.001, 20.0]]], np.float32)
    np.testing.assert_allclose(decode_srgb(encode_srgb(light)), light, rtol=1e-5, atol=1e-7)
    buffer = io.BytesIO()
    write_picture(Picture(encode_srgb(light), depth=32), buffer, format=format)
    buffer.seek(0)
    back = decode_srgb(read_picture(buffer).pixels)
    np.testing.assert_allclose(back, light, rtol=tolerance, atol=light.max() * (tolerance if format == "hdr" else 1e-7))


def _file(size_line: bytes, after: bytes = b"") -> io.BytesIO:
    return io.BytesIO(b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n" + size_line + b"\n" + after)


def test_the_size_is_the_one_that_the_decoder_reads() -> None:
    """C's sscanf takes any white space; a second size line behind the first is data."""
    with pytest.raises(InputError, match="megapixels"):
        read_picture(_file(b"-Y  90000 +X \t90000", b"\n\n-Y 1 +X 1\n" + bytes(4)))
    picture = read_picture(_file(b"-Y  2 +X  3", bytes(24)))
    assert (picture.height, picture.width) == (2, 3)


def test_a_line_as_long_as_the_decoders_buffer() -> None:
    """Read in pieces, such a line could end the header earlier for the decoder than for us."""
    lines = b"#?RADIANCE\n" + b"X" * 127 + b"\n-Y 9000 +X 9000\n\n-Y 1 +X 1\n" + bytes(4)
    with pytest.raises(InputError, match="damaged"):
        read_picture(io.BytesIO(lines), max_pixels=100)


def test_other_directions_are_refused() -> None:
    with pytest.raises(InputError, match="unusual direction"):
        read_picture(_file(b"+Y 2 +X 3", bytes(24)))
