"""Transparency of the sources: where each counts, and what the fused picture shows.

A source counts where it is opaque. Where only one is, the result is that one, untouched by the network; where both
are, it is the fused value; between, it is a blend. The result is opaque where any source is.
"""

from __future__ import annotations

import numpy as np

from tita_cli.images.picture import FloatArray


def union_alpha(a: FloatArray | None, b: FloatArray | None) -> FloatArray | None:
    """The alpha of a picture fused from sources with these, H×W in 0..1; None is opaque everywhere."""
    if a is None or b is None:
        return None
    return np.maximum(a, b)


def fill_transparent(
    a: FloatArray, alpha_a: FloatArray | None, b: FloatArray, alpha_b: FloatArray | None
) -> tuple[FloatArray, FloatArray]:
    """What the network should see of two planes, H×W: the other source shines through where one is transparent.

    So neither the arbitrary values behind transparency nor an edge around them reaches the network.
    """
    seen_a = a if alpha_a is None else _over(a, alpha_a, b, alpha_b)
    seen_b = b if alpha_b is None else _over(b, alpha_b, a, alpha_a)
    return seen_a, seen_b


def limit_to_alpha(
    fused: FloatArray, a: FloatArray, alpha_a: FloatArray | None, b: FloatArray, alpha_b: FloatArray | None
) -> FloatArray:
    """``fused`` where both sources count, and the one that does elsewhere; planes H×W or H×W×C."""
    if alpha_a is None and alpha_b is None:
        return fused
    opaque = np.ones(fused.shape[:2], np.float32)
    weight_a = _like(opaque if alpha_a is None else alpha_a, fused)
    weight_b = _like(opaque if alpha_b is None else alpha_b, fused)
    both, either = np.minimum(weight_a, weight_b), np.maximum(weight_a, weight_b)
    share_of_fused = _share(both, either)
    only = np.where(weight_a > weight_b, a, b)
    limited: FloatArray = only + share_of_fused * (fused - only)
    return limited


def _over(front: FloatArray, alpha: FloatArray, back: FloatArray, back_alpha: FloatArray | None) -> FloatArray:
    """``front`` laid over ``back``; where neither is opaque the values of ``front`` stay."""
    behind = (1 - alpha) if back_alpha is None else (1 - alpha) * back_alpha
    share = _share(alpha, alpha + behind)
    mixed: FloatArray = back + share * (front - back)
    return mixed


def _share(part: FloatArray, whole: FloatArray) -> FloatArray:
    """``part / whole``, and 1 where there is nothing to share."""
    share: FloatArray = np.divide(part, whole, out=np.ones_like(whole), where=whole > 0)
    return share


def _like(weight: FloatArray, values: FloatArray) -> FloatArray:
    return weight if values.ndim == 2 else weight[..., None]
