"""A synthetic infrared picture for a photograph: real pairs show roads nearly exclusively.

Infrared and visible pictures share outlines and little else. So every region of a segmentation gets a random
temperature, and a little of the photograph's light and detail is added, detail with either sign (compare domain
randomisation: Tobin et al., IROS 2017).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tita_cli.training.region_masks import random_matte, smooth_noise
from tita_cli.training.sample import ByteArray, FloatArray, log_uniform, to_float

COARSE = 8.0
"""Sigma in pixels that separates light from detail."""


def thermal_picture(still: ByteArray, regions: npt.NDArray[np.integer] | None, rng: np.random.Generator) -> FloatArray:
    """An infrared picture, H×W in 0..1. ``still``: H×W luminance; ``regions``: labels of the same size, or None."""
    import cv2

    seen = to_float(still)
    light = cv2.GaussianBlur(seen, (0, 0), COARSE)
    warmth = _temperatures(still.shape, regions, rng) + np.float32(0.5) * smooth_noise(still.shape, 2, rng)
    for part, least, most in (
        (light, -0.5, 0.12),
        (seen - light, -1.0, 1.0),
    ):  # with light kept as it is, this would be an exposure pair
        spread = np.float32(max(float(part.std()), 0.02))
        warmth += np.float32(rng.uniform(least, most) * rng.random()) * part / spread
    warmth = np.asarray(cv2.GaussianBlur(warmth, (0, 0), log_uniform(rng, 0.5, 1.6)), dtype=np.float32)
    warmth -= warmth.mean()
    warmth *= np.float32(log_uniform(rng, 0.02, 0.28)) / np.float32(max(float(warmth.std()), 1e-3))
    warmth += np.float32(rng.uniform(0.12, 0.6))
    return np.asarray(np.clip(warmth, 0, 1), np.float32)


def _temperatures(
    shape: tuple[int, int], regions: npt.NDArray[np.integer] | None, rng: np.random.Generator
) -> FloatArray:
    """A random temperature for every region of the segmentation, or for a few random mattes."""
    if regions is None:
        count = int(rng.integers(2, 6))
        parts = [random_matte(shape, None, rng) * np.float32(rng.standard_normal()) for _ in range(count)]
        return np.asarray(np.sum(parts, axis=0), np.float32)
    labels, index = np.unique(regions, return_inverse=True)
    return np.asarray(rng.standard_normal(len(labels), dtype=np.float32)[index].reshape(shape))


def miss_exposure(visible: FloatArray, rng: np.random.Generator) -> FloatArray:
    """The visible picture up to three stops too dark or one and a half too bright, as at night or in backlight."""
    return np.asarray(np.minimum(visible * np.float32(2.0 ** rng.uniform(-3.0, 1.5)), 1), np.float32)
