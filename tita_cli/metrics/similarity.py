"""Structural similarity and its kin: SSIM, MS-SSIM, Qw, Qy, Qc."""

from __future__ import annotations

import cv2
import numpy as np

from tita_cli.metrics.plane import Array, Plane, Window, covariance

_WANG = Window(11, 1.5)
_YANG = Window(7, 1.5)
_C1 = (0.01 * 255) ** 2
_C2 = (0.03 * 255) ** 2


def _statistics(x: Array, y: Array, window: Window) -> tuple[Array, Array, Array, Array, Array]:
    """Means, variances and covariance of ``x`` and ``y`` in every window that lies inside."""
    mean_x, mean_y = window.valid(x), window.valid(y)
    variance_x = covariance(x, x, mean_x, mean_x, window)
    variance_y = covariance(y, y, mean_y, mean_y, window)
    return mean_x, mean_y, variance_x, variance_y, covariance(x, y, mean_x, mean_y, window)


def _ssim_maps(x: Array, y: Array) -> tuple[Array, Array]:
    """SSIM in every window, and its part without luminance."""
    mean_x, mean_y, variance_x, variance_y, common = _statistics(x, y, _WANG)
    structure = (2 * common + _C2) / (variance_x + variance_y + _C2)
    luminance = (2 * mean_x * mean_y + _C1) / (mean_x * mean_x + mean_y * mean_y + _C1)
    return luminance * structure, structure


def ssim(fused: Plane, a: Plane, b: Plane) -> float:
    """Structural similarity with both sources, summed, -2..2, higher is better.

    Z. Wang et al., Image quality assessment: from error visibility to structural similarity, IEEE TIP 13, 2004. As in
    VIFB: Gaussian window 11, σ 1.5, windows inside the image only, and the *sum* over the two sources.
    """
    return sum(float(_ssim_maps(source.values, fused.values)[0].mean()) for source in (a, b))


def ms_ssim(fused: Plane, a: Plane, b: Plane) -> float:
    """Multi-scale structural similarity with both sources, summed, 0..2, higher is better.

    Z. Wang, E. P. Simoncelli, A. C. Bovik, Multiscale structural similarity for image quality assessment, Asilomar
    2003: five scales, each the 2×2 mean of the one before. A negative mean at some scale counts as 0. None of the
    benchmarks has it; the sum over the sources follows ``ssim``.
    """
    return sum(_ms_ssim(source.values, fused.values) for source in (a, b))


def _ms_ssim(x: Array, y: Array) -> float:
    weights = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
    product = 1.0
    for scale, weight in enumerate(weights):
        if scale:
            x, y = half(x), half(y)
        whole, structure = _ssim_maps(x, y)
        last = scale == len(weights) - 1
        product *= max(float((whole if last else structure).mean()), 0.0) ** weight
    return product


def half(values: Array) -> Array:
    """Every second pixel of the mean over 2×2, the last row and column mirrored: ⌈H/2⌉×⌈W/2⌉."""
    height, width = values.shape
    padded = np.pad(values, ((0, height % 2), (0, width % 2)), mode="symmetric")
    return (padded[::2, ::2] + padded[1::2, ::2] + padded[::2, 1::2] + padded[1::2, 1::2]) / 4


def qw(fused: Plane, a: Plane, b: Plane) -> float:
    """Piella and Heijmans' index on edge images, weighted by saliency, -1..1, higher is better.

    G. Piella, H. Heijmans, A new quality metric for image fusion, ICIP 2003. What MEFB calls Qw is the paper's
    *edge-dependent* factor: the weighted index of the Prewitt magnitudes, without the plain image's factor.
    """
    edges_f, edges_a, edges_b = (_prewitt(plane.values) for plane in (fused, a, b))
    mean_f = _WANG.valid(edges_f)
    variance_f = covariance(edges_f, edges_f, mean_f, mean_f, _WANG)
    variances, similarities = [], []
    for edges in (edges_a, edges_b):
        mean = _WANG.valid(edges)
        variance = covariance(edges, edges, mean, mean, _WANG)
        common = covariance(edges, edges_f, mean, mean_f, _WANG)
        luminance = (2 * mean * mean_f + _C1) / (mean * mean + mean_f * mean_f + _C1)
        similarities.append(luminance * (2 * common + _C2) / (variance + variance_f + _C2))
        variances.append(variance)
    flat = (variances[0] + variances[1]) == 0
    variances = [np.where(flat, 0.5, variance) for variance in variances]
    share = variances[0] / (variances[0] + variances[1])
    saliency = np.maximum(variances[0], variances[1])
    local = share * similarities[0] + (1 - share) * similarities[1]
    return float((saliency * local).sum() / saliency.sum())


