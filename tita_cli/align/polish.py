"""The last refinement between pictures of one kind: at equal sharpness, and only where they agree.

Two focus distances show the same edge at different widths, and blur from the background spreads over the outline of
what is in front of it: a fit to everything is off by a pixel or two. So each place of both pictures is blurred to the
sharpness of the blurrier one (by the pair of blurs after which they are most similar there), and points at which they
still disagree do not count. Nearly every pixel is a sample here; the steps before use a few.
"""

from __future__ import annotations

import cv2
import numpy as np

from tita_cli.align.ecc import Gradients, Samples, refine, sample
from tita_cli.align.geometry import Matrix, mean_scale, normalized, resizing
from tita_cli.align.modes import Model
from tita_cli.align.structure import Field, View, gradient_field, reduced
from tita_cli.images.picture import FloatArray

_SIZE = 640
_LARGEST = 1280  # px of the longer side: an estimate at a higher resolution than this would lose precision
_VIEW = 1.25  # the largest ratio of the scales at which the two show the scene
_POINTS = 100_000
_ROUNDS = 2
_BLURS = (1.0, 1.6, 2.5, 4.0)  # px, of one picture or the other
_FIRST = 0.7  # px, of both: noise is not sharpness
_PRICE = 0.3  # a pixel of blur must lower the mismatch by this share, or sharp edges would be blurred in vain
_DETAIL, _AROUND = 6.0, 5.0  # px: what is compared, and over which neighbourhood
_NOISE = 0.004
_AGREE = 0.6  # |a − b| / (|a| + |b|) of two vectors of the same edge


def polish(reference: View, source: View, matrix: Matrix, model: Model) -> Matrix:
    """``matrix`` (source → reference in full pixels) improved by a motion within ``model``.

    As given where none can be computed, for large pictures, and for pictures of different fields of view.
    """
    view = mean_scale(matrix, source.full) * max(source.full) / max(reference.full)
    if max(reference.longest, source.longest) > _LARGEST or not 1 / _VIEW < view < _VIEW:
        return matrix
    fixed, moving = (reduced(view.plane, _SIZE) for view in (reference, source))
    size, moving_size = (fixed.shape[1], fixed.shape[0]), (moving.shape[1], moving.shape[0])
    to_fixed, to_moving = resizing(reference.full, size), resizing(source.full, moving_size)
    laid = normalized(to_fixed @ matrix @ np.linalg.inv(to_moving))
    for _ in range(_ROUNDS):
        moved = cv2.warpPerspective(moving, laid, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101)
        seen = cv2.warpPerspective(np.ones_like(moving), laid, size) > 0.99
        one, two = (gradient_field(plane) for plane in equally_sharp(fixed, np.asarray(moved)))
        two[~seen] = 0.0
        step, agreement = refine(_agreeing(sample(one, _POINTS), two), Gradients(two), np.eye(3), model)
        if agreement <= -1.0:
            return matrix
        laid = normalized(step @ laid)
    return normalized(np.linalg.inv(to_fixed) @ laid @ to_moving)


def equally_sharp(one: FloatArray, two: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Two luminances H×W of one place, each blurred where it is the sharper one until it matches the other.

    Compared by their detail at unit local contrast, which exposure does not change.
    """
    best, chosen = np.full(one.shape, np.inf, np.float32), (one.copy(), two.copy())
    ones, twos = ([_blurred(plane, float(np.hypot(_FIRST, s))) for s in (0.0, *_BLURS)] for plane in (one, two))
    details_one, details_two = ([_detail(plane) for plane in planes] for planes in (ones, twos))
    for i, j in ((0, 0), *((k, 0) for k in range(1, len(ones))), *((0, k) for k in range(1, len(ones)))):
        off = details_one[i] - details_two[j]
        blur = (0.0, *_BLURS)[max(i, j)]
        mismatch = _blurred(off * off, _AROUND) * np.float32(1.0 + _PRICE * blur)
        better = mismatch < best
        best[better] = mismatch[better]
        for target, plane in zip(chosen, (ones[i], twos[j]), strict=True):
            target[better] = plane[better]
    return chosen


def _agreeing(samples: Samples, other: Field) -> Samples:
    """The samples whose vector is similar to that of the other picture there."""
    vectors = other[samples.y.astype(np.intp), samples.x.astype(np.intp)]
    apart, length = (np.linalg.norm(v, axis=1) for v in (samples.vectors - vectors, vectors))
    return samples.where(apart < _AGREE * (np.linalg.norm(samples.vectors, axis=1) + length + 1e-3))


def _detail(plane: FloatArray) -> FloatArray:
    detail = plane - _blurred(plane, _DETAIL)
    return np.asarray(detail / (np.sqrt(_blurred(detail * detail, _DETAIL)) + np.float32(_NOISE)))


def _blurred(plane: FloatArray, sigma: float) -> FloatArray:
    return np.asarray(cv2.GaussianBlur(plane, (0, 0), sigma))
