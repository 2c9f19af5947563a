"""TIFF: every kind of samples and layout, pages, missing values, and files that lie about their size."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import imagecodecs
import numpy as np
import pytest
import tifffile

from tita_cli.errors import InputError, MismatchError
from tita_cli.fusion.source import describe_sources
from tita_cli.images import Metadata, Picture, list_pages, read_picture, write_picture

Store: TypeAlias = Callable[..., io.BytesIO]
Refused: TypeAlias = Callable[..., InputError]


@pytest.mark.parametrize("byteorder", ["<", ">"])
@pytest.mark.parametrize("kind", ["uint8", "uint16", "uint32", "int16", "float16", "float32", "float64"])
@pytest.mark.parametrize("grey", [False, True])
def test_tiff_kinds(kind: str, byteorder: str, grey: bool, ramp: np.ndarray, color: np.ndarray, tiff: Store) -> None:
    share = (ramp if grey else color) / 255
    dtype = np.dtype(kind)
    if dtype.kind == "f":
        data = share.astype(dtype)
    else:
        low, high = np.iinfo(dtype).min, np.iinfo(dtype).max
        data = np.rint(low + share * (float(high) - low)).astype(dtype)
    buffer = tiff(data, byteorder=byteorder, photometric="minisblack" if grey else "rgb")
    picture = read_picture(buffer)
    assert picture.depth == (8 if kind == "uint8" else 16 if kind in ("uint16", "int16") else 32)
    np.testing.assert_allclose(picture.pixels, share.reshape(6, 8, -1), atol=1e-3 if kind == "float16" else 1e-5)


@pytest.mark.parametrize(
    "options",
    [
        {"tile": (16, 16)}, {"compression": "zlib", "predictor": True}, {"compression": "lzw"}, {"bigtiff": True},
        {"planarconfig": "separate"}, {"rowsperstrip": 1},
    ],
    ids=str,
)  # fmt: skip
def test_tiff_layouts(options: dict[str, object], color: np.ndarray, tiff: Store) -> None:
    data = color.transpose(2, 0, 1) if options.get("planarconfig") == "separate" else color
    picture = read_picture(tiff(data, photometric="rgb", **options))
    np.testing.assert_allclose(picture.pixels * 255, color, atol=1e-3)


def test_tiff_polarity_palette_and_alpha(ramp: np.ndarray, color: np.ndarray, tiff: Store) -> None:
    inverted = read_picture(tiff(ramp, photometric="miniswhite"))
    np.testing.assert_allclose(inverted.pixels[..., 0] * 255, 255 - ramp.astype(float), atol=1e-3)
    table = np.random.default_rng(0).integers(0, 256, (3, 256)).astype(np.uint16) * 257
    colored = read_picture(tiff(ramp, photometric="palette", colormap=table))
    assert colored.depth == 8
    np.testing.assert_allclose(colored.pixels * 65535, np.moveaxis(table[:, ramp], 0, -1), atol=0.1)
    half = np.full((6, 8, 1), 128, np.uint8)
    premultiplied = read_picture(
        tiff(np.concatenate([color // 2, half], axis=2), photometric="rgb", extrasamples=["assocalpha"])
    )
    assert np.abs(premultiplied.pixels * 255 - color).max() < 2


def test_tiff_pages(ramp: np.ndarray, tiff: Store) -> None:
    stack = np.stack([ramp, ramp // 2, ramp // 4])
    first = read_picture(tiff(stack, photometric="minisblack"))
    assert "3 pictures" in first.notes[0]
    third = read_picture(tiff(stack, photometric="minisblack"), page="3")
    assert third.notes == ()
    np.testing.assert_allclose(third.pixels[..., 0] * 255, ramp // 4, atol=1e-3)
    with pytest.raises(InputError, match="1, 2, 3, and none that is called 4"):
        read_picture(tiff(stack, photometric="minisblack"), page="4")


@pytest.mark.parametrize("kind", ["ome", "imagej"])
def test_channels_are_series_of_their_own(kind: str, tmp_path: Path) -> None:
    axes, shape = ("CZYX", (2, 3, 6, 8)) if kind == "ome" else ("ZCYX", (3, 2, 6, 8))
    path = tmp_path / "stack.tif"
    data = np.arange(np.prod(shape), dtype=np.uint16).reshape(shape)
    tifffile.imwrite(path, data, photometric="minisblack", metadata={"axes": axes}, **{kind: True})
    pages = list_pages(path)
    expected = ["channel 1"] * 3 + ["channel 2"] * 3 if kind == "ome" else ["channel 1", "channel 2"] * 3
    assert [page.series for page in pages] == expected
    with pytest.raises(MismatchError, match="holds 6 pictures of several series") as caught:
        describe_sources([path])
    assert caught.value.hint is not None
    assert ("channel 2 is @4, @5, @6" if kind == "ome" else "channel 2 is @2, @4, @6") in caught.value.hint
    assert len(describe_sources([f"{path}@4-6"])) == 3


def test_undefined_floats_are_transparent(tiff: Store) -> None:
    data = np.linspace(0, 1, 12, dtype=np.float32).reshape(3, 4)
    data[1, 1], data[2, 2] = np.nan, np.inf
    picture = read_picture(tiff(data, photometric="minisblack"))
    assert picture.alpha is not None and np.isfinite(picture.pixels).all() and picture.notes
    assert np.argwhere(picture.alpha == 0).tolist() == [[1, 1]]


@pytest.mark.parametrize("photometric", ["miniswhite", "minisblack"])
def test_one_bit(photometric: str, tiff: Store) -> None:
    bits = np.array([[1, 0, 0, 1, 0, 1, 0, 1, 1]], bool)
    picture = read_picture(tiff(bits, photometric=photometric))
    expected = bits if photometric == "minisblack" else ~bits
    np.testing.assert_array_equal(picture.pixels[..., 0], expected)


@pytest.mark.parametrize("value", ["-9999", "5"])
def test_what_the_file_calls_no_value_is_transparent(value: str, tiff: Store) -> None:
    data = np.array([[1, 2, 3], [4, 5, float(value)]], np.float32)
    picture = read_picture(tiff(data, photometric="minisblack", extratags=[(42113, "s", 0, value, True)]))
    assert picture.alpha is not None and "no value" in picture.notes[0]
    np.testing.assert_array_equal(picture.alpha == 0, data == float(value))
    assert (picture.pixels[..., 0][picture.alpha == 0] == 0).all()


def test_minus_9999_is_no_value_without_a_tag(tiff: Store, ramp: np.ndarray) -> None:
    data = np.array([[20.5, -9999.0], [21.0, 22.5]], np.float32)
    picture = read_picture(tiff(data, photometric="minisblack"))
    assert picture.alpha is not None and picture.alpha.tolist() == [[1, 0], [1, 1]]
    assert read_picture(tiff(ramp, photometric="minisblack")).alpha is None


@pytest.mark.parametrize("lowest", [np.finfo(np.float32).min, -3.4e38])
def test_the_lowest_float_is_no_value_without_a_tag(lowest: float, tiff: Store) -> None:
    data = np.array([[20.5, lowest], [21.0, 22.5]], np.float32)
    picture = read_picture(tiff(data, photometric="minisblack"))
    assert picture.alpha is not None and picture.alpha.tolist() == [[1, 0], [1, 1]]
    assert picture.pixels.min() == 0 and "-3.4e+38 means no value" in picture.notes[0]


@pytest.mark.parametrize(
    ("stated", "sample"),
    [("-3.40282e+38", np.finfo(np.float32).min), ("-1.79769e+308", np.finfo(np.float32).min), ("-9999.99", -9999.99)],
)
def test_no_value_is_found_though_the_tag_has_fewer_digits(stated: str, sample: float, tiff: Store) -> None:
    data = np.array([[20.5, sample], [21.0, 22.5]], np.float32)
    picture = read_picture(tiff(data, photometric="minisblack", extratags=[(42113, "s", 0, stated, True)]))
    assert picture.alpha is not None and picture.alpha.tolist() == [[1, 0], [1, 1]]


@pytest.mark.parametrize("tag", [None, "-9999", "none"])
def test_two_values_may_both_be_no_value(tag: str | None, tiff: Store) -> None:
    data = np.array([[20.5, -9999, np.finfo(np.float32).min, np.nan]], np.float32)
    tags = [] if tag is None else [(42113, "s", 0, tag, True)]
    picture = read_picture(tiff(data, photometric="minisblack", extratags=tags))
    assert picture.alpha is not None and picture.alpha.tolist() == [[1, 0, 0, 0]]


def test_infinity_is_said_to_be_a_value(tiff: Store) -> None:
    data = np.array([[20.5, np.inf], [-np.inf, 22.5]], np.float32)
    picture = read_picture(tiff(data, photometric="minisblack"))
    assert picture.alpha is None and picture.pixels[..., 0].tolist() == [[20.5, 22.5], [20.5, 22.5]]
    assert len(picture.notes) == 1 and "infinite values" in picture.notes[0]


def test_no_value_turns_with_the_picture(tiff: Store) -> None:
    data = np.array([[1, 2, -9999]], np.float32)
    picture = read_picture(tiff(data, photometric="minisblack", extratags=[(274, "H", 1, 6, True)]))
    assert picture.alpha is not None and picture.alpha.ravel().tolist() == [1, 1, 0] and picture.height == 3


@pytest.mark.parametrize(
    ("code", "kind", "value"),
    [(700, "H", 5), (700, "s", "abc"), (34675, "H", 7), (34675, "s", "abc"), (274, "s", "up"), (42113, "H", 3)],
)
def test_metadata_of_odd_types_is_no_reason_to_refuse_the_pixels(
    code: int, kind: str, value: Any, tiff: Store, ramp: np.ndarray
) -> None:
    tag = (code, kind, 0 if kind == "s" else 1, value, True)
    picture = read_picture(tiff(ramp, photometric="minisblack", extratags=[tag]))
    np.testing.assert_allclose(picture.pixels[..., 0] * 255, ramp, atol=1e-3)
    assert picture.metadata.icc is None and picture.metadata.xmp is None


def test_complex_samples_are_refused(tiff: Store, refused: Refused) -> None:
    refused(tiff(np.ones((4, 5), np.complex64), photometric="minisblack"), "no grey or colour picture")


def _patched(file: io.BytesIO, code: int, value: int) -> io.BytesIO:
    """The file with another value in the entry of a tag."""
    with tifffile.TiffFile(io.BytesIO(file.getvalue())) as tiff:
        place = tiff.pages.first.tags[code].offset
    content = bytearray(file.getvalue())
    content[place + 8 : place + 12] = struct.pack("<I", value)
    return io.BytesIO(bytes(content))


def test_unknown_meanings_of_samples_are_refused(tiff: Store, refused: Refused, color: np.ndarray) -> None:
    refused(_patched(tiff(color, photometric="rgb"), 262, 1289), "no grey or colour picture")


def test_missing_strips_are_damage(tiff: Store, refused: Refused, ramp: np.ndarray) -> None:
    refused(_patched(tiff(ramp, photometric="minisblack"), 278, 1), "strips or tiles are missing")


def _wrapping(content: bytes, compression: int, color: bool = True) -> io.BytesIO:
    """A TIFF of 8×8 pixels whose one strip is ``content``."""
    channels = 3 if color else 1
    entries = [
        (256, 4, 1, 8), (257, 4, 1, 8), (258, 3, 1, 8), (259, 3, 1, compression), (262, 3, 1, 2 if color else 1),
        (273, 4, 1, 8), (277, 3, 1, channels), (278, 4, 1, 8), (279, 4, 1, len(content)),
    ]  # fmt: skip
    start = 8 + len(content) + len(content) % 2
    folder = struct.pack("<H", len(entries)) + b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return io.BytesIO(b"II*\0" + struct.pack("<I", start) + content.ljust(start - 8, b"\0") + folder + bytes(4))


@pytest.mark.parametrize(("compression", "encode"), [(7, imagecodecs.jpeg8_encode), (34712, imagecodecs.jpeg2k_encode)])
def test_a_strip_holds_a_picture_of_its_own_size(compression: int, encode: Any, refused: Refused) -> None:
    options = {"codecformat": "j2k"} if compression == 34712 else {}
    fitting, large = (encode(np.full((side, side), 90, np.uint8), **options) for side in (8, 600))
    picture = read_picture(_wrapping(bytes(fitting), compression, color=False))
    np.testing.assert_allclose(picture.pixels * 255, 90, atol=3)
    refused(_wrapping(bytes(large), compression, color=False), "holds a picture of")


@pytest.mark.parametrize("compression", [34933, 50002, 50001, 34887])
def test_pictures_in_strips_of_other_kinds_are_refused(compression: int, refused: Refused) -> None:
    content = bytes(imagecodecs.png_encode(np.zeros((600, 600, 3), np.uint8)))
    error = refused(_wrapping(content, compression), "compressed as")
    assert error.hint is not None and "deflate" in error.hint


@pytest.mark.parametrize("exif", [b"junk", b"II*\0\xff\xff\xff\x7f", b"II*\0\x08\0\0\0" + b"\xff" * 40])
@pytest.mark.parametrize("format", ["tiff", "avif"])
def test_damaged_exif_is_left_out(exif: bytes, format: str, color: np.ndarray) -> None:
    picture = Picture((color / 255).astype(np.float32), metadata=Metadata(exif=exif))
    buffer = io.BytesIO()
    write_picture(picture, buffer, format=format)
    buffer.seek(0)
    assert read_picture(buffer).pixels.shape == color.shape


@pytest.mark.parametrize("compression", [None, "zlib"])
def test_no_memory_is_taken_for_a_strip_that_is_not_there(compression, tiff, refused) -> None:
    content = bytearray(tiff(np.zeros((16, 16), np.uint8), compression=compression).getvalue())
    place = content.find(b"\x17\x01", 8)  # StripByteCounts
    content[place + 8 : place + 12] = b"\xff\xff\xff\x7f"
    if compression is None:
        content[place + 2 : place + 8] = b"\x04\0\x01\0\0\0"
    refused(io.BytesIO(content), "damaged or truncated")
