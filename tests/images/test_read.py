"""Reading what people have, and one line for what cannot be read."""

from __future__ import annotations

import io
import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tita_cli.errors import InputError
from tita_cli.images import Picture, read_picture, write_picture

RAMP = np.arange(6 * 8, dtype=np.uint8).reshape(6, 8) * 5
COLOR = np.stack([RAMP, RAMP[::-1], 255 - RAMP], axis=2)


def _stored(image: Image.Image, format: str, **options: object) -> io.BytesIO:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    buffer.seek(0)
    return buffer


def _tiff(data: np.ndarray, **options: object) -> io.BytesIO:
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, data, **options)
    buffer.seek(0)
    return buffer


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_orientation_is_applied_and_reset(format: str, orientation: int) -> None:
    from PIL import ImageOps

    image = Image.fromarray(np.kron(COLOR, np.ones((8, 8, 1), np.uint8)))
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = orientation, "Maker"
    options = {"quality": 95, "subsampling": 0} if format == "JPEG" else {"lossless": True} if format == "WEBP" else {}
    picture = read_picture(_stored(image, format, exif=exif, **options))
    image.getexif()[0x0112] = orientation
    expected = np.asarray(ImageOps.exif_transpose(image))
    assert picture.pixels.shape == expected.shape
    assert np.abs(picture.pixels * 255 - expected).max() < (16 if format == "JPEG" else 0.01)
    kept = Image.Exif()
    assert picture.metadata.exif is not None
    kept.load(picture.metadata.exif)
    assert kept.get(0x0112, 1) == 1 and kept[0x010F] == "Maker"


def test_palettes() -> None:
    color = Image.fromarray(COLOR).quantize(16)
    expected = np.asarray(color.convert("RGB"))
    for format in ("PNG", "GIF", "BMP"):
        np.testing.assert_allclose(read_picture(_stored(color, format)).pixels * 255, expected, atol=1e-3)
    grey = Image.fromarray(RAMP).quantize(16)
    assert not read_picture(_stored(grey, "PNG")).is_color
    clear = read_picture(_stored(color, "PNG", transparency=3))
    assert clear.alpha is not None
    np.testing.assert_array_equal(clear.alpha == 0, np.asarray(color) == 3)


def test_bilevel() -> None:
    picture = read_picture(_stored(Image.fromarray(RAMP > 100), "PNG"))
    np.testing.assert_array_equal(picture.pixels[..., 0], RAMP > 100)


def test_deep_png_with_a_transparent_colour() -> None:
    deep = RAMP.astype(np.uint16) * 257
    buffer = io.BytesIO()
    write_picture(Picture((deep / 65535).astype(np.float32)[..., None], depth=16), buffer)
    content = buffer.getvalue()
    chunk = b"tRNS" + struct.pack(">H", int(deep[2, 3]))
    chunk = struct.pack(">I", 2) + chunk + struct.pack(">I", zlib.crc32(chunk))
    picture = read_picture(io.BytesIO(content[:33] + chunk + content[33:]))
    assert picture.depth == 16 and picture.alpha is not None
    np.testing.assert_array_equal(picture.alpha == 0, deep == deep[2, 3])


@pytest.mark.parametrize("byteorder", ["<", ">"])
@pytest.mark.parametrize("kind", ["uint8", "uint16", "uint32", "int16", "float16", "float32", "float64"])
@pytest.mark.parametrize("color", [False, True])
def test_tiff_kinds(kind: str, byteorder: str, color: bool) -> None:
    share = (COLOR if color else RAMP) / 255
    dtype = np.dtype(kind)
    if dtype.kind == "f":
        data = share.astype(dtype)
    else:
        low, high = np.iinfo(dtype).min, np.iinfo(dtype).max
        data = np.rint(low + share * (float(high) - low)).astype(dtype)
    buffer = _tiff(data, byteorder=byteorder, photometric="rgb" if color else "minisblack")
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
def test_tiff_layouts(options: dict[str, object]) -> None:
    data = COLOR.transpose(2, 0, 1) if options.get("planarconfig") == "separate" else COLOR
    picture = read_picture(_tiff(data, photometric="rgb", **options))
    np.testing.assert_allclose(picture.pixels * 255, COLOR, atol=1e-3)


