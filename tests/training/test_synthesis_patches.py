"""The reference of an exposure pair."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tita_cli.training.synthesis_patches import GAIN, RADIUS, exposure_reference


def _texture(seed: int, size: int = 96) -> np.ndarray:
    noise = np.random.default_rng(seed).random((size, size), dtype=np.float32)
    return np.asarray(0.5 + 2.4 * (cv2.GaussianBlur(noise, (0, 0), 2.0) - 0.5), dtype=np.float32).clip(0.1, 0.9)


@pytest.mark.parametrize("size", [1, 5, 16, 33, 128])
def test_shape_and_range(size: int) -> None:
    fused = exposure_reference(_texture(1, size), _texture(2, size))
    assert fused.shape == (size, size)
    assert fused.dtype == np.float32
    assert 0 <= fused.min() <= fused.max() <= 1


@given(a=st.floats(0, 1, width=32), b=st.floats(0, 1, width=32))
def test_flat_frames_give_a_flat_picture_between_them(a: float, b: float) -> None:
    fused = exposure_reference(np.full((40, 40), a, np.float32), np.full((40, 40), b, np.float32))
    assert min(a, b) - 1e-3 <= fused.min() <= fused.max() <= max(a, b) + 1e-3
    assert np.ptp(fused) < 1e-3


def test_the_order_of_the_frames_does_not_matter() -> None:
    bright, dark = np.clip(_texture(1) + 0.3, 0, 1), _texture(1) * 0.3
    np.testing.assert_allclose(exposure_reference(bright, dark), exposure_reference(dark, bright), atol=1e-5)


def test_two_like_frames_come_back_with_the_stated_gain() -> None:
    frame = 0.5 + 0.5 * (_texture(3) - 0.5)
    fused = exposure_reference(frame, frame)
    inner = (slice(2 * RADIUS, -2 * RADIUS),) * 2
    assert fused[inner].std() == pytest.approx(GAIN * frame[inner].std(), rel=0.05)
    assert fused.mean() == pytest.approx(frame.mean(), abs=0.01)


def test_detail_comes_from_the_frame_that_is_not_blown_out() -> None:
    scene = _texture(4)
    dark = 0.4 * scene
    blown = np.ones_like(scene)
    blown[:, :48] = scene[:, :48]
    fused = exposure_reference(blown, dark)
    right = (slice(None), slice(48 + 2 * RADIUS, None))
    assert np.corrcoef(fused[right].ravel(), dark[right].ravel())[0, 1] > 0.95
    assert np.diff(fused[right], axis=0).std() > 0.9 * np.diff(dark[right], axis=0).std()


def test_brightness_follows_the_frame_that_is_better_exposed_as_a_whole() -> None:
    scene = _texture(5)
    assert exposure_reference(scene, 0.05 * scene).mean() > 0.85 * scene.mean()
