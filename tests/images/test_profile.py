"""Colours stay what they are when profiles differ."""

from __future__ import annotations

import io
import struct

import imagecodecs
import numpy as np
import pytest
from PIL import Image, ImageCms

from tita_cli.images import Metadata, Picture, read_picture
from tita_cli.images.profile import cmyk_to_rgb, common_profile, profile_space, to_profile

D65 = (0.3127, 0.3290, 1.0)
WIDE = imagecodecs.cms_profile(
    "rgb", whitepoint=D65, primaries=[0.68, 0.32, 1, 0.265, 0.69, 1, 0.15, 0.06, 1], gamma=2.2
)
GREY = imagecodecs.cms_profile("gray", whitepoint=D65, gamma=1.0)
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
COLOR = (0.25 + 0.5 * np.random.default_rng(0).random((5, 7, 3))).astype(np.float32)


def _picture(icc: bytes | None = None, *, grey: bool = False, depth: int = 16) -> Picture:
    return Picture(COLOR[..., :1] if grey else COLOR, depth=depth, metadata=Metadata(icc=icc))  # type: ignore[arg-type]


def test_there_and_back() -> None:
    moved = to_profile(_picture(), WIDE)
    assert moved.metadata.icc == WIDE and np.abs(moved.pixels - COLOR).max() > 0.01
    np.testing.assert_allclose(to_profile(moved, None).pixels, COLOR, atol=1e-5)


def test_agrees_with_pillow_to_eight_bits() -> None:
    eight = np.rint(COLOR * 255).astype(np.uint8)
    expected = ImageCms.profileToProfile(
        Image.fromarray(eight),
        ImageCms.ImageCmsProfile(io.BytesIO(WIDE)), ImageCms.ImageCmsProfile(io.BytesIO(SRGB)),
        renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
    )  # fmt: skip
    ours = to_profile(Picture((eight / 255).astype(np.float32), metadata=Metadata(icc=WIDE)), None)
    assert np.abs(ours.pixels * 255 - np.asarray(expected)).max() < 3


def test_exact_and_fast_agree() -> None:
    np.testing.assert_allclose(
        to_profile(_picture(depth=32), WIDE).pixels, to_profile(_picture(depth=8), WIDE).pixels, atol=1e-3
    )


@pytest.mark.parametrize("icc", [None, SRGB])
def test_the_same_profile_changes_no_value(icc: bytes | None) -> None:
    np.testing.assert_array_equal(to_profile(_picture(icc), None).pixels, COLOR)


def test_grey() -> None:
    np.testing.assert_array_equal(to_profile(_picture(grey=True), WIDE).pixels, COLOR[..., :1])
    toned = to_profile(_picture(GREY, grey=True), None)
    assert toned.pixels.shape == (5, 7, 1)
    linear = COLOR[..., :1]
    np.testing.assert_allclose(toned.pixels, 1.055 * linear ** (1 / 2.4) - 0.055, atol=2e-3)


def test_whose_profile_the_result_bears() -> None:
    assert common_profile(_picture(WIDE), _picture()) == WIDE
    assert common_profile(_picture(grey=True), _picture(WIDE)) == WIDE
    assert common_profile(_picture(GREY, grey=True)) == GREY
    assert common_profile(_picture(GREY)) is None  # a grey profile on a colour picture


def test_damaged_profiles_count_as_none() -> None:
    assert profile_space(b"junk") is None and profile_space(WIDE[:60]) is None
    assert common_profile(_picture(b"junk" * 50)) is None
    np.testing.assert_array_equal(to_profile(_picture(b"junk" * 50), None).pixels, COLOR)


@pytest.mark.parametrize("place", [16, 17, 36, 80, 140, 200])
def test_a_damaged_profile_does_not_stop_reading(place: int) -> None:
    damaged = bytearray(SRGB)
    damaged[place : place + 4] = b"\xff\xfe\xff\xff"
    buffer = io.BytesIO()
    Image.fromarray(np.rint(COLOR * 255).astype(np.uint8)).save(buffer, "PNG", icc_profile=bytes(damaged))
    buffer.seek(0)
    picture = read_picture(buffer)
    assert (picture.metadata.icc is None) == bool(picture.notes)
    assert to_profile(picture, None).pixels.shape == COLOR.shape
    assert to_profile(_picture(WIDE), picture.metadata.icc).pixels.shape == COLOR.shape


def _cmyk_profile() -> bytes:
    """A printer of ideal inks whose lightness falls with the mean of all inks: ICC.1:2001, lut8Type."""
    corners = [[(n >> bit) & 1 for bit in (3, 2, 1, 0)] for n in range(16)]
    lab = b"".join(bytes([round(255 * (1 - sum(inks) / 4)), 128, 128]) for inks in corners)
    ramp = bytes(range(256))
    matrix = struct.pack(">9i", 65536, 0, 0, 0, 65536, 0, 0, 0, 65536)
    lut = b"mft1\0\0\0\0" + bytes([4, 3, 2, 0]) + matrix + ramp * 4 + lab + ramp * 3
    lut += b"\0" * (-len(lut) % 4)
    white = b"XYZ \0\0\0\0" + struct.pack(">3i", 63190, 65536, 54061)
    text = b"desc\0\0\0\0" + struct.pack(">I", 5) + b"test\0" + b"\0" * 78
    text += b"\0" * (-len(text) % 4)
    blocks, offset, table = b"", 128 + 4 + 12 * 3, b""
    for name, block in ((b"A2B0", lut), (b"wtpt", white), (b"desc", text)):
        table += name + struct.pack(">II", offset + len(blocks), len(block))
        blocks += block
    header = struct.pack(
        ">I4sI4s4s4s12s4s", offset + len(blocks), b"lcms", 0x02400000, b"prtr", b"CMYK", b"Lab ", b"\0" * 12, b"acsp"
    )
    header += b"\0" * (68 - len(header)) + struct.pack(">3i", 63190, 65536, 54061)
    return header + b"\0" * (128 - len(header)) + struct.pack(">I", 3) + table + blocks


def test_cmyk_goes_through_its_profile() -> None:
    icc = _cmyk_profile()
    assert profile_space(icc) == "CMYK"
    inks = np.zeros((1, 3, 4), np.uint8)
    inks[0, 1], inks[0, 2] = 255, (255, 255, 0, 0)
    converted, faithful = cmyk_to_rgb(inks, icc)
    rgb = converted / 65535
    assert faithful
    assert np.ptp(rgb, axis=2).max() < 0.02  # this profile prints greys whatever the ink
    np.testing.assert_allclose(rgb[0, :, 0], [1.0, 0.0, 0.466], atol=0.02)  # L* 100, 0 and 50


def test_cmyk_files() -> None:
    image = Image.fromarray(np.rint(COLOR * 255).astype(np.uint8)).convert("CMYK")
    for format in ("JPEG", "TIFF"):
        for icc in (None, _cmyk_profile()):
            buffer = io.BytesIO()
            image.save(
                buffer, format, **({"icc_profile": icc} if icc else {}), **({"quality": 98} if format == "JPEG" else {})
            )
            buffer.seek(0)
            picture = read_picture(buffer)
            assert picture.is_color and picture.depth == 8 and picture.metadata.icc is None
            assert bool(picture.notes) == (icc is None)
            if icc is None and format == "TIFF":
                np.testing.assert_allclose(picture.pixels, COLOR, atol=2 / 255)
