"""Two pictures of something on black ground: fluorescence, tomography, what radar sees.

Black says here that a source has nothing to show, and what is bright in one source is what it was taken for. The
infrared's rule, which keeps the tones of the photograph, would darken it.
"""

from __future__ import annotations

import numpy as np

from tita_cli.training.region_masks import random_matte
from tita_cli.training.sample import FloatArray
from tita_cli.training.synthesis_infrared import LEVELS, laplacian, stronger

WHOLE = 0.4
"""How often a source shows all of the thing."""


def on_black(first: FloatArray, second: FloatArray, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    """Two pictures, H×W in 0..1, of the same thing: outside of it both are black, and each shows only parts of it."""
    thing = random_matte(first.shape, None, rng)
    shown = []
    for image in (first, second):
        part = thing if rng.random() < WHOLE else thing * random_matte(first.shape, None, rng)
        low, high = np.quantile(image, (0.02, 0.98))
        bright = (image - low) / np.float32(max(high - low, 0.05)) * np.float32(rng.uniform(0.5, 1.0))
        shown.append(np.clip(bright * part, 0, 1).astype(np.float32))
    return shown[0], shown[1]


def ground_reference(first: FloatArray, second: FloatArray) -> FloatArray:
    """H×W in 0..1 of both → the brighter of both at low frequencies, with the detail that has more contrast."""
    import cv2

    levels = max(1, min(LEVELS, int(np.log2(min(first.shape))) - 2))
    (bands_1, base_1), (bands_2, base_2) = laplacian(first, levels), laplacian(second, levels)
    image: FloatArray = np.maximum(base_1, base_2)
    for level in reversed(range(levels)):
        detail = stronger(bands_1[level], bands_2[level])
        image = np.asarray(cv2.pyrUp(image, dstsize=detail.shape[::-1]) + detail, dtype=np.float32)
    image = np.maximum(image, np.minimum(first, second))
    return np.clip(np.where(np.maximum(first, second) > 0, image, 0), 0, 1)
