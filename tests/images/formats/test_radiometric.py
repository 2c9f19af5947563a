"""Radiometric JPEG of FLIR and DJI: counts, photograph, temperatures, and how the two lie."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import pytest

from tita_cli.errors import InputError, MismatchError
from tita_cli.fusion.source import describe_sources
from tita_cli.images import list_pages, read_picture
from tita_cli.images.formats import thermal_video

Build = Callable[..., bytes]
SIZE = (60, 80)


@pytest.fixture(scope="module")
def counts() -> np.ndarray:
    """A smooth scene around 15,000 counts, whose bytes in the wrong order are noise."""
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    return (15000 + 700 * np.sin(x / 9) + 400 * np.cos(y / 7)).astype(np.uint16)


@pytest.fixture(scope="module")
def photograph() -> np.ndarray:
    y, x = np.mgrid[:120, :160]
    return np.stack([x, y, 255 - x], 2).astype(np.uint8)


def _counts(content: bytes, page: str | None = None) -> np.ndarray:
    picture = read_picture(io.BytesIO(content), page=page)
    assert picture.depth == 16 and picture.levels == (0, 65535) and picture.thermal is not None
    return np.rint(picture.pixels[..., 0] * 65535).astype(np.uint16)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("storing", ["swapped", "png", "plain"])
def test_flir_counts_in_every_storage(
    storing: str, order: str, counts: np.ndarray, photograph: np.ndarray, flir_bytes: Build
) -> None:
    content = flir_bytes(counts, photograph, storing=storing, order=order)
    np.testing.assert_array_equal(_counts(content), counts)
    np.testing.assert_array_equal(_counts(content, "thermal"), counts)


def test_the_pictures_of_a_flir_file(counts: np.ndarray, photograph: np.ndarray, flir_bytes: Build) -> None:
    content = flir_bytes(counts, photograph)
    pages = list_pages(io.BytesIO(content))
    assert [(page.name, page.size, page.fused) for page in pages] == [
        ("visible", (160, 120), True), ("thermal", (80, 60), True), ("preview", (80, 60), False),
    ]  # fmt: skip
    assert read_picture(io.BytesIO(content)).notes == (
        "<stdin>: holds 2 pictures, only @thermal is read (FILE@visible names another)",
    )
    visible = read_picture(io.BytesIO(content), page="visible")
    assert visible.name == "<stdin>@visible" and visible.notes == () and visible.thermal is None
    assert np.abs(visible.pixels * 255 - photograph).mean() < 3
    assert visible.metadata.exif is not None and b"FLIR T1" in visible.metadata.exif
    assert read_picture(io.BytesIO(content), page="preview").is_color
    alone = list_pages(io.BytesIO(flir_bytes(counts, None)))
    assert [page.name for page in alone if page.fused] == ["thermal"]


def test_a_photograph_in_ycbcr(counts: np.ndarray, photograph: np.ndarray, flir_bytes: Build) -> None:
    """FLIR's cameras that store it as PNG store luminance and chroma."""
    content = flir_bytes(counts, photograph, photograph_as="png")
    visible = read_picture(io.BytesIO(content), page="visible")
    assert visible.size == "160×120" and np.abs(visible.pixels * 255 - photograph).mean() < 3


def test_flir_temperatures_and_geometry(counts: np.ndarray, photograph: np.ndarray, flir_bytes: Build) -> None:
    thermal = read_picture(io.BytesIO(flir_bytes(counts, photograph))).thermal
    assert thermal is not None and thermal.camera == "FLIR Systems AB FLIR T1"
    assert thermal.celsius is not None and thermal.celsius.shape == (65536,)
    # Planck's law with the constants in the record; emissivity 1, no air between.
    expected = 1428.0 / np.log(17000.0 / (0.045 * (counts.astype(float) - 300)) + 1) - 273.15
    np.testing.assert_allclose(thermal.celsius[counts], expected, atol=0.01)
    # The photograph is as wide as 2 × 80 counts, so that each is one pixel; the middles are 3 and −2 pixels apart.
    assert thermal.to_photograph is not None
    np.testing.assert_allclose(thermal.to_photograph @ [39.5, 29.5, 1], [79.5 + 3, 59.5 - 2, 1])
    np.testing.assert_allclose(np.diag(thermal.to_photograph), [1, 1, 1])
    plain = read_picture(io.BytesIO(flir_bytes(counts, photograph, place=None))).thermal
    assert plain is not None and plain.to_photograph is None