def _prewitt(values: Array) -> Array:
    """Magnitude of the Prewitt gradient, zeros outside the image."""
    slope, flat = np.array([-1.0, 0.0, 1.0]), np.ones(3)
    across = cv2.sepFilter2D(values, cv2.CV_64F, slope, flat, borderType=cv2.BORDER_CONSTANT)
    down = cv2.sepFilter2D(values, cv2.CV_64F, flat, slope, borderType=cv2.BORDER_CONSTANT)
    return np.sqrt(across * across + down * down)


def _yang(x: Plane, y: Plane) -> tuple[Array, Array, Array, Array]:
    """Yang's constant-free SSIM map, the two variances and the covariance.

    The published code has C1 = C2 = 2e-16, so that in flat windows it divides round-off by round-off. There we take
    variance and covariance as exactly 0: a window of 8-bit values that is not flat has a variance above 1e-3.
    """
    mean_x, mean_y, variance_x, variance_y, common = _statistics(x.values, y.values, _YANG)
    flat_x, flat_y = variance_x < 1e-6, variance_y < 1e-6
    variance_x[flat_x] = 0.0
    variance_y[flat_y] = 0.0
    common[flat_x | flat_y] = 0.0
    tiny = 2e-16
    luminance = (2 * mean_x * mean_y + tiny) / (mean_x * mean_x + mean_y * mean_y + tiny)
    return luminance * (2 * common + tiny) / (variance_x + variance_y + tiny), variance_x, variance_y, common


def qy(fused: Plane, a: Plane, b: Plane) -> float:
    """Yang's similarity: the sources' windows by their variance where they agree, the better one where not; -1..1,
    higher is better.

    C. Yang et al., A novel similarity based quality metric for image fusion, Information Fusion 9, 2008. As in MEFB:
    Gaussian window 7, σ 1.5; windows that are flat in both sources are left out.
    """
    between, variance_a, variance_b, _ = _yang(a, b)
    with_a, with_b = _yang(a, fused)[0], _yang(b, fused)[0]
    total = variance_a + variance_b
    counted = total > 0
    share = variance_a[counted] / total[counted]
    with_a, with_b = with_a[counted], with_b[counted]
    agree = between[counted] >= 0.75
    quality = np.where(agree, share * with_a + (1 - share) * with_b, np.maximum(with_a, with_b))
    return float(quality.mean()) if quality.size else float("nan")


def qc(fused: Plane, a: Plane, b: Plane) -> float:
    """Cvejic's similarity: each source's windows by their covariance with the fused image, -1..1, higher is better.

    N. Cvejic et al., A similarity metric for assessment of image fusion algorithms, Int. J. Signal Processing 2, 2005.
    As in MEFB: a weight below 0 gives 0 and one above 1 gives 1 for the window (the paper clips the *weight*); windows
    without any covariance are left out.
    """
    with_a, _, _, common_a = _yang(a, fused)
    with_b, _, _, common_b = _yang(b, fused)
    total = common_a + common_b
    counted = total != 0
    share = common_a[counted] / total[counted]
    quality = share * with_a[counted] + (1 - share) * with_b[counted]
    quality[share < 0] = 0.0
    quality[share > 1] = 1.0
    return float(quality.mean()) if quality.size else float("nan")
