"""Entropies and mutual information of grey values: EN, CE, MI, NMI, Qncie, TE."""

from __future__ import annotations

import numpy as np

from tita_cli.metrics.plane import Array, Plane


def _entropy(probability: Array) -> float:
    """Shannon's entropy in bits."""
    some = probability[probability > 0]
    return float(-(some * np.log2(some)).sum())


def en(fused: Plane) -> float:
    """Entropy of the grey values, bits, 0..8, higher is better.

    J. van Aardt, Assessment of image fusion procedures using entropy, image quality, and multispectral classification,
    J. Applied Remote Sensing 2, 2008.
    """
    return _entropy(fused.histogram)


def ce(fused: Plane, a: Plane, b: Plane) -> float:
    """Cross entropy (Kullback-Leibler divergence of each source's histogram from the fused), bits, lower is better.

    D. M. Bulanon et al., Image fusion of visible and thermal images for fruit detection, Biosystems Engineering 103,
    2009. As in VIFB, grey values that the fused image lacks are left out, so it can fall below 0.
    """
    return (_divergence(a.histogram, fused.histogram) + _divergence(b.histogram, fused.histogram)) / 2


def _divergence(p: Array, q: Array) -> float:
    both = (p > 0) & (q > 0)
    return float((p[both] * np.log2(p[both] / q[both])).sum())


def _mutual(x: Plane, y: Plane) -> tuple[float, float]:
    """Mutual information of the stretched grey values, and the sum of the two entropies, in bits."""
    joint = x.joint(y)
    entropies = _entropy(joint.sum(axis=1)) + _entropy(joint.sum(axis=0))
    return entropies - _entropy(joint), entropies


def mi(fused: Plane, a: Plane, b: Plane) -> float:
    """Mutual information of the fused image with both sources, nats, at least 0, higher is better.

    G. Qu, D. Zhang, P. Yan, Information measure for performance of image fusion, Electronics Letters 38, 2002. As in
    VIFB, every image is stretched to 0..255 first and the logarithm is the natural one.
    """
    return (_mutual(a, fused)[0] + _mutual(b, fused)[0]) * float(np.log(2.0))


def nmi(fused: Plane, a: Plane, b: Plane) -> float:
    """Normalised mutual information, 0..2, higher is better.

    M. Hossny, S. Nahavandi, D. Creighton, Comments on "Information measure for performance of image fusion",
    Electronics Letters 44, 2008. Every image is stretched to 0..255 first.
    """
    return 2 * sum(_ratio(*_mutual(source, fused)) for source in (a, b))


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole > 0 else 0.0


def qncie(fused: Plane, a: Plane, b: Plane) -> float:
    """Nonlinear correlation information entropy, 0..1 (in practice .80 to .84), higher is better.

    Q. Wang, Y. Shen, J. Jin, Performance evaluation of image fusion techniques, in Image Fusion: Algorithms and
    Applications, 2008. Every image is stretched to 0..255 first; entropies to base 256.
    """
    ab, af, bf = (_mutual(x, y)[0] / 8 for x, y in ((a, b), (a, fused), (b, fused)))
    correlation = np.array([[1.0, ab, af], [ab, 1.0, bf], [af, bf, 1.0]])
    parts = np.clip(np.linalg.eigvalsh(correlation), 0.0, None) / 3
    return 1 - _entropy(parts) / 8


def te(fused: Plane, a: Plane, b: Plane) -> float:
    """Mutual information by Tsallis entropy of order 1.85. Not for ranking.

    N. Cvejic, C. Canagarajah, D. Bull, Image fusion metric based on mutual information and Tsallis entropy, Electronics
    Letters 42, 2006. MEFB's code exchanges the marginals, and so does this function: the values match theirs and
    mean little.
    """
    return _tsallis(a, fused) + _tsallis(b, fused)


def _tsallis(x: Plane, y: Plane, order: float = 1.85) -> float:
    joint = x.joint(y)
    swapped = np.outer(joint.sum(axis=0), joint.sum(axis=1))
    some = swapped > 0
    total = float((joint[some] ** order / swapped[some] ** (order - 1)).sum())
    return (1 - total) / (1 - order)
