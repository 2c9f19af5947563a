"""Raw files of cameras: developed where rawpy is installed, named where it is not, never read as their preview."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tifffile

from tita_cli.errors import InputError
from tita_cli.images import list_pages, read_picture
from tita_cli.images.formats import FORMATS
from tita_cli.images.formats.format import Library

Refused = Callable[..., InputError]
WHITE = 4095


def _dng(exposure: float = 1.0, flip: int = 1) -> io.BytesIO:
    """A DNG of 60×80 pixels, left half grey and right half red, behind a preview of 6×8."""
    colors = np.full((60, 80, 3), 0.25)
    colors[:, 40:] = (0.5, 0.05, 0.05)
    mosaic = np.empty((60, 80))
    for (y, x), channel in zip(((0, 0), (0, 1), (1, 0), (1, 1)), (0, 1, 1, 2), strict=True):
        mosaic[y::2, x::2] = colors[y::2, x::2, channel]
    one = [value for row in np.eye(3, dtype=int) for entry in row for value in (int(entry), 1)]
    first: list[tuple[Any, ...]] = [
        (50706, "B", 4, (1, 4, 0, 0), True), (50707, "B", 4, (1, 1, 0, 0), True), (50708, "s", 0, "Maker One", True),
        (50721, "2i", 9, one, True), (50728, "2I", 3, [1, 1] * 3, True), (50778, "H", 1, 21, True),
        (271, "s", 0, "Maker", True), (272, "s", 0, "One", True), (274, "H", 1, flip, True),
    ]  # fmt: skip
    second: list[tuple[Any, ...]] = [
        (33421, "H", 2, (2, 2), True), (33422, "B", 4, (0, 1, 1, 2), True), (50717, "H", 1, WHITE, True),
        (50714, "H", 1, 0, True),
    ]  # fmt: skip
    buffer = io.BytesIO()
    with tifffile.TiffWriter(buffer) as file:
        preview = np.zeros((6, 8, 3), np.uint8)
        file.write(preview, photometric="rgb", subfiletype=1, subifds=1, extratags=first, metadata=None)
        samples = np.clip(mosaic * exposure * WHITE, 0, WHITE).astype(np.uint16)
        file.write(samples, photometric=32803, extratags=second, metadata=None)
    buffer.seek(0)
    return buffer


def test_it_is_developed() -> None:
    pytest.importorskip("rawpy")
    picture = read_picture(_dng())
    assert (picture.format, picture.size, picture.depth, picture.notes) == ("raw", "80×60", 16, ())
    grey, red = picture.pixels[20:40, 10:30].mean(axis=(0, 1)), picture.pixels[20:40, 50:70].mean(axis=(0, 1))
    assert np.ptp(grey) < 0.02 and abs(grey.mean() - 0.537) < 0.02  # 0.25 of white under the curve of sRGB
    assert red[0] > red[1] + 0.3
    assert picture.metadata.exif is not None and b"Maker" in picture.metadata.exif
    assert [page.name for page in list_pages(_dng())] == ["1"]


def test_exposures_keep_their_ratio_and_pictures_stand_upright() -> None:
    pytest.importorskip("rawpy")
    bright, dark = (read_picture(_dng(exposure)).pixels[20:40, 10:30].mean() for exposure in (1.0, 0.25))

    def light(value: float) -> float:
        return float(((value + 0.055) / 1.055) ** 2.4)

    assert light(float(bright)) / light(float(dark)) == pytest.approx(4, rel=0.05)
    turned = read_picture(_dng(flip=6))
    assert turned.size == "60×80" and turned.pixels[60:, 20:40, 0].mean() > turned.pixels[:30, 20:40, 0].mean() + 0.1


def test_size_is_checked_before_it_is_developed(refused: Refused) -> None:
    pytest.importorskip("rawpy")
    refused(_dng(), "80×60 is .* are allowed", max_pixels=4000)


def test_without_the_library_it_is_named(refused: Refused, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = FORMATS["raw"]
    monkeypatch.setattr(Library, "available", property(lambda library: False))
    for content in (_dng().getvalue(), b"FUJIFILMCCD-RAW 0201" + bytes(100)):
        error = refused(io.BytesIO(content), "is a camera's raw file, whose library is not installed")
        assert entry.library is not None and error.hint == entry.library.hint
