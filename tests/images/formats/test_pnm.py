"""PNM, binary and plain, and PFM."""

from __future__ import annotations

import io

import numpy as np
import pytest

from tita_cli.errors import InputError
from tita_cli.images import read_picture


@pytest.mark.parametrize(("header", "white"), [(b"P5", 255), (b"P5", 4095), (b"P6", 1000), (b"P6", 65535)])
def test_pnm_counts_from_its_own_white(header: bytes, white: int) -> None:
    channels = 3 if header == b"P6" else 1
    values = np.linspace(0, white, 4 * 5 * channels).astype(">u2" if white > 255 else "u1").reshape(4, 5, channels)
    picture = read_picture(io.BytesIO(header + b"\n5 4\n%d\n" % white + values.tobytes()))
    np.testing.assert_allclose(picture.pixels, values / white, atol=1e-6)
    assert picture.depth == (16 if white > 255 else 8)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"P2\n2 2\n65535\n0 21845\n43690 65535", [0, 1 / 3, 2 / 3, 1]),  # no final newline
        (b"P2 # a comment\n# another\n2 2 15\n0 5\n10 15\n", [0, 1 / 3, 2 / 3, 1]),
        (b"P1\n2 2\n0110", [1, 0, 0, 1]),
        (b"P1\n2 2\n0 1\n1 0\n", [1, 0, 0, 1]),
        (b"P4\n2 2\n\x40\x80", [1, 0, 0, 1]),
        (b"P3\n1 1\n255\n255 0 51", [1, 0, 0.2]),
    ],
)
def test_plain_and_bits(content: bytes, expected: list[float]) -> None:
    np.testing.assert_allclose(read_picture(io.BytesIO(content)).pixels.ravel(), expected, atol=1e-6)


@pytest.mark.parametrize(
    "content",
    [
        b"P2\n2 2\n255\n1 2 3",
        b"P2\n2 2\n255\n1 2 3 x",
        b"P2\n2 2\n255\n1 2 3 -4",
        b"P2\n2 2\n255\n1 2 3 256",
        b"P5\n2 2\n255\nabc",
        b"P5\n2 2\n0\nabcd",
        b"P5\n2 2\n70000\nabcdefgh",
        b"P1\n2 2\n012",
        b"P4\n9 2\nabc",
        b"P6\n2",
        b"PF\n2 2\n-1.0\nabcd",
        b"PF\n2 2\nx\n" + bytes(48),
    ],
)
def test_damaged(content: bytes) -> None:
    with pytest.raises(InputError, match="damaged or truncated"):
        read_picture(io.BytesIO(content))


@pytest.mark.parametrize("content", [b"PF\n90000 90000\n-1\n", b"P4\n90000 90000\n", b"P2\n90000 90000 255\n"])
def test_sizes_are_checked_first(content: bytes) -> None:
    with pytest.raises(InputError, match="megapixels"):
        read_picture(io.BytesIO(content))


@pytest.mark.parametrize(("scale", "order"), [(b"-1.0", "<f4"), (b"1.0", ">f4")])
def test_pfm_has_either_byte_order_and_begins_at_the_bottom(scale: bytes, order: str) -> None:
    rows = np.array([[3, 4], [1, 2]], order)
    picture = read_picture(io.BytesIO(b"Pf\n2 2\n" + scale + b"\n" + rows.tobytes()))
    assert picture.pixels[..., 0].tolist() == [[1, 2], [3, 4]]
