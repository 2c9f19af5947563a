"""Raw files of cameras: developed where rawpy is installed, named where it is not, never read as their preview."""

from __future__ import annotations

import io
from collections.abc import Callable
from types import ModuleType

import numpy as np
import pytest
import tifffile

from tita_cli.errors import InputError
from tita_cli.images import list_pages, read_picture
from tita_cli.images.formats import FORMATS
from tita_cli.images.formats.format import Library

Refused = Callable[..., InputError]
Dng = Callable[..., io.BytesIO]


@pytest.fixture
def dng(camera_files: ModuleType) -> Callable[..., io.BytesIO]:
    return lambda **how: io.BytesIO(camera_files.dng(**how))


def test_it_is_developed(dng: Dng) -> None:
    pytest.importorskip("rawpy")
    picture = read_picture(dng())
    assert (picture.format, picture.size, picture.depth, picture.notes) == ("raw", "80×60", 16, ())
    grey, red = picture.pixels[20:40, 10:30].mean(axis=(0, 1)), picture.pixels[20:40, 50:70].mean(axis=(0, 1))
    assert np.ptp(grey) < 0.02 and abs(grey.mean() - 0.537) < 0.02  # 0.25 of white under the curve of sRGB
    assert red[0] > red[1] + 0.3
    assert picture.metadata.exif is not None and b"Maker" in picture.metadata.exif
    assert [page.name for page in list_pages(dng())] == ["1"]


def test_exposures_keep_their_ratio_and_pictures_stand_upright(dng: Dng) -> None:
    pytest.importorskip("rawpy")
    bright, dark = (read_picture(dng(exposure=exposure)).pixels[20:40, 10:30].mean() for exposure in (1.0, 0.25))

    def light(value: float) -> float:
        return float(((value + 0.055) / 1.055) ** 2.4)

    assert light(float(bright)) / light(float(dark)) == pytest.approx(4, rel=0.05)
    turned = read_picture(dng(flip=6))
    assert turned.size == "60×80" and turned.pixels[60:, 20:40, 0].mean() > turned.pixels[:30, 20:40, 0].mean() + 0.1


def test_size_is_checked_before_it_is_developed(dng: Dng, refused: Refused) -> None:
    pytest.importorskip("rawpy")
    refused(dng(), "80×60 is .* are allowed", max_pixels=4000)


def test_a_damaged_one_is_told_in_one_line(dng: Dng, refused: Refused, capfd: pytest.CaptureFixture[str]) -> None:
    whole = dng().getvalue()
    refused(io.BytesIO(whole[: len(whole) // 2]), match="is damaged or truncated")
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("damage", ["zeroed", "absent", "beyond"])
def test_image_data_that_are_absent_are_told(damage: str, dng: Dng, refused: Refused) -> None:
    """LibRaw develops what its memory held before."""
    pytest.importorskip("rawpy")
    whole = dng(packed=True).getvalue()
    assert read_picture(io.BytesIO(whole)).size == "80×60"
    with tifffile.TiffFile(io.BytesIO(whole)) as file:
        raw = file.pages.first.pages[0]
        offsets = raw.dataoffsets
        tag = raw.tags["TileOffsets"]
    content = bytearray(whole)
    if damage == "zeroed":
        content[offsets[2] :] = bytes(len(content) - offsets[2])
    else:
        other = 2 if damage == "absent" else 2**24
        content[tag.valueoffset : tag.valueoffset + 4] = other.to_bytes(4, "little")
    refused(io.BytesIO(content), match=r"[12] of 4 strips or tiles of its picture are missing")


def test_a_picture_of_zeros_is_refused_and_a_part_of_zeros_is_told(dng: Dng, refused: Refused) -> None:
    pytest.importorskip("rawpy")
    content = bytearray(dng().getvalue())
    with tifffile.TiffFile(io.BytesIO(content)) as file:
        start, length = file.pages.first.pages[0].dataoffsets[0], 2 * 60 * 80
    content[start + length // 2 : start + length] = bytes(length // 2)
    (note,) = read_picture(io.BytesIO(content)).notes
    assert "% of its picture is zero, as where data are missing" in note and 40 <= int(note.split(": ")[1][:2]) <= 60
    content[start : start + length] = bytes(length)
    refused(io.BytesIO(content), match="holds no picture, its samples are zero")


@pytest.mark.parametrize("share", [0, 0.5, 0.99])
@pytest.mark.parametrize("way", [4, 5])
def test_an_rw2_file_that_ends_too_early_is_refused(
    share: float, way: int, camera_files: ModuleType, refused: Refused
) -> None:
    """LibRaw goes on with what it has read before, and finds no end."""
    pytest.importorskip("rawpy")
    assert read_picture(io.BytesIO(camera_files.rw2())).format == "raw"
    error = refused(io.BytesIO(camera_files.rw2(share, way=way)), match="is damaged or truncated")
    if way == 5 or not share:
        assert "bytes of its picture are missing" in error.message


def test_raw_files_whose_first_picture_is_a_thumbnail_are_raw(
    refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    """IIQ, and any whose samples stand below the first picture, which not all makers call a preview."""
    monkeypatch.setattr(Library, "available", property(lambda library: False))
    refused(io.BytesIO(b"II*\0\x08\x0a\0\0IIIICwaR" + bytes(100)), "is a camera's raw file")
    file = io.BytesIO()
    with tifffile.TiffWriter(file) as writer:
        writer.write(np.zeros((6, 8, 3), np.uint8), photometric="rgb", subifds=1, metadata=None)
        writer.write(np.ones((8, 8), np.uint16), photometric="cfa", metadata=None)
    file.seek(0)
    refused(file, "is a camera's raw file")


def test_without_the_library_it_is_named(dng: Dng, refused: Refused, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = FORMATS["raw"]
    monkeypatch.setattr(Library, "available", property(lambda library: False))
    for content in (dng().getvalue(), b"FUJIFILMCCD-RAW 0201" + bytes(100)):
        error = refused(io.BytesIO(content), "is a camera's raw file, whose library is not installed")
        assert entry.library is not None and error.hint == entry.library.hint


@pytest.mark.parametrize("maker", ["PENTAX", None])
def test_samples_of_a_camera_in_the_first_picture_are_a_raw_file(
    maker: str | None, refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in PEF; without a camera's name it may be any program's, which LibRaw does not know."""
    monkeypatch.setattr(Library, "available", property(lambda library: False))
    file = io.BytesIO()
    tags = [] if maker is None else [(271, "s", 0, maker, True)]
    tifffile.imwrite(file, np.ones((8, 8), np.uint16), photometric="cfa", extratags=tags)
    file.seek(0)
    refused(file, "is a camera's raw file" if maker else "of kind cfa")
