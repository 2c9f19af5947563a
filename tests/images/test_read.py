"""Reading what people have, and one line for what cannot be read."""

from __future__ import annotations

import io
import os
import socket
import struct
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tita_cli.errors import InputError
from tita_cli.images import list_pages, read_picture
from tita_cli.images.formats import READ, recognise

Store: TypeAlias = Callable[..., io.BytesIO]
Refused: TypeAlias = Callable[..., InputError]


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_orientation_is_applied_and_reset(format: str, orientation: int, color: np.ndarray, stored: Store) -> None:
    from PIL import ImageOps

    image = Image.fromarray(np.kron(color, np.ones((8, 8, 1), np.uint8)))
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = orientation, "Maker"
    options = {"quality": 95, "subsampling": 0} if format == "JPEG" else {"lossless": True} if format == "WEBP" else {}
    picture = read_picture(stored(image, format, exif=exif, **options))
    image.getexif()[0x0112] = orientation
    expected = np.asarray(ImageOps.exif_transpose(image))
    assert picture.pixels.shape == expected.shape
    assert np.abs(picture.pixels * 255 - expected).max() < (16 if format == "JPEG" else 0.01)
    kept = Image.Exif()
    assert picture.metadata.exif is not None
    kept.load(picture.metadata.exif)
    assert kept.get(0x0112, 1) == 1 and kept[0x010F] == "Maker"


def test_palettes(ramp: np.ndarray, color: np.ndarray, stored: Store) -> None:
    colored = Image.fromarray(color).quantize(16)
    expected = np.asarray(colored.convert("RGB"))
    for format in ("PNG", "GIF", "BMP"):
        np.testing.assert_allclose(read_picture(stored(colored, format)).pixels * 255, expected, atol=1e-3)
    grey = Image.fromarray(ramp).quantize(16)
    assert not read_picture(stored(grey, "PNG")).is_color
    clear = read_picture(stored(colored, "PNG", transparency=3))
    assert clear.alpha is not None
    np.testing.assert_array_equal(clear.alpha == 0, np.asarray(colored) == 3)


def test_bilevel(ramp: np.ndarray, stored: Store) -> None:
    picture = read_picture(stored(Image.fromarray(ramp > 100), "PNG"))
    np.testing.assert_array_equal(picture.pixels[..., 0], ramp > 100)


def test_pipe_and_content_over_extension(tmp_path: Path, color: np.ndarray) -> None:
    lying = tmp_path / "été 写真.jpg"
    Image.fromarray(color).save(lying, "PNG")
    assert read_picture(lying).format == "png"
    reading, writing = os.pipe()
    os.write(writing, lying.read_bytes())
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        np.testing.assert_allclose(read_picture(pipe).pixels * 255, color, atol=1e-3)


