"""Structural similarity and related metrics: SSIM, MS-SSIM, Qw, Qy, Qc."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from tita_cli.metrics.plane import Array, Field, Plane, Window

_WANG = Window(11, 1.5)
_YANG = Window(7, 1.5)
_C1 = (0.01 * 255) ** 2
_C2 = (0.03 * 255) ** 2
_TINY = 2e-16


def _luminance(mean_x: Array, mean_y: Array, constant: float = _C1) -> Array:
    return (2 * mean_x * mean_y + constant) / (mean_x * mean_x + mean_y * mean_y + constant)


def ssim(fused: Plane, a: Plane, b: Plane) -> float:
    """Structural similarity with both sources, summed, -2..2, higher is better.

    Z. Wang et al., Image quality assessment: from error visibility to structural similarity, IEEE TIP 13, 2004. As in
    VIFB: Gaussian window 11, σ 1.5, windows inside the image only, and the *sum* over the two sources.
    """
    return sum(_ssim(source, fused)[0] for source in (a, b))


def _ssim(x: Field, y: Field) -> tuple[float, float]:
    """Mean SSIM, and the mean of its part without luminance."""
    (mean_x, variance_x), (mean_y, variance_y) = x.moments(_WANG), y.moments(_WANG)
    structure = (2 * x.covariance(y, _WANG) + _C2) / (variance_x + variance_y + _C2)
    return float((_luminance(mean_x, mean_y) * structure).mean()), float(structure.mean())


def ms_ssim(fused: Plane, a: Plane, b: Plane) -> float:
    """Multi-scale structural similarity with both sources, summed, 0..2, higher is better.

    Z. Wang, E. P. Simoncelli, A. C. Bovik, Multiscale structural similarity for image quality assessment, Asilomar
    2003: five scales, each the 2×2 mean of the one before. A negative mean at some scale counts as 0. None of the
    benchmarks has it; the sum over the sources follows ``ssim``.
    """
    return sum(_ms_ssim(source, fused) for source in (a, b))


def _ms_ssim(x: Field, y: Field) -> float:
    weights = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
    product = 1.0
    for scale, weight in enumerate(weights):
        if scale:
            x, y = Field(half(x.values)), Field(half(y.values))
        whole, structure = _ssim(x, y)
        last = scale == len(weights) - 1
        product *= max(whole if last else structure, 0.0) ** weight
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
    edges_f, edges_a, edges_b = (Field(_prewitt(plane.values)) for plane in (fused, a, b))
    mean_f, variance_f = edges_f.moments(_WANG)
    variances, similarities = [], []
    for edges in (edges_a, edges_b):
        mean, variance = edges.moments(_WANG)
        structure = (2 * edges.covariance(edges_f, _WANG) + _C2) / (variance + variance_f + _C2)
        similarities.append(_luminance(mean, mean_f) * structure)
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
    return np.asarray(np.sqrt(across * across + down * down))


def _yang(x: Field, y: Field) -> tuple[Array, Array]:
    """Yang's SSIM map without constants, and the covariance.

    The published code has C1 = C2 = 2e-16, so that in windows flat in both images it divides round-off by round-off.
    There, variances and covariance are taken as exactly 0.
    """
    (mean_x, variance_x), (mean_y, variance_y) = x.moments(_YANG), y.moments(_YANG)
    common = x.covariance(y, _YANG)
    total = variance_x + variance_y
    flat = _flat(variance_x) & _flat(variance_y)
    common[flat] = total[flat] = 0.0
    return _luminance(mean_x, mean_y, _TINY) * (2 * common + _TINY) / (total + _TINY), common


def _flat(variance: Array) -> npt.NDArray[np.bool_]:
    """Windows of one grey value: in 8 bits every other window of 7×7 has a variance above 1e-3."""
    flat: npt.NDArray[np.bool_] = variance < 1e-6
    return flat


def qy(fused: Plane, a: Plane, b: Plane) -> float:
    """Yang's similarity: the sources' windows by their variance where they agree, the better one where not; -1..1,
    higher is better.

    C. Yang et al., A novel similarity based quality metric for image fusion, Information Fusion 9, 2008. As in MEFB:
    Gaussian window 7, σ 1.5; windows that are flat in both sources are left out.
    """
    variance_a, variance_b = a.moments(_YANG)[1], b.moments(_YANG)[1]
    counted = ~(_flat(variance_a) & _flat(variance_b))
    with_a, with_b = _yang(a, fused)[0][counted], _yang(b, fused)[0][counted]
    share = variance_a[counted] / (variance_a + variance_b)[counted]
    agree = _yang(a, b)[0][counted] >= 0.75
    quality = np.where(agree, share * with_a + (1 - share) * with_b, np.maximum(with_a, with_b))
    return float(quality.mean()) if quality.size else float("nan")


def qc(fused: Plane, a: Plane, b: Plane) -> float:
    """Cvejic's similarity: each source's windows by their covariance with the fused image, -1..1, higher is better.

    N. Cvejic et al., A similarity metric for assessment of image fusion algorithms, Int. J. Signal Processing 2, 2005.
    As in MEFB: a weight of ``a`` below 0 gives 0 and one above 1 gives 1 for the window (the paper clips the *weight*);
    so this is the only metric that changes when the sources are exchanged (MEFB's ``a`` is the darker one). Windows
    without any covariance are left out. Where one source is flat, the sign of the rounding error decides between 1 and
    the other source's similarity, in the published code and here: on saturated images only three digits are reliable.
    """
    with_a, common_a = _yang(a, fused)
    with_b, common_b = _yang(b, fused)
    total = common_a + common_b
    counted = total != 0
    share = common_a[counted] / total[counted]
    quality = share * with_a[counted] + (1 - share) * with_b[counted]
    quality[share < 0] = 0.0
    quality[share > 1] = 1.0
    return float(quality.mean()) if quality.size else float("nan")
