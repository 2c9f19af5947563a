"""How near the fused image is to the sources, pixel by pixel: PSNR, RMSE, CC, SCD."""

from __future__ import annotations

import numpy as np

from tita_cli.metrics.plane import Array, Plane


def _distance(x: Plane, y: Plane) -> float:
    """sqrt(Σd²)/(H·W): what VIFB's and MEFB's code calls the mean square error, and its root too."""
    difference = x.values - y.values
    return float(np.sqrt(np.square(difference).sum()) / difference.size)


def rmse(fused: Plane, a: Plane, b: Plane) -> float:
    """Root mean square error as VIFB computes it, mean of both sources, at least 0, lower is better.

    P. Jagalingam, A. V. Hegde, A review of quality metrics for fused image, Aquatic Procedia 4, 2015. The code takes
    sqrt(Σd²)/(H·W) where the paper has sqrt(Σd²/(H·W)): values fall with the size of the image.
    """
    return (_distance(a, fused) + _distance(b, fused)) / 2


def psnr(fused: Plane, a: Plane, b: Plane) -> float:
    """Peak signal-to-noise ratio as VIFB and MEFB compute it, dB, higher is better; infinite for three equal images.

    P. Jagalingam, A. V. Hegde, 2015. The "mean square error" inside is ``rmse`` above: values around 55 to 70 dB are
    normal and cannot be compared with PSNR elsewhere.
    """
    error = rmse(fused, a, b)
    return float(20 * np.log10(255 / np.sqrt(error))) if error > 0 else float("inf")


def cc(fused: Plane, a: Plane, b: Plane) -> float:
    """Correlation coefficient with the sources, mean of both, -1..1, higher is better; NaN where an image is flat.

    M. Deshmukh, U. Bhosale, Image fusion and image quality assessment of fused images, Int. J. Image Processing 4,
    2010.
    """
    return (_pearson(a.values, fused.values) + _pearson(b.values, fused.values)) / 2


def scd(fused: Plane, a: Plane, b: Plane) -> float:
    """Sum of the correlations of differences, -2..2, higher is better; NaN where one of them is flat.

    V. Aslantas, E. Bendes, A new image quality metric for image fusion: the sum of the correlations of differences,
    AEU Int. J. Electronics and Communications 69, 2015.
    """
    return _pearson(fused.values - b.values, a.values) + _pearson(fused.values - a.values, b.values)


def _pearson(x: Array, y: Array) -> float:
    x, y = x - x.mean(), y - y.mean()
    scale = float(np.sqrt(np.square(x).sum() * np.square(y).sum()))
    return float((x * y).sum()) / scale if scale > 0 else float("nan")
