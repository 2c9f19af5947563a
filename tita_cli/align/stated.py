"""Pictures whose files state how one lies in the other: the counts and the photograph of a radiometric JPEG, or the
focal lengths of two lenses side by side.

What a camera states holds at one distance and is some pixels off at others, so it is refined: the source is brought to
where it should lie, and compared with the part of the reference that it then covers.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import cv2
import numpy as np

from tita_cli.align.estimator import Estimate, Estimator
from tita_cli.align.geometry import (
    Matrix,
    Size,
    corners,
    displacement,
    inverse,
    normalized,
    resizing,
    scaling,
    transform,
    translating,
)
from tita_cli.align.modes import Model
from tita_cli.align.motion import richer, simpler
from tita_cli.align.structure import View

_OFF = 0.05  # of the width of what both show: what a camera states of its two views is not wrong by more
OFF_LENSES = 0.1  # focal lengths are rounded, and lenses do not look exactly the same way


class Stated(NamedTuple):
    """``matrix``: source → reference. ``by``: what states it, for messages. ``off``: how wrong it may be, of the width
    of what both show. ``may_fail``: a picture may have been cropped or zoomed since, so what is found elsewhere counts
    for more. ``stands``: it counts where nothing confirms it; else it is where the search begins."""

    matrix: Matrix
    by: str = "its file states"
    off: float = _OFF
    may_fail: bool = False
    stands: bool = True


def by_focal_lengths(source: Size, own: int, reference: Size, theirs: int) -> Stated | None:
    """How two lenses that look the same way lie in each other, by their focal lengths for film of 35 mm, that is, for
    equal diagonals. None for pictures of one size, which may have been brought into one frame."""
    if source == reference:
        return None
    scale = theirs * float(np.hypot(*reference)) / (own * float(np.hypot(*source)))
    shift = (np.array(reference) - 1 - scale * (np.array(source) - 1)) / 2
    return Stated(translating(*shift) @ scaling(scale), "EXIF's focal lengths state", OFF_LENSES, may_fail=True)


def refine_stated(
    estimator: Estimator, reference: View, source: View, stated: Matrix, *, most: Model, exact: bool, off: float = _OFF
) -> tuple[Estimate, bool]:
    """The motion of ``source`` in the frame of ``reference``, and whether it was refined or is ``stated``.

    ``off``: of the width of what both show, how wrong ``stated`` may be. ``most``, ``exact``: as the estimator has
    them; the two lenses of a camera do not turn, so unless it is exact the richest model is a similarity.
    """
    views = _laid(reference, source, stated)
    if views is None:
        return replace(estimator.measure(reference, source, stated), model="similarity"), False
    part, laid, corner = views
    most = most if exact else simpler(most, "similarity")
    found = estimator.estimate(part, laid, most=most, exact=exact)
    refined = found.accepted and displacement(found.matrix, np.eye(3), part.full) < off * part.full[0]
    if not refined:
        found = estimator.measure(part, laid, np.eye(3))
    onward = translating(*corner) @ found.matrix @ translating(-corner[0], -corner[1])
    return replace(
        found,
        model=richer(found.model, "similarity") if refined else "similarity",
        matrix=normalized(onward @ stated),
        unfitted=None,
        covariance=None,
    ), refined


def _laid(reference: View, source: View, stated: Matrix) -> tuple[View, View, tuple[float, float]] | None:
    """The part of ``reference`` that ``source`` shows, ``source`` laid over it, and the part's corner in full pixels.

    None where that is nothing.
    """
    points = transform(stated, corners(source.full))
    ratios = np.array(reference.plane.shape[::-1]) / reference.full
    low = np.ceil(np.maximum(points.min(axis=0), 0) * ratios).astype(int)
    high = np.floor(np.minimum(points.max(axis=0) + 1, reference.full) * ratios).astype(int)
    if (high - low < 2).any():
        return None
    (left, top), (right, bottom) = low.tolist(), high.tolist()
    size, full = (right - left, bottom - top), tuple(round(float(side)) for side in (high - low) / ratios)
    corner = float(left / ratios[0]), float(top / ratios[1])
    to_plane = resizing(reference.full, reference.plane.shape[::-1])
    from_plane = inverse(resizing(source.full, source.plane.shape[::-1]))
    matrix = translating(-left, -top) @ to_plane @ stated @ from_plane
    laid = cv2.warpPerspective(source.plane, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    part = np.ascontiguousarray(reference.plane[top:bottom, left:right])
    return View(part, (full[0], full[1])), View(np.asarray(laid), (full[0], full[1])), corner
