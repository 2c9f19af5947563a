"""Align two pictures of one kind, such as frames of a bracket or of a focus stack, by points tracked between them."""

from __future__ import annotations

import math
from typing import Literal, NamedTuple, TypeAlias

import numpy as np

from tita_cli.align.consensus import Fit, agree, simplest
from tita_cli.align.estimator import Estimate
from tita_cli.align.geometry import FRAME, Matrix, grid, inverse, is_sane, normalized, resizing, transform
from tita_cli.align.modes import Model
from tita_cli.align.structure import View
from tita_cli.align.tracks import Tracks, track

Known: TypeAlias = Literal["roughly", "nearly", "closely"]
"""How well a start is known: to within a tenth of the frame, some pixels of a frame 640 wide, some of its own."""

_SIZE = 640
FINE = 1440
"""The longer side, in pixels, at which points are tracked at most: 2048 are twice as many, for some hundredths of a
pixel of a 12-megapixel frame."""

_OCTAVES = 4  # of the first pyramid, which finds what is off by a tenth of the frame
_STILL_OCTAVES = 1  # of what is not off at all, which is tried first
_CERTAIN = 0.9  # the confidence at which few corners are enough
_PRECISE = 0.5  # px of this size: a first estimate that is more certain than that is refined at a larger size at once
_STILL = 0.5  # px at the size of the estimate: less is not worth a resampling
_SUPPORT, _SHARE, _SPREAD = 9.0, 0.25, 2.0  # at which each criterion alone halves the confidence


def estimate_alike(
    reference: View, source: View, start: Matrix, most: Model, *, exact: bool = False, known: Known = "roughly"
) -> Estimate | None:
    """The motion near ``start`` (source → reference) between two pictures of one kind; None where they are not alike.

    ``known``: how well ``start`` is. Without ``exact``, a motion that the points cannot tell from ``start`` is
    ``start``, and of the model "none" where that is a plain resize.
    """
    fit, tracks, matrix, begun = None, None, start, start
    for step in _steps(min(FINE, reference.longest, source.longest), known):
        if fit is not None and (fit.spread < step.needless or _is_repeated(fit, min(step.longest, reference.longest))):
            continue
        tried = track(reference, source, matrix, step.longest, octaves=step.octaves, few=step.few)
        found = agree(tried, most)
        certain = found is not None and confidence_of(found) >= _CERTAIN
        if step.still and not (found is not None and certain and found.distance < _STILL):
            continue
        if found is None:
            break
        if step.few and not certain:
            continue
        to_frame = resizing(reference.full, tried.size)
        fit, tracks, begun = found, tried, matrix
        matrix = normalized(inverse(to_frame) @ found.matrix @ to_frame @ matrix)
    if fit is None or tracks is None or not is_sane(matrix, source.full):
        return None
    to_frame, model, free = resizing(reference.full, fit.size), most, matrix
    if not exact:
        model, matrix = _simplest(fit, tracks, to_frame, matrix, begun, start)
    scale = float(to_frame[0, 0])
    return Estimate(
        model, matrix, confidence_of(fit), fit.residual / scale, True, unfitted=free,
        covariance=fit.covariance / scale**2,
    )  # fmt: skip


def _simplest(
    fit: Fit, tracks: Tracks, to_frame: Matrix, matrix: Matrix, begun: Matrix, start: Matrix
) -> tuple[Model, Matrix]:
    """The simplest model relative to ``start``; of full pixels, as ``matrix``."""
    up = inverse(to_frame)
    moved = normalized(to_frame @ matrix @ inverse(start) @ up)
    offsets = transform(moved, grid(fit.size, 9)) - grid(fit.size, 9)
    if np.median(np.hypot(*offsets.T)) < _STILL:
        return "none", start
    model, simpler = simplest(fit, tracks, moved, normalized(to_frame @ start @ inverse(begun) @ up))
    return model, normalized(up @ simpler @ to_frame @ start)


class _Step(NamedTuple):
    """The size (longer side) at which points are tracked, the octaves of the pyramid, and the spread, in pixels of that
    size, that makes the step needless. ``few``: only some of the corners are tracked, and what they agree on has to be
    certain. ``still``: and that nothing moves."""

    longest: int
    octaves: int
    needless: float = 0.0
    few: bool = False
    still: bool = False


def _is_repeated(fit: Fit, longest: int) -> bool:
    """Whether a step at a size of ``longest`` pixels would compare the very pictures that ``fit`` is of, since what
    that moved is not worth a resampling."""
    return longest == max(fit.size) and fit.distance < _STILL


def _steps(largest: int, known: Known) -> list[_Step]:
    """The steps for pictures of up to ``largest`` pixels."""
    fine = [_Step(largest, 2)] if largest > 1.4 * _SIZE else []
    if known == "closely" and fine:
        return fine
    if known != "roughly":
        return [_Step(_SIZE, 1), *fine]
    first = [
        _Step(_SIZE, _STILL_OCTAVES, few=True, still=True),
        _Step(_SIZE, _OCTAVES, math.inf, few=True),
        _Step(_SIZE, _OCTAVES, math.inf),
    ]
    return [*first, _Step(_SIZE, 1, _PRECISE if fine else 0.0), *fine]


def confidence_of(fit: Fit) -> float:
    """How sure it is that the motion is right to within some pixels: 0..1.

    Three criteria: in how many blocks of the picture points agree, which share of the points does, and how precisely
    that determines where the corners go.
    """
    spread = fit.spread * FRAME / max(fit.size)
    return _above(fit.support, _SUPPORT, 1.5) * _above(fit.share, _SHARE, 0.05) / (1.0 + (spread / _SPREAD) ** 4)


def _above(value: float, half: float, width: float) -> float:
    return 1.0 / (1.0 + math.exp(-(value - half) / width))
