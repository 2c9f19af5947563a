"""Resampling into a frame: a part of it is that part of the whole, and no channel leaves its range."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from tita_cli.align.warp import Area, cropped, warp
from tita_cli.images.picture import Picture

_MATRIX = np.array([[1.01, -0.03, 4.3], [0.02, 0.99, -2.6], [1e-5, -2e-5, 1.0]])


def _picture(alpha: bool = False) -> Picture:
    rng = np.random.default_rng(3)
    smooth = cv2.GaussianBlur(rng.random((90, 120, 3), dtype=np.float32), (0, 0), 2.0)
    pixels = np.where(smooth > 0.5, (0.9, 0.8, 0.7), (0.1, 0.2, 0.3)).astype(np.float32)
    return Picture(pixels, alpha=smooth[..., 0].copy() if alpha else None)


@pytest.mark.parametrize("bent", [False, True])
@pytest.mark.parametrize("alpha", [False, True])
def test_a_part_of_the_frame_is_that_part_of_the_whole(bent: bool, alpha: bool) -> None:
    size, area = (110, 80), Area(13, 7, 60, 51)
    flow = cv2.resize(np.random.default_rng(1).normal(0, 2, (4, 5, 2)).astype(np.float32), size) if bent else None
    whole = cropped(warp(_picture(alpha), _MATRIX, size, flow=flow), area)
    part = warp(_picture(alpha), _MATRIX, size, flow=flow, area=area)
    # OpenCV rounds places to 1/32 of a pixel: where two ways round apart, an edge differs by a 32nd of its height.
    np.testing.assert_allclose(part.pixels, whole.pixels, atol=0.06)
    assert np.abs(part.pixels - whole.pixels).mean() < 0.002
    if alpha:
        np.testing.assert_allclose(part.alpha, whole.alpha, atol=0.02)


def test_no_channel_leaves_the_range_that_it_had() -> None:
    picture = _picture()
    moved = warp(picture, _MATRIX, (120, 90)).pixels
    for channel in range(3):
        assert picture.pixels[..., channel].min() <= moved[..., channel].min()
        assert moved[..., channel].max() <= picture.pixels[..., channel].max()
