"""Focus pairs: brought to equal sharpness, and placed to within a fraction of a pixel."""

from __future__ import annotations

from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from tita_cli.align.geometry import corner_error, translating
from tita_cli.align.polish import equally_sharp, polish
from tita_cli.align.structure import View

Scenes = SimpleNamespace


def _focused(plane: np.ndarray, *, left: bool) -> np.ndarray:
    """Sharp in one half, out of focus in the other."""
    blurred, half = cv2.GaussianBlur(plane, (0, 0), 2.5), plane.shape[1] // 2
    sharp = np.arange(plane.shape[1]) < half
    return np.where(sharp if left else ~sharp, plane, blurred)


def _view(plane: np.ndarray) -> View:
    return View(plane, (plane.shape[1], plane.shape[0]))


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_places_are_blurred_until_they_look_alike(scenes: Scenes, seed: int) -> None:
    plane = scenes.scene(seed)
    one, two = _focused(plane, left=True), _focused(plane, left=False)
    alike = equally_sharp(one, two)
    before, after = (float(np.square(a - b).mean()) for a, b in ((one, two), alike))
    assert after < 0.2 * before
    assert np.abs(alike[0] - alike[1])[40:-40, 40:-40].max() < np.abs(one - two).max()
    same = equally_sharp(plane, plane)
    np.testing.assert_array_equal(same[0], same[1])
    np.testing.assert_allclose(same[0], cv2.GaussianBlur(plane, (0, 0), 0.7), atol=1e-6)  # nothing but the noise's blur


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_focus_pair_that_is_nearly_placed_is_placed_precisely(scenes: Scenes, seed: int) -> None:
    plane = scenes.scene(seed)
    one, two, truth = scenes.moved(plane, plane, scenes.motion(seed))
    reference, source = _view(_focused(one, left=True)), _view(_focused(two, left=False))
    start = translating(1.5, -1.0) @ truth
    found = polish(reference, source, start, "homography")
    assert corner_error(start, truth, source.full) > 1.5
    assert corner_error(found, truth, source.full) < 0.5


def test_what_is_large_featureless_or_seen_from_elsewhere_stays_as_it_came(scenes: Scenes) -> None:
    plane = scenes.scene(4)
    view, matrix = _view(plane), translating(1.0, 1.0)
    flat = _view(np.full(plane.shape, 0.5, np.float32))
    large = _view(np.tile(plane, (4, 4)))
    assert polish(flat, flat, matrix, "homography") is matrix
    assert polish(large, large, matrix, "homography") is matrix
    narrow = np.diag([0.5, 0.5, 1.0])
    assert polish(view, view, narrow, "homography") is narrow
    assert not np.array_equal(polish(view, view, matrix, "homography"), matrix)