def test_tiff_polarity_palette_and_alpha() -> None:
    inverted = read_picture(_tiff(RAMP, photometric="miniswhite"))
    np.testing.assert_allclose(inverted.pixels[..., 0] * 255, 255 - RAMP.astype(float), atol=1e-3)
    table = np.random.default_rng(0).integers(0, 256, (3, 256)).astype(np.uint16) * 257
    colored = read_picture(_tiff(RAMP, photometric="palette", colormap=table))
    assert colored.depth == 8
    np.testing.assert_allclose(colored.pixels * 65535, np.moveaxis(table[:, RAMP], 0, -1), atol=0.1)
    half = np.full((6, 8, 1), 128, np.uint8)
    premultiplied = read_picture(
        _tiff(np.concatenate([COLOR // 2, half], axis=2), photometric="rgb", extrasamples=["assocalpha"])
    )
    assert np.abs(premultiplied.pixels * 255 - COLOR).max() < 2


def test_tiff_pages() -> None:
    stack = np.stack([RAMP, RAMP // 2, RAMP // 4])
    first = read_picture(_tiff(stack, photometric="minisblack"))
    assert "3 pages" in first.notes[0]
    third = read_picture(_tiff(stack, photometric="minisblack"), page=2)
    assert third.notes == ()
    np.testing.assert_allclose(third.pixels[..., 0] * 255, RAMP // 4, atol=1e-3)
    with pytest.raises(InputError, match="3 pages, not page 3"):
        read_picture(_tiff(stack, photometric="minisblack"), page=3)


def test_undefined_floats_are_transparent() -> None:
    data = np.linspace(0, 1, 12, dtype=np.float32).reshape(3, 4)
    data[1, 1], data[2, 2] = np.nan, np.inf
    picture = read_picture(_tiff(data, photometric="minisblack"))
    assert picture.alpha is not None and np.isfinite(picture.pixels).all() and picture.notes
    assert np.argwhere(picture.alpha == 0).tolist() == [[1, 1]]


@pytest.mark.parametrize(("header", "white"), [(b"P5", 255), (b"P5", 4095), (b"P6", 1000), (b"P6", 65535)])
def test_pnm_counts_from_its_own_white(header: bytes, white: int) -> None:
    channels = 3 if header == b"P6" else 1
    values = np.linspace(0, white, 4 * 5 * channels).astype(">u2" if white > 255 else "u1").reshape(4, 5, channels)
    picture = read_picture(io.BytesIO(header + b"\n5 4\n%d\n" % white + values.tobytes()))
    np.testing.assert_allclose(picture.pixels, values / white, atol=1e-6)
    assert picture.depth == (16 if white > 255 else 8)


def test_heic() -> None:
    heif = pytest.importorskip("pillow_heif")
    heif.register_heif_opener()
    large = np.kron(COLOR, np.ones((8, 8, 1), np.uint8))
    picture = read_picture(_stored(Image.fromarray(large), "HEIF", quality=95))
    assert picture.format == "heic" and picture.depth == 8
    assert np.abs(picture.pixels * 255 - large).mean() < 4


def test_light_above_white_survives() -> None:
    light = np.array([[[0.0, 0.5, 1.0], [4.0, 0.001, 20.0]]], np.float32)
    pytest.importorskip("OpenEXR")
    from tita_cli.images.transfer import decode_srgb, encode_srgb

    np.testing.assert_allclose(decode_srgb(encode_srgb(light)), light, rtol=1e-5, atol=1e-7)
    for format, tolerance in (("exr", 1e-5), ("hdr", 0.01)):
        buffer = io.BytesIO()
        write_picture(Picture(encode_srgb(light), depth=32), buffer, format=format)
        buffer.seek(0)
        back = decode_srgb(read_picture(buffer).pixels)
        np.testing.assert_allclose(
            back, light, rtol=tolerance, atol=light.max() * (tolerance if format == "hdr" else 1e-7)
        )


def test_pipe_and_content_over_extension(tmp_path: Path) -> None:
    lying = tmp_path / "été 写真.jpg"
    Image.fromarray(COLOR).save(lying, "PNG")
    assert read_picture(lying).format == "png"
    reading, writing = os.pipe()
    os.write(writing, lying.read_bytes())
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        np.testing.assert_allclose(read_picture(pipe).pixels * 255, COLOR, atol=1e-3)


def _fail(source: object, match: str, **options: int) -> InputError:
    with pytest.raises(InputError, match=match) as caught:
        read_picture(source, **options)  # type: ignore[arg-type]
    assert "\n" not in caught.value.message
    return caught.value


def test_what_is_no_file(tmp_path: Path) -> None:
    _fail(tmp_path / "none.png", "no such file")
    _fail(tmp_path, "is a folder")
    (tmp_path / "empty.png").touch()
    _fail(tmp_path / "empty.png", "is empty")
    (tmp_path / "text.png").write_text("not an image at all")
    _fail(tmp_path / "text.png", "is not an image")
    _fail("nul\0byte.png", "cannot be opened")
    if os.geteuid() != 0:
        (tmp_path / "empty.png").chmod(0)
        _fail(tmp_path / "empty.png", "no permission")


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "BMP", "TIFF", "PPM"])
def test_truncated(format: str) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (40, 40, 3)).astype(np.uint8)
    content = _stored(Image.fromarray(noise), format).getvalue()
    _fail(io.BytesIO(content[: len(content) // 2]), "damaged or truncated|is not an image")


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(["PNG", "JPEG", "TIFF", "WEBP"]), st.data())
def test_damage_is_an_input_error_or_a_picture(format: str, data: st.DataObject) -> None:
    content = bytearray(_stored(Image.fromarray(COLOR), format).getvalue())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    try:
        assert read_picture(io.BytesIO(bytes(content)), max_pixels=10**6).pixels.dtype == np.float32
    except InputError as error:
        assert "\n" not in error.message


def test_bombs_are_refused_by_their_header() -> None:
    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    def png(width: int, height: int) -> io.BytesIO:
        header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
        return io.BytesIO(b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", b"") + chunk(b"IEND", b""))

    bound = Image.MAX_IMAGE_PIXELS
    error = _fail(png(60_000, 60_000), "megapixels")
    assert error.hint is not None and "--max-pixels" in error.hint
    _fail(png(2_000_000, 1), "absurd")
    assert bound == Image.MAX_IMAGE_PIXELS
    _fail(_tiff(RAMP, photometric="minisblack"), "megapixels", max_pixels=40)
    _fail(io.BytesIO(b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y 90000 +X 90000\n"), "megapixels")
    _fail(io.BytesIO(b"PF\n90000 90000\n-1\n"), "megapixels")