def test_what_is_no_file(tmp_path: Path, refused: Refused) -> None:
    refused(tmp_path / "none.png", "no such file")
    refused(tmp_path, "is a folder")
    (tmp_path / "empty.png").touch()
    refused(tmp_path / "empty.png", "is empty")
    (tmp_path / "text.png").write_text("not an image at all")
    refused(tmp_path / "text.png", "is not an image")
    refused("nul\0byte.png", "cannot be opened")
    if os.geteuid() != 0:
        (tmp_path / "empty.png").chmod(0)
        refused(tmp_path / "empty.png", "no permission")


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "BMP", "TIFF", "PPM"])
def test_truncated(format: str, stored: Store, refused: Refused) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (40, 40, 3)).astype(np.uint8)
    content = stored(Image.fromarray(noise), format).getvalue()
    refused(io.BytesIO(content[: len(content) // 2]), "damaged or truncated|is not an image")


@settings(max_examples=60, deadline=None)
@given(format=st.sampled_from(["PNG", "JPEG", "TIFF", "WEBP", "GIF", "BMP", "AVIF", "PPM"]), data=st.data())
def test_damage_is_an_input_error_or_a_picture(
    format: str, data: st.DataObject, color: np.ndarray, stored: Store
) -> None:
    content = bytearray(stored(Image.fromarray(color), format).getvalue())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    try:
        assert read_picture(io.BytesIO(bytes(content)), max_pixels=10**6).pixels.dtype == np.float32
    except InputError as error:
        assert "\n" not in error.message


@pytest.mark.parametrize("name", ["pipe.png", "socket.png", "/dev/zero", "/dev/null"])
def test_what_could_make_us_wait_is_refused_at_once(tmp_path: Path, refused: Refused, name: str) -> None:
    path = tmp_path / name
    if name == "pipe.png":
        os.mkfifo(path)
    elif name == "socket.png":
        listening = socket.socket(socket.AF_UNIX)
        listening.bind(str(path))
        listening.close()
    refused(path, "is a (named pipe|socket|device)|cannot be opened")


def test_a_pipe_that_a_shell_hands_over_is_read(color: np.ndarray, stored: Store) -> None:
    reading, writing = os.pipe()
    os.write(writing, stored(Image.fromarray(color), "PNG").getvalue())
    os.close(writing)
    try:
        np.testing.assert_allclose(read_picture(f"/dev/fd/{reading}").pixels * 255, color, atol=1e-3)
    finally:
        os.close(reading)


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (b"II*\0\x10\0\0\0CR\x02\0", "raw"), (b"FUJIFILMCCD-RAW 0201", "raw"), (b"IIRO\x08\0\0\0", "raw"),
        (b"\0\0\0\x18ftypcrx \0\0\0\x01crx isom", "raw"), (b"II*\0\x08\0\0\0", "tiff"),
        (b"\0\0\0\x1cftypmif1\0\0\0\0avifmif1miaf", "avif"), (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "heic"),
        (b"\0\0\0\x18ftypmp42\0\0\0\0isommp42", None), (b"\xff\x0a\xfa", "jxl"), (b"FFF\0CAMCTRL", "seq"),
        (b"P7\nWIDTH", None), (b"RIFF\0\0\0\0WAVE", None), (b"", None),
    ],
)  # fmt: skip
def test_formats_are_told_by_their_first_bytes(head: bytes, name: str | None) -> None:
    found = recognise(head)
    assert (found and found.name) == name


def test_what_is_only_recognised_is_named_with_a_way_out(refused: Refused) -> None:
    error = refused(io.BytesIO(b"\xff\x0a" + bytes(50)), "is JPEG XL, which tita does not read")
    assert error.hint is not None and "djxl" in error.hint
    error = refused(io.BytesIO(b"GARBAGE" * 9), "is not an image that tita reads")
    assert error.hint is not None and all(entry.title in error.hint for entry in READ)


@pytest.mark.parametrize("format", ["GIF", "WEBP", "PNG", "TIFF", "MPO"])
def test_pages(format: str, color: np.ndarray, stored: Store, refused: Refused) -> None:
    large = [np.kron(color // part, np.ones((4, 4, 1), np.uint8)) for part in (1, 4)]
    first, second = map(Image.fromarray, large)
    options = {"lossless": True} if format == "WEBP" else {}
    file = stored(first, format, save_all=True, append_images=[second], **options).getvalue()
    picture = read_picture(io.BytesIO(file))
    assert "holds 2 pictures, only @1 is read" in picture.notes[0]
    assert [(page.name, page.size, page.fused) for page in list_pages(io.BytesIO(file))] == [
        (name, None if format == "WEBP" else (32, 24), True) for name in "12"
    ]
    assert np.abs(picture.pixels * 255 - large[0]).mean() < 12  # GIF has 256 colours, MPO is JPEG
    other = read_picture(io.BytesIO(file), page="2")
    assert other.notes == () and np.abs(other.pixels * 255 - large[1]).mean() < 12
    refused(io.BytesIO(file), "holds the pictures 1, 2, and none that is called 3", page="3")


def test_a_name_with_an_at_names_a_picture(tmp_path: Path, color: np.ndarray, refused: Refused) -> None:
    stack = tmp_path / "stack.tif"
    pictures = [Image.fromarray(color // part) for part in (1, 2, 4)]
    pictures[0].save(stack, save_all=True, append_images=pictures[1:])
    third = read_picture(f"{stack}@3")
    assert third.name == f"{stack}@3" and third.notes == ()
    np.testing.assert_allclose(third.pixels * 255, color // 4, atol=1e-3)
    assert [page.name for page in list_pages(f"{stack}@2-3")] == ["2", "3"]
    refused(f"{stack}@4", "stack.tif: holds the pictures 1, 2, 3, and none that is called 4")
    refused(tmp_path / "none.tif@1", "none.tif: no such file")
    pictures[1].save(tmp_path / "own.tif@3", "TIFF")
    np.testing.assert_allclose(read_picture(tmp_path / "own.tif@3").pixels * 255, color // 2, atol=1e-3)


def test_thumbnails_and_gain_maps_are_not_fused(color: np.ndarray, stored: Store) -> None:
    first, small = Image.fromarray(color), Image.fromarray(color[::2, ::2].copy())
    pages = list_pages(stored(first, "MPO", save_all=True, append_images=[small]))
    assert [page.fused for page in pages] == [True, False]
    assert read_picture(stored(first, "MPO", save_all=True, append_images=[small])).notes == ()


def test_jpeg_states_one_size(color: np.ndarray, stored: Store, refused: Refused) -> None:
    content = stored(Image.fromarray(color), "JPEG").getvalue()
    place = content.index(b"\xff\xc0")
    frame = content[place : place + 19]
    other = frame[:5] + struct.pack(">HH", 900, 900) + frame[9:]
    refused(io.BytesIO(content[:place] + other + content[place:]), "damaged or truncated")


@pytest.mark.parametrize("flags", [0x00, 0x10, 0x02])
def test_a_webp_header_alone_takes_no_memory(flags: int, refused: Refused) -> None:
    canvas = bytes([flags, 0, 0, 0]) + (16383).to_bytes(3, "little") * 2
    content = b"WEBPVP8X" + struct.pack("<I", 10) + canvas
    refused(io.BytesIO(b"RIFF" + struct.pack("<I", len(content)) + content + bytes(4)), "damaged.*no frame")


@pytest.mark.parametrize(
    "content", [b"\xff\xd8", b"\xff\xd8\xff", b"\xff" * 40, b"\xff\xd8" + b"x" * 40, b"", b"\xff\xd8\xff\xe0"]
)
def test_jpeg_without_a_frame_has_no_size(content: bytes) -> None:
    from tita_cli.images.formats.jpeg_segments import frame_size

    assert frame_size(content) is None


@pytest.mark.parametrize("most", [1, 3, 1 << 40])
def test_no_memory_is_taken_for_what_is_not_there(most: int, tmp_path: Path) -> None:
    import tracemalloc

    from tita_cli.files import read_input

    path = tmp_path / "x"
    path.write_bytes(b"x")
    tracemalloc.start()
    assert read_input(path, max_bytes=most) == b"x"
    assert tracemalloc.get_traced_memory()[1] < 1 << 22
    tracemalloc.stop()
