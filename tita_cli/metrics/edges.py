"""Edges carried over from the sources: Qabf, and FMI on edge maps."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from tita_cli.metrics.feature_information import information_of_windows
from tita_cli.metrics.plane import Array, Plane, sobel


def qabf(fused: Plane, a: Plane, b: Plane) -> float:
    """Edge strength and orientation preserved from both sources, weighted by strength, 0..1, higher is better.

    C. S. Xydeas, V. Petrović, Objective image fusion performance measure, Electronics Letters 36, 2000. As in VIFB:
    Sobel with zeros outside the image, orientation π/2 where there is no horizontal difference, and where both
    strengths are equal the strength itself (not 1) goes into the sigmoid.
    """
    strength_f, orientation_f = _edge(fused)
    preserved = total = 0.0
    for source in (a, b):
        strength, orientation = _edge(source)
        preserved += float((_preserved(strength, orientation, strength_f, orientation_f) * strength).sum())
        total += float(strength.sum())
    return preserved / total if total > 0 else float("nan")


def _edge(plane: Plane) -> tuple[Array, Array]:
    """Strength, and orientation in (-π/2, π/2]."""
    across, down = sobel(plane.values, cv2.BORDER_CONSTANT)
    upright = across == 0
    orientation = np.arctan(-down / np.where(upright, 1.0, across))
    orientation[upright] = np.pi / 2
    return np.sqrt(across * across + down * down), orientation


def _preserved(strength: Array, orientation: Array, strength_f: Array, orientation_f: Array) -> Array:
    """How well each pixel's edge survives: the product of two sigmoids with the constants of the paper."""
    larger = np.maximum(strength, strength_f)
    kept = np.minimum(strength, strength_f) / np.where(larger > 0, larger, 1.0)
    kept = np.where(strength == strength_f, strength_f, kept)
    aligned = 1 - np.abs(orientation - orientation_f) / (np.pi / 2)
    # Far from an edge both strengths are equal and large: exp may underflow to 0, which is its limit.
    return (0.9994 / (1 + np.exp(-15 * (kept - 0.5)))) * (0.9879 / (1 + np.exp(-22 * (aligned - 0.8))))


def fmi(fused: Plane, a: Plane, b: Plane) -> float:
    """Feature mutual information of edge maps in 3×3 windows, mean of both sources, 0..1, higher is better.

    M. Haghighat, A. Aghagolzadeh, H. Seyedarabi, A non-reference image fusion metric based on mutual information of
    image features, Computers and Electrical Engineering 37, 2011; computed as in Fast-FMI (Haghighat, Razian, AICT
    2014). As in MEFB the feature is MATLAB's thinned Sobel edge map with its automatic threshold.
    """
    codes_f, codes_a, codes_b = (_window_codes(edge_map(plane)) for plane in (fused, a, b))
    return float((information_of_windows(codes_a, codes_f) + information_of_windows(codes_b, codes_f)) / 2)


def edge_map(plane: Plane) -> npt.NDArray[np.bool_]:
    """MATLAB's ``edge(image)``: Sobel, threshold at twice the root mean square gradient, thinned; H×W."""
    across, down = (np.abs(slope) / 8 for slope in sobel(plane.values, cv2.BORDER_REPLICATE))
    power = across * across + down * down
    # Outside the image nothing is higher: a pixel at the border may be a peak.
    framed = np.pad(power, 1, constant_values=-1.0)
    left, right = framed[1:-1, :-2], framed[1:-1, 2:]
    above, below = framed[:-2, 1:-1], framed[2:, 1:-1]
    slack = 100 * np.finfo(np.float64).eps
    peak_across = (across >= down - slack) & (left <= power) & (power > right)
    peak_down = (down >= across - slack) & (above <= power) & (power > below)
    edges: npt.NDArray[np.bool_] = (power > 4 * power.mean()) & (peak_across | peak_down)
    return edges


def _window_codes(edges: npt.NDArray[np.bool_]) -> npt.NDArray[np.intp]:
    """Each 3×3 window as nine bits, first row of the window first, lowest bit first; one dimension.

    MATLAB runs through a window by columns, so bit i is column i // 3, row i % 3.
    """
    height, width = edges.shape
    codes = np.zeros((height - 2, width - 2), dtype=np.intp)
    for bit in range(9):
        column, row = divmod(bit, 3)
        codes |= edges[row : row + height - 2, column : column + width - 2].astype(np.intp) << bit
    return codes.ravel()
