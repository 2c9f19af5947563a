"""Stripes and grain of an infrared sensor: measured, reduced, and never anything else."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from tita_cli import Picture
from tita_cli.images.thermal_noise import calmed, grain_of, offsets, reduce_noise

HEIGHT, WIDTH = 192, 256


def _scene() -> np.ndarray:
    """A sky, a wall with an edge over the whole height, a warm disc, a wire from top to bottom, and waves below."""
    y, x = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)
    plane = 0.2 + 0.2 * y / HEIGHT + 0.25 * (x > 110) + 0.3 * ((x - 60) ** 2 + (y - 90) ** 2 < 30**2)
    plane += 0.25 * (x == 200) + 0.05 * np.sin(x / 6) * (y > 150)
    return np.asarray(plane, np.float32)


def _noisy(grain: float, columns: float, rows: float) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    stripes = rng.normal(0, columns, WIDTH)
    plane = _scene() + rng.normal(0, grain, (HEIGHT, WIDTH)) + stripes + rng.normal(0, rows, (HEIGHT, 1))
    return plane.astype(np.float32), stripes


def _rms(plane: np.ndarray) -> float:
    return float(np.sqrt((plane**2).mean()))


@pytest.mark.parametrize(("grain", "columns", "rows"), [(0.01, 0.01, 0.0), (0.01, 0.02, 0.01), (0.0, 0.01, 0.0)])
def test_stripes_are_found_and_subtracted(grain: float, columns: float, rows: float) -> None:
    plane, stripes = _noisy(grain, columns, rows)
    found = offsets(plane)
    kept = np.abs(np.arange(WIDTH) - 200) > 8  # the wire stays, and with it the stripe that it lies on
    assert np.corrcoef(found[kept], stripes[kept])[0, 1] > 0.8
    calm, noise = calmed(plane)
    assert noise.columns == pytest.approx(columns, rel=0.35)
    assert (noise.rows > 0.0) == (rows > 0.0)
    assert _rms(calm - _scene()) < 0.5 * _rms(plane - _scene())


def test_columns_that_alternate_are_stripes() -> None:
    plane = _scene() + np.where(np.arange(WIDTH) % 2, 0.01, -0.01).astype(np.float32)
    calm, _ = calmed(plane.astype(np.float32))
    assert _rms((calm - _scene())[:, 120:190]) < 0.004


def test_grain_goes_from_the_sky_and_edges_stay() -> None:
    plane, _ = _noisy(0.015, 0.0, 0.0)
    assert grain_of(plane) == pytest.approx(0.015, rel=0.15)
    calm, noise = calmed(plane)
    assert noise.columns == noise.rows == 0.0
    sky = np.s_[4:40, 130:190]
    assert _rms((calm - _scene())[sky]) < 0.35 * _rms((plane - _scene())[sky])
    step = calm[:, 111] - calm[:, 110]
    assert step.mean() == pytest.approx(0.25, rel=0.04)
    assert (calm[:, 200] - calm[:, [198, 202]].mean(axis=1)).mean() == pytest.approx(0.25, rel=0.1)


def test_grain_that_neighbours_share_is_found_too() -> None:
    """As cameras and JPEG leave it: blurred."""
    grain = cv2.GaussianBlur(np.random.default_rng(4).normal(0, 1, (HEIGHT, WIDTH)), (0, 0), 0.65)
    plane = (_scene() + 0.015 * grain / grain.std()).astype(np.float32)
    assert grain_of(plane) == pytest.approx(0.015, rel=0.25)
    calm, _ = calmed(plane)
    sky = np.s_[4:40, 130:190]
    assert _rms((calm - _scene())[sky]) < 0.65 * _rms((plane - _scene())[sky])


def test_a_texture_is_no_grain() -> None:
    """Waves and blotches all over the picture differ the more the further apart two pixels are."""
    y, x = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)
    waves = 0.5 + 0.1 * np.sin(x / 3) * np.sin(y / 4)
    blotches = cv2.GaussianBlur(np.random.default_rng(5).random((HEIGHT, WIDTH), np.float32), (0, 0), 4)
    for plane in (waves, 0.5 + 0.3 * (blotches - blotches.mean()) / blotches.std()):
        picture = Picture(np.clip(plane, 0, 1)[..., None].astype(np.float32), depth=16)
        assert reduce_noise(picture) is picture


def test_a_picture_without_noise_is_the_same() -> None:
    clean = Picture(_scene()[..., None], depth=16)
    assert reduce_noise(clean) is clean
    faint = Picture(
        (_scene() + np.random.default_rng(0).normal(0, 0.001, (HEIGHT, WIDTH)))[..., None].astype(np.float32)
    )
    assert reduce_noise(faint) is faint
    color = Picture(_noisy(0.02, 0.02, 0.0)[0][..., None] * np.array([1.0, 0.9, 0.7], np.float32))
    assert reduce_noise(color) is color
    small = Picture(np.random.default_rng(0).random((20, 20, 1), np.float32))
    assert reduce_noise(small) is small


def test_what_differs_between_the_halves_is_the_scene() -> None:
    rng = np.random.default_rng(5)
    plane = cv2.GaussianBlur(rng.random((HEIGHT, WIDTH)).astype(np.float32), (0, 0), 1.5)
    assert not offsets(plane).any()


def test_places_without_data_keep_their_values() -> None:
    plane, _ = _noisy(0.015, 0.015, 0.0)
    alpha = np.ones_like(plane)
    alpha[:, :40] = 0.0
    plane[:, :40] = 0.0
    calm = reduce_noise(Picture(np.clip(plane, 0, 1)[..., None], alpha, depth=16, name="ir.tif"))
    assert not calm.pixels[:, :40].any()
    assert "ir.tif: grain of" in calm.notes[-1] and "stripes of" in calm.notes[-1]
    assert _rms((calm.pixels[..., 0] - _scene())[:, 60:]) < 0.6 * _rms((plane - _scene())[:, 60:])
    nothing = Picture(plane[..., None], np.zeros_like(plane), depth=16)
    assert reduce_noise(nothing) is nothing


def test_only_much_grain_is_told() -> None:
    grainy = Picture(_noisy(0.015, 0.0, 0.0)[0][..., None], name="ir.png")
    much = reduce_noise(grainy, grain_too=False)
    assert "ir.png: grain of 1.4% of its range is kept" in much.notes[-1] and much.pixels is grainy.pixels
    noise = np.random.default_rng(0).random((80, 80, 1), np.float32)
    for plane in (_noisy(0.004, 0.0, 0.0)[0][..., None], noise, noise[:20, :20]):
        picture = Picture(plane)
        assert reduce_noise(picture, grain_too=False) is picture


def test_stripes_alone_are_reduced_also_of_a_grey_picture_in_three_channels() -> None:
    plane, _ = _noisy(0.012, 0.02, 0.0)
    codes = np.rint(plane.clip(0, 1) * 255).astype(np.float32) / 255
    grey = reduce_noise(Picture(codes[..., None], name="ir.png"), grain_too=False)
    three = reduce_noise(Picture(np.repeat(codes[..., None], 3, axis=2), name="ir.png"), grain_too=False)
    np.testing.assert_allclose(three.pixels, np.repeat(grey.pixels, 3, axis=2), atol=1e-6)
    kept, reduced = grey.notes
    assert "grain of" in kept and "is kept" in kept and "ir.png: stripes of" in reduced and "grain" not in reduced
    only_grain = _noisy(0.012, 0.0, 0.0)[0]
    assert _rms(grey.pixels[..., 0] - only_grain.clip(0, 1)) < 0.6 * _rms(plane - only_grain)


def test_stripes_are_those_of_the_places_that_are_not_black() -> None:
    """A cold sky, which the range cuts off, has none, and gets none."""
    plane, _ = _noisy(0.004, 0.02, 0.0)
    plane[:80] = 0.0
    calm, noise = calmed(plane)
    assert noise.columns == pytest.approx(0.02, rel=0.35) and not calm[:80].any()
    assert _rms((calm - _scene())[84:]) < 0.6 * _rms((plane - _scene())[84:])


@pytest.mark.parametrize("period", [4, 6.3, 8, 12])
@pytest.mark.parametrize("share", [1.0, 0.6])
def test_a_fence_is_no_stripes(period: float, share: float) -> None:
    """In all of the picture or its lower part, exactly upright, with a sensor's grain."""
    y, x = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)
    slats = cv2.GaussianBlur((x % period < period / 2).astype(np.float32), (0, 0), 0.6) * (y >= (1 - share) * HEIGHT)
    plane = 0.3 + 0.2 * slats + np.random.default_rng(1).normal(0, 0.004, slats.shape)
    assert not offsets(plane.astype(np.float32)).any()


def test_windows_are_no_stripes() -> None:
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    windows = cv2.GaussianBlur(((x % 10 < 4) & (y % 20 < 12)).astype(np.float32), (0, 0), 0.7)
    plane = (0.4 + 0.2 * windows + np.random.default_rng(1).normal(0, 0.004, windows.shape)).astype(np.float32)
    assert not offsets(plane).any() and not offsets(plane.T).any()
