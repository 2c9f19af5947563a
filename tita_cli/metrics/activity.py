"""Activity of the fused image alone: AG, EI, SF, SD. All of them reward noise and ringing as well."""

from __future__ import annotations

import cv2
import numpy as np

from tita_cli.metrics.plane import Plane, sobel


def ag(fused: Plane) -> float:
    """Average gradient, grey values a pixel, at least 0, higher is better.

    G. Cui et al., Detail preserved fusion of visible and infrared images using regional saliency extraction and
    multi-scale image decomposition, Optics Communications 341, 2015. Central differences; the sum over all pixels is
    divided by (H-1)(W-1), as in VIFB.
    """
    down, across = np.gradient(fused.values)
    slope = np.sqrt((across * across + down * down) / 2)
    height, width = fused.shape
    return float(slope.sum() / ((height - 1) * (width - 1)))


def ei(fused: Plane) -> float:
    """Edge intensity: mean Sobel magnitude, at least 0, higher is better.

    B. Rajalingam, R. Priya, Hybrid multimodality medical image fusion technique for feature enhancement in medical
    diagnosis, Int. J. Engineering Science Invention, 2018.
    """
    across, down = sobel(fused.values, cv2.BORDER_REPLICATE)
    return float(np.sqrt(across * across + down * down).mean())


def sf(fused: Plane) -> float:
    """Spatial frequency: root of the mean squared differences along rows and columns, at least 0, higher is better.

    A. M. Eskicioglu, P. S. Fisher, Image quality measures and their performance, IEEE Trans. Communications 43, 1995.
    """
    values = fused.values
    rows = np.square(np.diff(values, axis=1)).sum()
    columns = np.square(np.diff(values, axis=0)).sum()
    return float(np.sqrt((rows + columns) / values.size))


def sd(fused: Plane) -> float:
    """Standard deviation (the benchmarks call it variance), 0..127.5, higher is better.

    Y.-J. Rao, In-fibre Bragg grating sensors, Measurement Science and Technology 8, 1997, is what VIFB cites.
    """
    return float(fused.values.std())
