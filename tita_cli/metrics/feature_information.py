"""The part of FMI that looks at one pair of windows: normalised mutual information by Nelsen's joint distribution.

Windows of a binary edge map have only 2⁹ patterns, so that a pair is worked out once and looked up ever after.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tita_cli.metrics.plane import Array

_CELLS = 9
_PATTERNS = 1 << _CELLS
_known = np.full(_PATTERNS * _PATTERNS, np.nan)


def information_of_windows(source: npt.NDArray[np.intp], fused: npt.NDArray[np.intp]) -> float:
    """Mean over all windows of the normalised mutual information, 0..1.

    ``source``, ``fused``: N integers, each a 3×3 window of an edge map as nine bits.
    """
    counts = np.bincount(source * _PATTERNS + fused, minlength=_PATTERNS * _PATTERNS)
    pairs = np.flatnonzero(counts)
    new = pairs[np.isnan(_known[pairs])]
    for start in range(0, new.size, 4096):  # 4096 pairs take 9×9 values each: a few megabytes
        chunk = new[start : start + 4096]
        _known[chunk] = _information(*np.divmod(chunk, _PATTERNS))
    return float((_known[pairs] * counts[pairs]).sum() / source.size)


def _information(source: npt.NDArray[np.intp], fused: npt.NDArray[np.intp]) -> Array:
    """2·I(source; fused) / (H(source) + H(fused)) for N pairs of patterns."""
    p, q = _distribution(source), _distribution(fused)
    entropies = _entropy(p) + _entropy(q)
    information = entropies - _entropy(_joint(p, q).reshape(len(p), -1))
    result = np.divide(2 * information, entropies, out=np.zeros_like(entropies), where=entropies > 0)
    result[source == fused] = 1.0
    return result


def _distribution(patterns: npt.NDArray[np.intp]) -> Array:
    """N×9: the window as a probability distribution over its cells; a window all alike counts as uniform."""
    cells = ((patterns[:, None] >> np.arange(_CELLS)) & 1).astype(np.float64)
    cells[patterns == 0] = 1.0
    return np.asarray(cells / cells.sum(axis=1, keepdims=True))


def _joint(p: Array, q: Array) -> Array:
    """N×9×9: the joint distribution with the correlation of ``p`` and ``q``.

    It lies between independence and the Fréchet bound of the correlation's sign (R. B. Nelsen, 1987).
    """
    independent = p[:, :, None] * q[:, None, :]
    cumulated_p, cumulated_q = p.cumsum(axis=1)[:, :, None], q.cumsum(axis=1)[:, None, :]
    correlation = _correlation(p, q)
    negative = (correlation < 0)[:, None, None]
    bound = np.where(negative, np.maximum(cumulated_p + cumulated_q - 1, 0.0), np.minimum(cumulated_p, cumulated_q))
    spread = _deviation(p) * _deviation(q)
    extreme = (bound - cumulated_p * cumulated_q).sum(axis=(1, 2))
    share = np.divide(correlation * spread, extreme, out=np.zeros_like(spread), where=(spread > 0) & (extreme != 0))
    density = np.diff(np.diff(bound, axis=1, prepend=0.0), axis=2, prepend=0.0)
    share = share[:, None, None]
    return np.asarray(share * density + (1 - share) * independent)


def _correlation(p: Array, q: Array) -> Array:
    p, q = p - p.mean(axis=1, keepdims=True), q - q.mean(axis=1, keepdims=True)
    common = (p * q).sum(axis=1)
    scale = np.sqrt((p * p).sum(axis=1) * (q * q).sum(axis=1))
    # A uniform window deviates by round-off only: no correlation.
    related = (np.abs(common) > 1e-15) & (scale > 1e-15)
    return np.asarray(np.divide(common, scale, out=np.zeros_like(common), where=related))


def _deviation(p: Array) -> Array:
    """Standard deviation of the cell's index under ``p``."""
    index = np.arange(1.0, _CELLS + 1)
    variance = (p * index**2).sum(axis=1) - (p * index).sum(axis=1) ** 2
    return np.sqrt(np.where(variance > 1e-12, variance, 0.0))


def _entropy(p: Array) -> Array:
    """N×M to N, bits. Round-off may leave a weight of the joint distribution just below zero: count its size."""
    size = np.abs(p)
    return np.asarray(-(p * np.log2(np.where(size > 1e-15, size, 1.0))).sum(axis=1))
