"""The reference of an infrared–visible pair."""

from __future__ import annotations

import numpy as np
import pytest

from tita_cli.training.synthesis_infrared import (
    FLOOR,
    LEAST_HOT,
    MOST_HOT,
    SHARE,
    Contrast,
    infrared_contrast,
    infrared_reference,
)


def _texture(seed: int, size: int = 96) -> np.ndarray:
    import cv2

    noise = np.random.default_rng(seed).random((size, size), dtype=np.float32)
    return np.asarray(0.5 + 0.3 * (cv2.GaussianBlur(noise, (0, 0), 2.0) - 0.5) * 8, dtype=np.float32).clip(0.1, 0.9)


def _fused(visible: np.ndarray, infrared: np.ndarray) -> np.ndarray:
    return infrared_reference(visible, infrared, infrared_contrast(visible, infrared)).image


@pytest.mark.parametrize("size", [16, 33, 128])
def test_shape_and_range(size: int) -> None:
    fused = _fused(_texture(1, size), _texture(2, size))
    assert fused.shape == (size, size)
    assert fused.dtype == np.float32
    assert 0 <= fused.min() <= fused.max() <= 1


def test_a_cold_flat_infrared_leaves_the_visible_picture() -> None:
    visible = _texture(3)
    fused = _fused(visible, np.full_like(visible, 0.5))
    assert np.corrcoef(fused.ravel(), visible.ravel())[0, 1] > 0.98
    assert abs(float(fused.mean() - visible.mean())) < 0.03


def test_something_hot_shows_though_the_visible_is_dark_there() -> None:
    visible = np.full((128, 128), 0.1, dtype=np.float32)
    infrared = np.full((128, 128), 0.3, dtype=np.float32)
    infrared[50:78, 56:72] = 0.9
    fused, hot = infrared_reference(visible, infrared, Contrast(0.1, MOST_HOT))
    assert fused[54:74, 60:68].mean() > 0.5
    assert fused[:30].mean() < 0.2
    assert hot.shape == fused.shape
    assert hot[54:74, 60:68].mean() > 0.3
    assert np.abs(hot[:30]).max() < 0.01


def test_what_is_a_little_warmer_shows_in_a_flat_picture_and_not_in_one_of_high_contrast() -> None:
    visible = np.full((128, 128), 0.1, dtype=np.float32)
    infrared = np.full((128, 128), 0.3, dtype=np.float32)
    infrared[50:78, 56:72] = 0.4
    inside = np.s_[56:72, 60:68]
    contrast = infrared_contrast(visible, infrared)
    assert contrast.threshold == LEAST_HOT
    weak = infrared_reference(visible, infrared, contrast._replace(share=0.1)).image[inside].mean()
    assert weak > infrared_reference(visible, infrared, Contrast(0.1, MOST_HOT)).image[inside].mean() + 0.1
    infrared[:, 100:] = 1
    assert infrared_contrast(visible, infrared).threshold == MOST_HOT


def test_no_dark_halo_lies_around_what_is_hot() -> None:
    visible = np.full((128, 128), 0.3, dtype=np.float32)
    infrared = np.full((128, 128), 0.3, dtype=np.float32)
    infrared[50:78, 56:72] = 0.95
    assert _fused(visible, infrared).min() >= 0.3 - FLOOR - 1e-6


def test_texture_of_either_source_is_kept() -> None:
    flat = np.full((96, 96), 0.4, dtype=np.float32)
    texture = _texture(4)
    for fused in (_fused(flat, texture), _fused(texture, flat)):
        fine, kept = (np.diff(image, axis=0).std() for image in (texture, fused))
        assert kept > 0.9 * fine


def test_the_share_of_the_infrared_grows_with_its_contrast_towards_a_limit() -> None:
    visible = _texture(5)
    shares = [infrared_contrast(visible, 0.5 + gain * (visible - 0.5)).share for gain in (0.0, 0.5, 1.0, 2.0)]
    assert shares == sorted(shares)
    assert shares[0] == pytest.approx(0, abs=1e-6)
    assert shares[1] == pytest.approx(SHARE * 0.5**4 / (1 + 0.5**4), rel=1e-3)
    assert 0.9 * SHARE < shares[3] < SHARE
    nothing = np.zeros_like(visible)
    assert infrared_contrast(nothing, nothing) == Contrast(0, LEAST_HOT)
