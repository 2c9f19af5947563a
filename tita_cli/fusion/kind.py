"""Whether two pictures are of one kind, as exposures and focus distances are, or what different sensors see."""

from __future__ import annotations

import cv2
import numpy as np

from tita_cli.images.picture import FloatArray

SMALL = 160
"""The longer side, in pixels, at which pictures are compared: pairs that are some pixels off still agree there."""
_ONE_KIND = 0.3
"""Correlation of signed gradients from which two pictures are of one kind, as in alignment."""


def reduced(luminance: FloatArray) -> FloatArray:
    """A luminance H×W at no more than ``SMALL`` pixels a side."""
    height, width = luminance.shape
    scale = min(SMALL / max(height, width), 1.0)
    size = (max(round(width * scale), 1), max(round(height * scale), 1))
    return np.asarray(cv2.resize(luminance, size, interpolation=cv2.INTER_AREA))


def are_of_one_kind(one: FloatArray, two: FloatArray) -> bool:
    """Whether edges of two luminances of one scene go the same way. Those of a picture without edges do."""
    one = reduced(one)
    two = np.asarray(cv2.resize(reduced(two), one.shape[::-1], interpolation=cv2.INTER_AREA))
    first, second = (np.stack([cv2.Sobel(x, cv2.CV_32F, 1, 0), cv2.Sobel(x, cv2.CV_32F, 0, 1)]) for x in (one, two))
    strength = float(np.sqrt((first**2).sum() * (second**2).sum()))
    return strength == 0 or float((first * second).sum()) / strength > _ONE_KIND
