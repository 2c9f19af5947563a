"""Resampling into a frame: a part of it is that part of the whole, and no channel leaves its range."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from tita_cli.align.geometry import transform
from tita_cli.align.resampling import Area, resample
from tita_cli.align.warp import cropped, warp
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


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_resampling_is_nearly_exact(channels: int) -> None:
    """Waves of four pixels and more, moved by a homography, against the same waves computed where they go."""
    rng = np.random.default_rng(5)
    size, waves = (300, 280), rng.uniform(-1.5, 1.5, (channels, 3, 2))
    there = np.stack(np.meshgrid(*(np.arange(side, dtype=np.float64) for side in size)), axis=-1)

    def scene(points: np.ndarray) -> np.ndarray:
        return np.stack([np.cos(points @ own.T).mean(axis=-1) for own in waves], axis=-1).astype(np.float32)

    truth = scene(transform(np.linalg.inv(_MATRIX), there.reshape(-1, 2)).reshape(there.shape))
    planes, inside = scene(there), slice(12, -12)
    span = planes.min(axis=(0, 1)), planes.max(axis=(0, 1))
    moved = resample(planes, _MATRIX, Area(0, 0, *size), None, span)
    assert moved.shape == planes.shape
    lanczos = cv2.warpPerspective(planes, _MATRIX, size, flags=cv2.INTER_LANCZOS4).reshape(planes.shape)
    error, usual = (np.sqrt(np.mean((one - truth)[inside, inside] ** 2)) for one in (moved, lanczos))
    assert error < 1.1 * usual


@pytest.mark.parametrize(
    "matrix",
    [
        np.diag([0.02, 0.02, 1.0]),  # reduced to a fiftieth
        np.diag([40.0, 40.0, 1.0]),  # a few pixels that fill the frame
        np.array([[1, 0, 5000.0], [0, 1, 0], [0, 0, 1]]),  # nothing of it in the frame
        np.array([[1, 0, 0], [0, 1, 0], [0.02, 0, 1.0]]),  # the horizon crosses the frame
    ],
)
@pytest.mark.parametrize("bent", [False, True])
def test_motions_beyond_use_give_a_picture_all_the_same(matrix: np.ndarray, bent: bool) -> None:
    picture = _picture()
    flow = np.ones((3, 4, 2), np.float32) if bent else None
    moved = warp(picture, matrix, (700, 300), flow=flow).pixels
    assert moved.shape == (300, 700, 3)
    assert np.isfinite(moved).all()
    assert moved.min() >= picture.pixels.min() and moved.max() <= picture.pixels.max()
