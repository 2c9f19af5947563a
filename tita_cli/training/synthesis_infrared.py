"""What an infrared–visible pair should fuse to: no truth exists, so a reference is put together by rule.

Detail of either source by the stronger contrast at every scale (Laplacian pyramid: Burt & Kolczynski, ICCV 1993);
brightness as the eye saw it, except where something glows in the infrared against its surroundings. A maximum of both,
the paper's target, washes out whatever is brighter in the wrong source: a grey sky, a warm wall.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np

from tita_cli.training.sample import FloatArray

LEVELS = 4
GAIN = (1.2, 1.15, 1.05)
"""The finest bands are lifted a little: choosing between two sources loses contrast where both had some."""
SHARE = 0.1
"""How much the infrared has in the brightness everywhere: it lifts what the visible picture leaves black."""
SURROUNDINGS = 60.0
"""Sigma in pixels of what counts as the surroundings of a hot spot."""
HOT, SOFTNESS = 0.15, 0.02
"""How far above its surroundings something must be to glow, and how gradual that is."""
MARGIN = 48
"""Pixels around a crop that show enough of its surroundings."""

_Bands: TypeAlias = list[FloatArray]


def infrared_reference(visible: FloatArray, infrared: FloatArray) -> FloatArray:
    """H×W float32 in 0..1 of both sources → the reference, same shape and range."""
    import cv2

    levels = max(1, min(LEVELS, int(np.log2(min(visible.shape))) - 2))
    bands_v, base_v = _laplacian(visible, levels)
    bands_i, base_i = _laplacian(infrared, levels)
    around = cv2.GaussianBlur(base_i, (0, 0), SURROUNDINGS / 2**levels, borderType=cv2.BORDER_REFLECT_101)
    hot = 1 / (1 + np.exp(-(base_i - around - HOT) / SOFTNESS))
    base = base_v + SHARE * (base_i - base_v)
    image = np.asarray(base + hot * np.maximum(base_i - base, 0), dtype=np.float32)
    for level in reversed(range(levels)):
        detail = _stronger(bands_v[level], bands_i[level]) * (GAIN[level] if level < len(GAIN) else 1.0)
        image = np.asarray(cv2.pyrUp(image, dstsize=detail.shape[::-1]) + detail, dtype=np.float32)
    return np.clip(image, 0, 1)


def _laplacian(image: FloatArray, levels: int) -> tuple[_Bands, FloatArray]:
    """Detail bands from fine to coarse, and what is left."""
    import cv2

    bands = []
    for _ in range(levels):
        smaller = cv2.pyrDown(image)
        bands.append(np.asarray(image - cv2.pyrUp(smaller, dstsize=image.shape[::-1]), dtype=np.float32))
        image = np.asarray(smaller, dtype=np.float32)
    return bands, image


def _stronger(first: FloatArray, second: FloatArray) -> FloatArray:
    """Of two bands, pixel by pixel, the one with more contrast around it; single dissenters are voted down."""
    import cv2

    choice = (cv2.blur(np.abs(first), (3, 3)) >= cv2.blur(np.abs(second), (3, 3))).astype(np.uint8)
    if min(choice.shape) > 3:
        choice = np.asarray(cv2.medianBlur(choice, 3), dtype=np.uint8)
    return np.where(choice > 0, first, second)
