"""MEF-SSIM, a metric for exposure brackets."""

from __future__ import annotations

import numpy as np

from tita_cli.metrics.plane import Array, Plane, Window, moments
from tita_cli.metrics.similarity import half

_GAUSSIAN = Window(11, 1.5)
_FLAT = Window(11)
_SIDE = 11
_C = (0.03 * 255) ** 2


def mef_ssim(fused: Plane, a: Plane, b: Plane) -> float:
    """Structure kept from an exposure pair over three scales, at most 1, higher is better. On grey images.

    K. Ma, K. Zeng, Z. Wang, Perceptual quality assessment for multi-exposure image fusion, IEEE TIP 24, 2015. In every
    11×11 window the desired structure is the mean of the sources' structures weighted by their energy (with an exponent
    that grows with their agreement), scaled to the stronger one; luminance is left out.
    """
    f, x, y = fused.values, a.values, b.values
    weights = np.array([0.0448, 0.2856, 0.3001])
    product = 1.0
    for scale, weight in enumerate(weights / weights.sum()):
        if scale:
            f, x, y = half(f), half(x), half(y)
        product *= max(_one_scale(f, x, y), 0.0) ** weight
    return float(product)


def _one_scale(f: Array, x: Array, y: Array) -> float:
    """Mean quality at one scale.

    The wanted structure of a window is a linear combination of the two windows, so that its energy and covariances
    follow from those of the sources and no window has to be built.
    """
    flat = _Moments(x, y, _FLAT)
    energy_x = np.sqrt(np.maximum(flat.xx * _SIDE**2, 0.0))
    energy_y = np.sqrt(np.maximum(flat.yy * _SIDE**2, 0.0))
    together = np.sqrt(np.maximum((flat.xx + flat.yy + 2 * flat.xy) * _SIDE**2, 0.0))
    eps = np.finfo(np.float64).eps
    consistency = np.minimum((together + eps) / (energy_x + energy_y + eps), 1 - eps)
    exponent = np.minimum(np.tan(np.pi / 2 * consistency), 10.0)
    energy_x, energy_y = energy_x + 0.001, energy_y + 0.001
    weight_x, weight_y = (energy_x / _SIDE) ** exponent + eps, (energy_y / _SIDE) ** exponent + eps
    share = weight_x / (weight_x + weight_y)
    factor_x, factor_y = share / energy_x, (1 - share) / energy_y

    def of_wanted(moments: _Moments) -> Array:
        squares = factor_x**2 * moments.xx + factor_y**2 * moments.yy
        return np.maximum(squares + 2 * factor_x * factor_y * moments.xy, 0.0)

    norm = np.sqrt(of_wanted(flat) * _SIDE**2)
    scale = np.divide(np.maximum(energy_x, energy_y), norm, out=np.ones_like(norm), where=norm > 0)
    near = _Moments(x, y, _GAUSSIAN)
    mean_f, variance_f = moments(f, _GAUSSIAN)
    common = factor_x * (_GAUSSIAN.valid(x * f) - near.mean_x * mean_f)
    common += factor_y * (_GAUSSIAN.valid(y * f) - near.mean_y * mean_f)
    quality = (2 * scale * common + _C) / (scale * scale * of_wanted(near) + variance_f + _C)
    return float(quality.mean())


class _Moments:
    """Means, variances and covariance of two images in every window that lies inside."""

    def __init__(self, x: Array, y: Array, window: Window) -> None:
        self.mean_x, self.xx = moments(x, window)
        self.mean_y, self.yy = moments(y, window)
        self.xy = window.valid(x * y) - self.mean_x * self.mean_y
