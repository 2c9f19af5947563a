"""Models of human vision: Qcb, Qcv, VIF."""

from __future__ import annotations

import numpy as np

from tita_cli.metrics.plane import Array, Plane, Window, moments


def _frequency(shape: tuple[int, int], share: float) -> Array:
    """Radial frequency of each bin of a real Fourier transform, H×(W//2 + 1), with Nyquist at ``share`` of the side."""
    height, width = shape
    down = 2 * np.fft.fftfreq(height) * height * share
    across = 2 * np.fft.rfftfreq(width) * width * share
    return np.asarray(np.hypot(down[:, None], across[None, :]))


def qcb(fused: Plane, a: Plane, b: Plane) -> float:
    """Contrast kept from the sources under the eye's contrast sensitivity, 0..1, higher is better.

    Y. Chen, R. S. Blum, A new automated quality assessment algorithm for image fusion, Image and Vision Computing 27,
    2009. As in VIFB (after Z. Liu): images stretched to 0..255, difference-of-Gaussians sensitivity in the frequency
    domain, Peli's contrast of σ 2 over σ 4 from unnormalised 31×31 windows, its absolute value masked with p = 3,
    q = 2, Z = 1e-4.
    """
    radius = _frequency(fused.shape, 1 / 30)
    sensitivity = np.exp(-((radius / 15.3870) ** 2)) - 0.7622 * np.exp(-((radius / 1.3456) ** 2))
    contrast_f, contrast_a, contrast_b = (_masked_contrast(plane, sensitivity) for plane in (fused, a, b))
    power_a, power_b = contrast_a * contrast_a, contrast_b * contrast_b
    quality = power_a * _likeness(contrast_a, contrast_f) + power_b * _likeness(contrast_b, contrast_f)
    total = power_a + power_b
    return float((quality[total > 0] / total[total > 0]).sum() / total.size)


def _masked_contrast(plane: Plane, sensitivity: Array) -> Array:
    seen = np.fft.irfft2(plane.spectrum * sensitivity, plane.shape)
    near, far = _CENTRE.same(seen) * _CENTRE_SUM, _SURROUND.same(seen) * _SURROUND_SUM
    contrast = np.abs(near / np.where(far == 0, 1.0, far) - 1)
    squared = contrast * contrast
    return np.asarray(contrast * squared / (squared + 0.0001))


_CENTRE, _SURROUND = Window(31, 2.0), Window(31, 4.0)


def _total(sigma: float) -> float:
    """Sum of the sampled 31×31 Gaussian density, which the published code leaves unnormalised: not quite 1."""
    offset = np.arange(-15, 16)
    return float(np.exp(-(offset**2) / (2 * sigma**2)).sum() ** 2 / (2 * np.pi * sigma**2))


_CENTRE_SUM, _SURROUND_SUM = _total(2.0), _total(4.0)


def _likeness(x: Array, y: Array) -> Array:
    """The smaller over the larger; 1 where both are 0."""
    larger = np.maximum(x, y)
    return np.where(larger > 0, np.minimum(x, y) / np.where(larger > 0, larger, 1.0), 1.0)


def qcv(fused: Plane, a: Plane, b: Plane) -> float:
    """Visible difference from the sources, block by block, weighted by the block's edges; at least 0, lower is better.

    H. Chen, P. K. Varshney, A human perception inspired quality metric for image fusion based on regional information,
    Information Fusion 8, 2007. As in VIFB (after Z. Liu): images stretched to 0..255, Mannos and Sakrison's contrast
    sensitivity, blocks of 16×16, edge magnitudes to the fifth power.
    """
    radius = _frequency(fused.shape, 1 / 8)
    sensitivity = 2.6 * (0.0192 + 0.144 * radius) * np.exp(-((0.144 * radius) ** 1.1))
    numerator = denominator = 0.0
    for source in (a, b):
        seen = np.fft.irfft2((source.spectrum - fused.spectrum) * sensitivity, fused.shape)
        saliency = _block_sums(source.stretched_slope**5)
        difference = _block_sums(seen * seen) / _BLOCK**2  # over the whole block even where the image ends inside it
        numerator += float((saliency * difference).sum())
        denominator += float(saliency.sum())
    return numerator / denominator if denominator > 0 else float("nan")


_BLOCK = 16


def _block_sums(values: Array) -> Array:
    """Sums over blocks of 16×16; zeros complete the blocks at the right and at the bottom."""
    rows = np.add.reduceat(values, np.arange(0, values.shape[0], _BLOCK), axis=0)
    return np.asarray(np.add.reduceat(rows, np.arange(0, values.shape[1], _BLOCK), axis=1))


def vif(fused: Plane, a: Plane, b: Plane) -> float:
    """Visual information fidelity for fusion, at least 0, about 1 for a faithful image, higher is better.

    Y. Han et al., A new image fusion performance metric based on visual information fidelity, Information Fusion 14,
    2013: at each pixel and scale the source with the smaller gain counts. Weights of the scales as in the authors'
    code: 1, 0, 0.15, 1, over 2.15.
    """
    total = 0.0
    f, x, y = fused.values, a.values, b.values
    for scale, (size, weight) in enumerate(zip((17, 9, 5, 3), (1.0, 0.0, 0.15, 1.0), strict=True)):
        window = Window(size, size / 5)
        if scale:
            f, x, y = (np.ascontiguousarray(window.valid(values)[::2, ::2]) for values in (f, x, y))
        if weight:
            total += weight * _kept_information(f, x, y, window)
    return total / 2.15


def _kept_information(fused: Array, a: Array, b: Array, window: Window) -> float:
    """Ratio of preserved to available information at one scale."""
    mean_f, variance_f = moments(fused, window)
    variance_f = np.maximum(variance_f, 0.0)
    gain_a, kept_a, there_a = _gain(a, fused, mean_f, variance_f, window)
    gain_b, kept_b, there_b = _gain(b, fused, mean_f, variance_f, window)
    from_a = gain_a < gain_b
    kept, there = np.where(from_a, kept_a, kept_b), np.where(from_a, there_a, there_b)
    # The published code adds 1e-7 to each pixel, so that a flat pair gives 1.
    return float((kept.sum() + 1e-7 * kept.size) / (there.sum() + 1e-7 * there.size))


def _gain(source: Array, fused: Array, mean_f: Array, variance_f: Array, window: Window) -> tuple[Array, Array, Array]:
    """Gain from source to fused, and the information with and without the distortion."""
    noise, tiny = 0.005 * 255 * 255, 1e-10
    mean, variance = moments(source, window)
    variance = np.maximum(variance, 0.0)
    common = window.valid(source * fused) - mean * mean_f
    gain = common / (variance + tiny)
    rest = variance_f - gain * common
    flat = variance < tiny
    gain[flat] = 0.0
    rest[flat] = variance_f[flat]
    variance[flat] = 0.0
    flat_f = variance_f < tiny
    gain[flat_f] = 0.0
    rest[flat_f] = 0.0
    inverse = gain < 0
    rest[inverse] = variance_f[inverse]
    gain[inverse] = 0.0
    rest = np.maximum(rest, tiny)
    kept = np.log10(1 + gain * gain * variance / (rest + noise))
    return gain, kept, np.log10(1 + variance / noise)
