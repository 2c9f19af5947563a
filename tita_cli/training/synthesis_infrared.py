"""The training target of infrared–visible pairs: no truth exists, so a reference is composed by rule.

Detail comes from the source with the stronger contrast at every scale (Laplacian pyramid: Burt & Kolczynski, ICCV
1993). Brightness is the visible picture's with a share of the infrared's, which grows with the infrared's contrast, and
hot targets keep most of their brightness. The maximum of both, the paper's target, washes out whatever is brighter in
the wrong source: a grey sky, a warm wall.
"""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

import numpy as np

from tita_cli.training.sample import FloatArray

LEVELS = 3
GAIN = (1.2, 1.15, 1.05)
"""Gain of the finest bands: choosing between two sources loses contrast where both have some."""
CHOICE = 7.5
"""Exponent of the choice between details: finite, so that it changes smoothly where both are equally strong."""
SHARE, SHARE_EXPONENT = 0.43, 4.0
"""Largest share of the infrared in the brightness, and exponent of its dependence on contrast."""
SURROUNDINGS = 60.0
"""Sigma in pixels of the surroundings of a hot target."""
MOST_HOT, LEAST_HOT, DEVIATIONS = 0.13, 0.04, 1.5
"""Threshold of hot targets above their surroundings: DEVIATIONS standard deviations of the infrared picture, limited
to LEAST_HOT..MOST_HOT. It follows the contrast, since people in a flat picture of a cold field are as hot as others."""
SOFTNESS = 0.15
"""Softness of that threshold, relative to it."""
HOT_SHARE = 0.8
"""Share of their brightness that hot targets have in the reference."""
FLOOR = 0.03
"""How much darker than both sources the reference may be; detail of one on the brightness of the other makes halos."""
MARGIN = 48
"""Pixels around a crop that are read to judge its surroundings."""

_Bands: TypeAlias = list[FloatArray]


class Contrast(NamedTuple):
    """Global statistics of a pair. ``share``: the infrared's share in the brightness, 0..SHARE. ``threshold``:
    that of hot targets above their surroundings."""

    share: float
    threshold: float


def infrared_contrast(visible: FloatArray, infrared: FloatArray) -> Contrast:
    """From the contrast of the whole pictures, H×W in 0..1 each."""
    spreads = float(visible.std()), float(infrared.std())
    seen, warm = (spread**SHARE_EXPONENT for spread in spreads)
    threshold = min(max(DEVIATIONS * spreads[1], LEAST_HOT), MOST_HOT)
    return Contrast(SHARE * warm / (seen + warm + 1e-9), threshold)


class Reference(NamedTuple):
    """``image``: the target, H×W in 0..1. ``hot``: brightness added for hot targets, 0 elsewhere."""

    image: FloatArray
    hot: FloatArray


def infrared_reference(visible: FloatArray, infrared: FloatArray, contrast: Contrast) -> Reference:
    """H×W float32 in 0..1 of both sources and :func:`infrared_contrast` → the reference, same shape and range."""
    import cv2

    levels = max(1, min(LEVELS, int(np.log2(min(visible.shape))) - 2))
    bands_v, base_v = laplacian(visible, levels)
    bands_i, base_i = laplacian(infrared, levels)
    around = cv2.GaussianBlur(base_i, (0, 0), SURROUNDINGS / 2**levels, borderType=cv2.BORDER_REFLECT_101)
    mask = 1 / (1 + np.exp(-((base_i - around) / contrast.threshold - 1) / SOFTNESS))
    base = base_v + contrast.share * (base_i - base_v)
    hot = np.asarray(HOT_SHARE * mask * np.maximum(base_i - base, 0), dtype=np.float32)
    image = base + hot
    for level in reversed(range(levels)):
        detail = stronger(bands_v[level], bands_i[level]) * (GAIN[level] if level < len(GAIN) else GAIN[-1])
        image = np.asarray(cv2.pyrUp(image, dstsize=detail.shape[::-1]) + detail, dtype=np.float32)
    height, width = visible.shape
    hot = np.asarray(cv2.resize(hot, (width, height), interpolation=cv2.INTER_LINEAR), dtype=np.float32)
    return Reference(np.clip(np.maximum(image, np.minimum(visible, infrared) - FLOOR), 0, 1), hot)


def laplacian(image: FloatArray, levels: int) -> tuple[_Bands, FloatArray]:
    """Detail bands from fine to coarse, and the remaining low-pass."""
    import cv2

    bands = []
    for _ in range(levels):
        smaller = cv2.pyrDown(image)
        bands.append(np.asarray(image - cv2.pyrUp(smaller, dstsize=image.shape[::-1]), dtype=np.float32))
        image = np.asarray(smaller, dtype=np.float32)
    return bands, image


def stronger(first: FloatArray, second: FloatArray) -> FloatArray:
    """Two bands blended pixel by pixel, mostly the one with more local contrast."""
    import cv2

    def weight(band: FloatArray) -> FloatArray:
        energy = np.maximum(cv2.blur(np.square(band), (3, 3)), 0)  # box sums can round below 0
        return np.asarray((np.sqrt(energy) + np.float32(1e-4)) ** CHOICE, dtype=np.float32)

    weight_1, weight_2 = weight(first), weight(second)
    return np.asarray((weight_1 * first + weight_2 * second) / (weight_1 + weight_2), dtype=np.float32)