@pytest.mark.parametrize(("told", "zoom"), [(1.6, 1.6), (0, 1), (1000, 1), ("none", 1)])
def test_a_zoom_of_the_camera_is_not_one_of_its_counts(
    told: float | str, zoom: float, counts: np.ndarray, photograph: np.ndarray, flir_bytes: Build
) -> None:
    thermal = read_picture(io.BytesIO(flir_bytes(counts, photograph, zoom=told))).thermal
    assert thermal is not None and thermal.to_photograph is not None
    np.testing.assert_allclose(thermal.to_photograph @ [39.5, 29.5, 1], [79.5 + 3, 59.5 - 2, 1])
    np.testing.assert_allclose(np.diag(thermal.to_photograph), [zoom, zoom, 1])
    assert thermal.camera == "FLIR Systems AB FLIR T1"


@pytest.mark.parametrize("scale", [1, 2])
def test_dji_counts_in_place_of_the_preview(scale: int, counts: np.ndarray, dji_bytes: Build) -> None:
    content = dji_bytes(counts, scale=scale)
    np.testing.assert_array_equal(_counts(content), counts)
    picture = read_picture(io.BytesIO(content))
    assert picture.notes == () and picture.thermal is not None and picture.thermal.celsius is None
    preview = read_picture(io.BytesIO(content), page="preview")
    assert preview.is_color and preview.width == 80 * scale
    with pytest.raises(InputError, match="holds the pictures thermal, preview, and none that is called visible"):
        read_picture(io.BytesIO(content), page="visible")


def test_other_makers_have_no_counts_of_dji(counts: np.ndarray, dji_bytes: Build) -> None:
    assert read_picture(io.BytesIO(dji_bytes(counts, make="ACME"))).is_color
    assert read_picture(io.BytesIO(dji_bytes(counts[:, :79]))).width == 79
    half = dji_bytes(counts)
    start = half.index(b"\xff\xe3")
    length = int.from_bytes(half[start + 2 : start + 4], "big")
    cut = half[: start + 2] + (length - 7).to_bytes(2, "big") + half[start + 4 : start + 2 + length - 7]
    assert read_picture(io.BytesIO(cut + half[start + 2 + length :])).is_color


def test_damaged_records_give_the_preview_and_a_note(
    counts: np.ndarray, photograph: np.ndarray, flir_bytes: Build
) -> None:
    content = flir_bytes(counts, photograph)
    picture = read_picture(io.BytesIO(content.replace(b"FFF\0", b"GGG\0")))
    assert picture.is_color and "its thermal records: is damaged" in picture.notes[0]
    for place in range(content.index(b"FFF\0"), content.index(b"FFF\0") + 400, 3):
        bent = bytearray(content)
        bent[place] ^= 0xFF
        try:
            read_picture(io.BytesIO(bytes(bent)), max_pixels=10**6)
        except InputError as error:
            assert "\n" not in error.message


@pytest.mark.parametrize("storing", ["plain", "png", "jpeg-ls"])
def test_frames_of_a_thermal_video(storing: str, counts: np.ndarray, flir_frame: Build) -> None:
    frames = [counts, counts + 100, counts + 200]
    content = b"".join(flir_frame(frame.astype(np.uint16), storing=storing) for frame in frames)
    first = read_picture(io.BytesIO(content))
    assert first.format == "seq" and first.notes[0].startswith("<stdin>: holds 3 pictures, only @1 is read")
    np.testing.assert_array_equal(_counts(content, "3"), counts + 200)
    assert first.thermal is not None and first.thermal.celsius is not None and first.thermal.camera == "FLIR T1"
    with pytest.raises(MismatchError, match="holds 3 pictures of several series"):
        describe_sources([io.BytesIO(content)])
    with pytest.raises(InputError, match="damaged or truncated"):
        read_picture(io.BytesIO(content[:200]))


def test_frames_are_found_wherever_a_block_of_reading_ends(
    counts: np.ndarray, flir_frame: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame = flir_frame(counts[:20, :20])
    for size in range(len(frame) - 70, len(frame) + 70, 7):
        monkeypatch.setattr(thermal_video, "_CHUNK", size)
        assert len(list_pages(io.BytesIO(frame * 3))) == 3
