"""What luminances look like from afar: numbers and blocks that take the whole image, however it is cut. No torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tita_cli.engine.box import Box, padded_part
from tita_cli.network.config import EDGE, FLAT, NO_EDGES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tita_cli.images.picture import FloatArray

    DoubleArray = NDArray[np.float64]

STRIP = 512
"""Pixels to the height of what is averaged into blocks at a time."""


def tones(a: FloatArray, b: FloatArray, block: int) -> DoubleArray:
    """As ``tita_cli.network.layout.tones``; OpenCV sums in double precision without a copy in it."""
    import cv2

    means, spreads = zip(*(cv2.meanStdDev(image) for image in (a, b)), strict=True)
    apart = float(np.abs(blocks(a, block) - blocks(b, block)).mean())
    share = apart / (apart + float(np.mean(spreads)) + FLAT)
    of_a, of_b = np.ravel(spreads) + FLAT
    balance = 1 / (1 + (of_a / of_b) ** 4)
    return np.concatenate((np.ravel(means), np.ravel(spreads), [balance, share, _same_edges(a, b)]))


def _same_edges(a: FloatArray, b: FloatArray) -> float:
    """As ``tita_cli.network.layout.same_edges``."""
    of_a, of_b = blocks(a, EDGE), blocks(b, EDGE)
    same = everything = NO_EDGES
    for axis in (0, 1):
        products = np.diff(of_a, axis=axis) * np.diff(of_b, axis=axis)
        same += float(np.maximum(products, 0).sum(dtype=np.float64))
        everything += float(np.abs(products).sum(dtype=np.float64))
    return same / everything


def blocks(image: FloatArray, side: int) -> FloatArray:
    """Means of blocks of side × side pixels, the image reflected at its bottom and right."""
    import cv2

    rows, cols = (-(-length // side) for length in image.shape)
    means = np.empty((rows, cols), np.float32)
    for top in range(0, rows, STRIP // side):  # a reflected image is a copy: strips bound it
        strip = Box(top, min(top + STRIP // side, rows), 0, cols)
        part = padded_part(image, strip.scaled(side))
        means[strip.slices] = cv2.resize(part, (cols, strip.bottom - top), interpolation=cv2.INTER_AREA)
    return means
