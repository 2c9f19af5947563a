"""MEF-SSIM, a metric for exposure brackets."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tita_cli.metrics.plane import Array, Plane, Window, moments
from tita_cli.metrics.similarity import half

_GAUSSIAN = Window(11, 1.5)
_FLAT = Window(11)
_SIDE = 11
_C = (0.03 * 255) ** 2


def mef_ssim(fused: Plane, *sources: Plane) -> float:
    """Structure kept from two or more exposures over three scales, at most 1, higher is better. On grey images.

    K. Ma, K. Zeng, Z. Wang, Perceptual quality assessment for multi-exposure image fusion, IEEE TIP 24, 2015. In every
    11×11 window the desired structure is the mean of the sources' structures weighted by their energy (with an exponent
    that grows with their agreement), scaled to the strongest one; luminance is left out.
    """
    f, frames = fused.values, [source.values for source in sources]
    weights = np.array([0.0448, 0.2856, 0.3001])
    product = 1.0
    for scale, weight in enumerate(weights / weights.sum()):
        if scale:
            f, frames = half(f), [half(frame) for frame in frames]
        product *= max(_one_scale(f, frames), 0.0) ** weight
    return float(product)


def _one_scale(f: Array, frames: Sequence[Array]) -> float:
    """Mean quality at one scale.

    The desired structure of a window is a linear combination of the frames' windows, so that its energy and covariances
    follow from those of the frames and no window has to be built.
    """
    variances = [moments(frame, _FLAT)[1] for frame in frames]
    energies = [np.sqrt(np.maximum(variance * _SIDE**2, 0.0)) for variance in variances]
    together = np.sqrt(np.maximum(moments(np.sum(frames, axis=0), _FLAT)[1] * _SIDE**2, 0.0))
    eps = np.finfo(np.float64).eps
    consistency = np.minimum((together + eps) / (np.sum(energies, axis=0) + eps), 1 - eps)
    exponent = np.minimum(np.tan(np.pi / 2 * consistency), 10.0)
    energies = [energy + 0.001 for energy in energies]
    weights = [(energy / _SIDE) ** exponent + eps for energy in energies]
    total = np.sum(weights, axis=0)
    factors = [weight / total / energy for weight, energy in zip(weights, energies, strict=True)]
    norm = np.sqrt(_energy_of_mix(frames, factors, _FLAT) * _SIDE**2)
    scale = np.divide(np.max(energies, axis=0), norm, out=np.ones_like(norm), where=norm > 0)
    mean_f, variance_f = moments(f, _GAUSSIAN)
    common = np.zeros_like(norm)
    for frame, factor in zip(frames, factors, strict=True):
        common += factor * (_GAUSSIAN.valid(frame * f) - _GAUSSIAN.valid(frame) * mean_f)
    variance = _energy_of_mix(frames, factors, _GAUSSIAN)
    quality = (2 * scale * common + _C) / (scale * scale * variance + variance_f + _C)
    return float(quality.mean())


def _energy_of_mix(frames: Sequence[Array], factors: Sequence[Array], window: Window) -> Array:
    """Variance in every window of Σ factor·frame, with the window's own factors."""
    means = [window.valid(frame) for frame in frames]
    energy = np.zeros_like(means[0])
    for i, frame in enumerate(frames):
        for j in range(i, len(frames)):
            covariance = window.valid(frame * frames[j]) - means[i] * means[j]
            energy += (1 if i == j else 2) * factors[i] * factors[j] * covariance
    return np.maximum(energy, 0.0)
