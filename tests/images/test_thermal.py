"""Thermal counts, polarity, and palettes that stand for intensity."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tita_cli.errors import InputError, UsageError
from tita_cli.images import Metadata, Picture, read_picture
from tita_cli.images.false_color import recognise_palette, settle_palette
from tita_cli.images.palettes import palettes
from tita_cli.images.value_range import (
    ValueRange,
    apply_range,
    find_range,
    invert,
    settle_ranges,
    undo_range,
)
from tita_cli.options import parse_range


def _counts(low: int, high: int) -> Picture:
    scene = np.linspace(low, high, 64 * 64).astype(np.uint16).reshape(64, 64)
    scene[0, :2] = 0, 65535  # dead pixels
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, scene, photometric="minisblack")
    buffer.seek(0)
    return read_picture(buffer)


def test_counts_fill_the_range() -> None:
    picture = _counts(7000, 9000)
    found = find_range(picture)
    assert found is not None
    assert found.low * 65535 == pytest.approx(7000, abs=20) and found.high * 65535 == pytest.approx(9000, abs=20)
    mapped = apply_range(picture, found)
    assert mapped.pixels.min() == 0 and mapped.pixels.max() == 1
    assert float(np.median(mapped.pixels)) == pytest.approx(0.5, abs=0.02)
    assert "`value_range` full" in mapped.notes[-1]


def test_a_given_range_is_in_the_files_units() -> None:
    mapped = apply_range(_counts(7000, 9000), find_range(_counts(7000, 9000), (7000, 8000)))
    assert mapped.pixels[32, 0, 0] == pytest.approx(1.0, abs=0.01)
    assert mapped.pixels[16, 0, 0] == pytest.approx(0.5, abs=0.01)


def test_degrees() -> None:
    degrees = np.linspace(-10, 40, 400, dtype=np.float32).reshape(20, 20, 1)
    found = find_range(Picture(degrees, depth=32))
    assert found is not None and found.low == pytest.approx(-10, abs=0.1) and found.high == pytest.approx(40, abs=0.1)


@pytest.mark.parametrize(
    "picture",
    [
        Picture(np.full((4, 4, 1), 0.1, np.float32)),
        Picture(np.linspace(0.4, 0.5, 16, dtype=np.float32).reshape(4, 4, 1)),
        Picture(np.linspace(0, 0.9, 48, dtype=np.float32).reshape(4, 4, 3), depth=16),
        Picture(np.linspace(0, 0.9, 16, dtype=np.float32).reshape(4, 4, 1), depth=16),
        Picture(np.linspace(0.2, 0.4, 16, dtype=np.float32).reshape(4, 4, 1), depth=32),
        Picture(np.full((4, 4, 1), 0.1, np.float32), depth=16),
    ],
    ids=["flat", "8 bits", "16-bit colour", "16-bit photograph", "float within 0..1", "flat 16 bits"],
)
def test_photographs_are_left_alone(picture: Picture) -> None:
    (found,), shared = settle_ranges([find_range(picture)])
    assert found is None and shared is None
    assert apply_range(picture, find_range(picture)) is picture


def test_full_leaves_counts_alone() -> None:
    assert find_range(_counts(7000, 9000), "full") is None


def test_transparent_pixels_do_not_count() -> None:
    pixels = np.linspace(0.1, 0.2, 64, dtype=np.float32).reshape(8, 8, 1)
    pixels[4:] = 0.9
    alpha = np.ones((8, 8), np.float32)
    alpha[4:] = 0
    found = find_range(Picture(pixels, alpha, depth=16))
    assert found is not None and found.high < 0.2


@given(st.floats(-5, 5), st.floats(0.01, 5))
def test_undo_inverts_apply(low: float, span: float) -> None:
    value_range = ValueRange(low, low + span)
    pixels = np.linspace(low, low + span, 20, dtype=np.float32).reshape(4, 5, 1)
    back = undo_range(apply_range(Picture(pixels, depth=32), value_range), value_range)
    np.testing.assert_allclose(back.pixels, pixels, atol=1e-5)


def test_sharing() -> None:
    counts, others, far = ValueRange(0.1, 0.2), ValueRange(0.12, 0.22), ValueRange(0.3, 0.4)
    assert settle_ranges([counts, others]) == ([counts, others], ValueRange(0.1, 0.22))
    assert settle_ranges([counts, far]) == ([counts, far], None)
    assert settle_ranges([counts, None]) == ([counts, None], None)
    assert settle_ranges([]) == ([], None)


def _color(top: int, *, dtype: str = "uint16") -> Picture:
    """Colours up to ``top`` counts, in a TIFF of ``dtype``."""
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, np.linspace(0, top, 6 * 8 * 3).astype(dtype).reshape(6, 8, 3), photometric="rgb")
    buffer.seek(0)
    return read_picture(buffer)


@pytest.mark.parametrize(("top", "white"), [(4080, 4095), (900, 1023), (16383, 16383), (16384, 65535), (65535, 65535)])
def test_colour_has_the_range_of_its_sensor(top: int, white: int) -> None:
    found = find_range(_color(top))
    assert found is not None and found.of_sensor and found.low == 0
    assert found.high * 65535 == pytest.approx(white)


def test_a_dark_exposure_is_not_taken_for_a_sensor_of_fewer_bits() -> None:
    dark, bright, middle = (find_range(_color(top)) for top in (1000, 65535, 4000))
    assert settle_ranges([dark, bright]) == ([None, None], None)
    assert settle_ranges([dark, middle]) == ([middle, middle], middle)


def test_a_sensors_range_and_counts_are_not_one_range() -> None:
    sensor, counts = find_range(_color(4000)), ValueRange(0.0, 0.06)
    assert settle_ranges([sensor, counts]) == ([sensor, counts], None)
    assert settle_ranges([sensor, None]) == ([sensor, None], None)


def test_counts_in_32_bits_fill_the_range() -> None:
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, np.linspace(36_000, 140_000, 4096).astype(np.uint32).reshape(64, 64))
    buffer.seek(0)
    picture = read_picture(buffer)
    mapped = apply_range(picture, find_range(picture))
    assert mapped.pixels.min() == 0 and mapped.pixels.max() == 1
    assert float(np.median(mapped.pixels)) == pytest.approx(0.5, abs=0.01)
    assert undo_range(mapped, find_range(picture)) is mapped  # 16 bits would make them black


def test_signed_counts_in_32_bits_keep_their_levels() -> None:
    """As shares of a range that begins at the lowest number, floats would tell 256 of them from the next only."""
    scene = np.linspace(-200, 1000, 4096).round().astype(np.int32).reshape(64, 64)
    scene[0, 0] = -9999
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, scene)
    buffer.seek(0)
    picture = read_picture(buffer)
    assert picture.alpha is not None and picture.alpha.sum() == 4095
    mapped = apply_range(picture, find_range(picture))
    assert len(np.unique(mapped.pixels)) > 1150
    assert "values -19" in mapped.notes[-1] and float(np.median(mapped.pixels)) == pytest.approx(0.5, abs=0.01)


def test_parse_range() -> None:
    assert parse_range("auto") == "auto" and parse_range("full") == "full" and parse_range("-10,40.5") == (-10.0, 40.5)
    for wrong in ("", "some", "1", "2,1", "1,1", "1,2,3", "nan,1", "0,inf"):
        with pytest.raises(UsageError):
            parse_range(wrong)


def test_invert() -> None:
    picture = Picture(np.array([[[0.0], [0.25], [1.0]]], np.float32))
    assert invert(picture).pixels.ravel().tolist() == [1.0, 0.75, 0.0]


def _scene() -> np.ndarray:
    y, x = np.mgrid[0:96, 0:128]
    return np.rint(127 + 80 * np.sin(x / 17) + 47 * np.cos(y / 11)).clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize("name", sorted(palettes()))
@pytest.mark.parametrize("quality", [None, 90])
def test_palettes_are_recognised_and_undone(name: str, quality: int | None) -> None:
    scene, buffer = _scene(), io.BytesIO()
    image = Image.fromarray(np.rint(palettes()[name][scene]).astype(np.uint8))
    image.save(
        buffer, *(("PNG",) if quality is None else ("JPEG",)), **({} if quality is None else {"quality": quality})
    )
    buffer.seek(0)
    picture = read_picture(buffer)
    assert recognise_palette(picture, infrared=True) == (name, True)
    assert recognise_palette(picture) == (name, name != "hot")
    with pytest.raises(InputError, match=name) as caught:
        settle_palette(picture, "refuse", infrared=True)
    assert caught.value.hint is not None and "`false_color` intensity" in caught.value.hint
    intensity = settle_palette(picture, infrared=True)
    assert not intensity.is_color
    # Some palettes repeat a colour, where the way back is not unique.
    assert np.abs(intensity.pixels[..., 0] * 255 - scene).mean() < (1 if quality is None else 6)


def _photograph() -> Picture:
    rng = np.random.default_rng(0)
    small = Image.fromarray((rng.random((8, 8, 3)) * 255).astype(np.uint8)).resize((96, 96), Image.Resampling.BICUBIC)
    return Picture((np.asarray(small) / 255).astype(np.float32))


def test_photographs_and_greys_are_no_palettes() -> None:
    grey = (np.repeat(_scene()[..., None], 3, axis=2) / 255).astype(np.float32)
    sepia = grey * np.array([1.0, 0.85, 0.65], np.float32)
    for picture in (_photograph(), Picture(grey), Picture(grey[..., :1]), Picture(sepia)):
        assert recognise_palette(picture) is None
        assert settle_palette(picture, "refuse") is picture
        assert settle_palette(picture, "intensity") is picture


def test_a_palette_with_a_grey_part_is_known_by_its_colourful_one() -> None:
    """Of ironblack, only what is hot has colours: here an eighth of the picture."""
    y, x = np.mgrid[0:240, 0:320]
    scene = 60 + 40 * np.sin(x / 23) + 190 * np.exp(-((x - 200) ** 2 + (y - 90) ** 2) / 3000)
    picture = _lit(palettes()["ironblack"][scene.clip(0, 255).astype(np.uint8)] / 255)
    assert recognise_palette(picture) == ("ironblack", True)


def test_a_few_hot_places_are_enough() -> None:
    """A hundredth of the picture has colours, from warm to hot, all else is grey and less smooth."""
    _, x = np.mgrid[0:240, 0:320]
    scene = 60 + 40 * np.sin(x / 23) + np.random.default_rng(0).integers(-12, 13, x.shape)
    scene[90:150, 200:216] = np.linspace(140, 250, 60)[:, None]
    picture = _lit(palettes()["ironblack"][scene.clip(0, 255).astype(np.uint8)] / 255)
    assert recognise_palette(picture) == ("ironblack", True)


@pytest.mark.parametrize("grain", [10, 25])
def test_ironblack_is_known_though_noise_is_finer_than_chroma(grain: int) -> None:
    """As equalisation leaves it: pixels from both sides of black share one chroma of the JPEG file."""
    y, x = np.mgrid[0:240, 0:320]
    scene = 128 + 75 * np.sin(x / 31) + 60 * np.cos(y / 23) + np.random.default_rng(2).normal(0, grain, x.shape)
    picture = _lit(palettes()["ironblack"][scene.clip(0, 255).astype(np.uint8)] / 255)
    assert recognise_palette(picture) == ("ironblack", True)


def test_iron_with_a_grey_frame_is_not_ironblack() -> None:
    """Both have the same colours; a camera draws its scale and its bar in grey."""
    colors = palettes()["iron"][_scene()] / 255
    colors[:3] = colors[:, :2] = 0.5
    assert recognise_palette(_lit(colors)) == ("iron", True)


def test_a_coloured_thing_in_a_grey_scene_is_no_palette() -> None:
    y, x = np.mgrid[0:240, 0:320]
    grey = np.repeat(((60 + 40 * np.sin(x / 23) + y / 4) / 255)[..., None], 3, axis=2)
    part = np.exp(-((x - 200) ** 2 + (y - 90) ** 2) / 400)[..., None]
    for colour in ((0.9, 0.1, 0.1), (0.95, 0.75, 0.1), (0.1, 0.2, 0.8), (0.4, 0.1, 0.55)):
        assert recognise_palette(_lit(grey + part * (np.array(colour) - grey))) is None


@pytest.mark.parametrize("name", ["jet", "ironbow", "viridis", "rainbow", "magma"])
def test_a_part_of_a_palette_is_turned_back_where_that_is_told(name: str) -> None:
    """A narrow scene has too few of its colours to recognise it by."""
    steps = 100 + _scene() // 6
    part = _lit(palettes()[name][steps] / 255)
    assert recognise_palette(part, infrared=True) is None
    assert settle_palette(part, "intensity") is part
    told = settle_palette(part, "intensity", colored=True)
    assert told.palette == name and "turned back" in told.notes[-1]
    assert np.corrcoef(told.pixels[..., 0].ravel(), steps.ravel())[0, 1] > 0.98


def test_colours_of_no_palette_give_their_luminance_where_intensity_is_told() -> None:
    grey = (_scene() / 255).astype(np.float32)
    tinted = Picture(grey[..., None] * np.array([0.2, 1.0, 0.5], np.float32), metadata=Metadata(icc=b"of colours"))
    told = settle_palette(tinted, "intensity", colored=True)
    assert told.palette == "unknown" and told.metadata.icc is None and "luminance is taken" in told.notes[-1]
    np.testing.assert_allclose(told.pixels[..., 0], grey * (0.299 * 0.2 + 0.587 + 0.114 * 0.5), atol=1e-6)
    for picture in (Picture(grey[..., None]), Picture(np.repeat(grey[..., None], 3, axis=2))):
        assert settle_palette(picture, "intensity", colored=True) is picture
    assert settle_palette(tinted, "keep", colored=True) is tinted


def _lit(pixels: np.ndarray) -> Picture:
    """H×W×3 in 0..1 as a JPEG file gives it."""
    buffer = io.BytesIO()
    Image.fromarray(np.rint(pixels.clip(0, 1) * 255).astype(np.uint8)).save(buffer, "JPEG", quality=90)
    buffer.seek(0)
    return read_picture(buffer)


def test_light_of_one_colour_is_no_palette() -> None:
    """Red light goes along the first third of hot, in all brightnesses; ultraviolet along that of inferno."""
    grey = np.asarray(Image.fromarray(_photograph_codes()).convert("L"), np.float32)[..., None] / 255
    for hue in ((1.0, 0.12, 0.08), (0.5, 0.15, 1.1), (1.3, 0.6, 0.15), (0.25, 0.7, 1.0)):
        found = recognise_palette(_lit(grey * np.array(hue, np.float32)))
        assert found is None or not found.certain


def test_hot_takes_more_than_colours() -> None:
    """A brown scene whose saturation was raised until channels are clipped has those of hot."""
    brown = np.linspace(0, 1.6, 160)[None, :, None].repeat(96, axis=0) * np.array([1.6, 1.0, 0.6])
    brown = brown.clip(0, 1)
    grey = (brown @ np.array([0.299, 0.587, 0.114]))[..., None]
    photograph = _lit(grey + 3 * (brown - grey))
    assert recognise_palette(photograph, infrared=True) == ("hot", True)
    assert recognise_palette(photograph) == ("hot", False)
    assert settle_palette(photograph, "refuse").is_color
    infrared = _lit(palettes()["hot"][_scene()] / 255)
    assert recognise_palette(infrared) == ("hot", False)
    assert not settle_palette(infrared, infrared=True).is_color
    xmp = b'<Description drone-dji:ImageSource="InfraredCamera"/>'
    assert recognise_palette(replace(infrared, metadata=Metadata(xmp=xmp))) == ("hot", True)


def test_a_dusk_sky_is_no_palette() -> None:
    """Its colours may be those of inferno, but what stands before it has others."""
    sky = np.repeat(palettes()["inferno"][np.linspace(25, 235, 72).astype(int), None] / 255, 256, axis=1)
    few = (np.random.default_rng(1).random((24, 64, 3)) * 120).astype(np.uint8)
    town = np.asarray(Image.fromarray(few).resize((256, 96), Image.Resampling.BICUBIC)) / 255
    found = recognise_palette(_lit(np.concatenate([sky, town])))
    assert found is None or not found.certain


def _photograph_codes() -> np.ndarray:
    return np.rint(_photograph().pixels * 255).astype(np.uint8)


def test_a_photograph_near_a_part_of_a_palette_is_none() -> None:
    """Dim purple light keeps near the dark end of magma."""
    part = palettes()["magma"][20 + _scene() // 8].astype(np.float32) / 255
    dim = Picture(part)
    assert recognise_palette(dim) is None
    assert settle_palette(dim, "refuse") is dim
    some = Picture(palettes()["magma"][60 + (_scene() * (74 / 255)).astype(np.uint8)].astype(np.float32) / 255)
    assert recognise_palette(some) == ("magma", False)
    assert "may be infrared" in settle_palette(some, "refuse").notes[-1]


def test_a_result_has_no_value_above_its_sensors_white() -> None:
    brighter = Picture(np.full((2, 2, 3), 1.01, np.float32), depth=16, levels=(0, 65535))
    assert undo_range(brighter, ValueRange(0.0, 4095 / 65535, of_sensor=True)).pixels.max() * 65535 <= 4095.001
