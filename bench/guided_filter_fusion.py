"""Guided filter fusion, reimplemented to reproduce the benchmarks' fused images and check their published values.

S. Li, X. Kang, J. Hu, Image fusion with guided filtering, IEEE TIP 22, 2013, with the authors' parameters. Only VIFB's
fused images are available; this reproduces those of MEFB and of the Lytro pairs, nearly always bit by bit.
"""

from __future__ import annotations

from typing import TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from tita_cli.metrics.evaluate import grey
from tita_cli.metrics.plane import Window
from tita_cli.metrics.ranking import reencode

Pixels: TypeAlias = npt.NDArray[np.uint8]
Array: TypeAlias = npt.NDArray[np.float64]


def fuse(a: Pixels, b: Pixels) -> Pixels:
    """Fuse two H×W×3 uint8 images. Where their saliency is equal, ``a`` is chosen."""
    # The benchmarks passed the sources as JPEG files.
    images = [reencode(a), reencode(b)]
    guides = [grey(image) / 255.0 for image in images]
    saliency = np.stack([_saliency(guide) for guide in guides])
    chosen = (saliency / saliency.sum(axis=0)).argmax(axis=0)
    base = _weights(guides, chosen, radius=45, slack=0.3)
    detail = _weights(guides, chosen, radius=7, slack=1e-6)
    fused = np.zeros(a.shape)
    for image, of_base, of_detail in zip(images, base, detail, strict=True):
        pixels = image / 255.0
        smooth = cv2.boxFilter(pixels, cv2.CV_64F, (31, 31), borderType=cv2.BORDER_REPLICATE)
        fused += smooth * of_base[..., None] + (pixels - smooth) * of_detail[..., None]
    return _bytes(fused)


def _saliency(guide: Array) -> Array:
    laplacian = np.array([[0.0, 1.0, 0.0], [1.0, -4.0, 1.0], [0.0, 1.0, 0.0]])
    detail = np.abs(cv2.filter2D(guide, cv2.CV_64F, laplacian, borderType=cv2.BORDER_REPLICATE))
    kernel = Window(11, 5.0).weights()
    return np.asarray(cv2.sepFilter2D(detail, cv2.CV_64F, kernel, kernel, borderType=cv2.BORDER_REPLICATE)) + 1e-12


def _weights(guides: list[Array], chosen: npt.NDArray[np.intp], *, radius: int, slack: float) -> Array:
    """The decisions, smoothed along the edges of each guide, in 256 steps, with sum 1: 2×H×W."""
    smoothed = [_guided((chosen == i).astype(np.float64), guide, radius, slack) for i, guide in enumerate(guides)]
    weights = np.stack([_bytes(weight) / 255.0 for weight in smoothed]) + 1e-12
    return np.asarray(weights / weights.sum(axis=0))


def _guided(values: Array, guide: Array, radius: int, slack: float) -> Array:
    """Guided filter (K. He, J. Sun, X. Tang, 2010) with windows cut off at the border."""

    def total(field: Array) -> Array:
        side = (2 * radius + 1, 2 * radius + 1)
        return np.asarray(cv2.boxFilter(field, cv2.CV_64F, side, normalize=False, borderType=cv2.BORDER_CONSTANT))

    count = total(np.ones_like(guide))
    mean, mean_guide = total(values) / count, total(guide) / count
    slope = (total(values * guide) / count - mean * mean_guide) / (
        total(guide * guide) / count - mean_guide * mean_guide + slack
    )
    offset = mean - slope * mean_guide
    return total(slope) / count * guide + total(offset) / count


def _bytes(values: Array) -> Pixels:
    """0..1 to 0..255, rounded half away from zero."""
    return np.asarray(np.floor(np.clip(values * 255, 0, 255) + 0.5), dtype=np.uint8)
