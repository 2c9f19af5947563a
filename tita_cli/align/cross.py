"""Align pictures of two modalities: infrared and visible, and other sensors that show a scene unlike each other.

Patches of dense features are matched coarse to fine (``canvas``, ``matching``), and a motion is fitted to what they
agree on (``fitting``). Its evidence against chance and its precision give the confidence.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from tita_cli.align.canvas import Canvas
from tita_cli.align.displacements import matrix_of, parameters_of
from tita_cli.align.estimator import ACCEPTED, Estimate
from tita_cli.align.fitting import Fit, disagreement, fit, starts
from tita_cli.align.geometry import FRAME, Matrix, corner_error, is_sane, mean_scale, normalized
from tita_cli.align.matching import Matches
from tita_cli.align.modes import MATRIX_MODELS, Model
from tita_cli.align.motion import projected
from tita_cli.align.search import fields_of_view
from tita_cli.align.structure import View
from tita_cli.align.turned import turned_starts

_STILL = 4.0  # px at the corners of a 640-px-wide frame: what published registered pairs are off by, as a rule
_SURELY_STILL, _SURE = 3.0, 0.97  # px there and confidence: other starts would change either by less than is left
_INDISTINCT = 3.0  # nats: a motion with no more evidence than this over none is none
# From training pairs put off by known motions and pictures of two scenes (bench/align_odds.py): wrong ones reach 60
# nats there, right ones begin at 85. Stricter, since the features were trained on those: two roads at night reach 78.
_EVIDENCE, _PER_NAT = 80.0, 8.0  # nats at which the evidence alone gives a confidence of a half, and its scale
_SPREAD, _STEEP = 9.0, 6.0  # px on a 640-px-wide frame, at which the precision alone does, and how steeply
_SEARCHED = 20.0  # nats less for what was found among many starts: the best of them agrees better by chance
_PROMISING, _STANDS_OUT = 8.0, 20.0  # nats that a start needs to be followed, and the best of many starts
_ORIENTED = 22.0  # nats as the source lies, from which it is not turned: chance gives up to 20


class _Stage(NamedTuple):
    """The canvas's longer side in pixels; reach and distance of patches in pixels of its features."""

    longest: int
    reach: int
    step: int


_COARSE, _FINE = _Stage(320, 12, 16), _Stage(640, 12, 24)
_SCREEN = _Stage(320, 12, 32)  # of many starts: patches that do not overlap
# Starts beside the first, in px of the features, see ``displacements``; chosen to be unlike each other.
_DISTURBANCES = np.array([
    [3.0, -3.0, 2.0, 2.0, 1.0, -1.0, 1.0, 1.0],
    [-3.0, 3.0, -2.0, 2.0, 1.0, 1.0, -1.0, 1.0],
    [3.0, 3.0, 2.0, -2.0, -1.0, 1.0, 1.0, -1.0],
])  # fmt: skip
_HIGHER = 0.5  # nats by which the score of a fit from a disturbed start is higher, where the first is given up for it
_AGREED = 1.0  # px of the features at the corners, from one end to another: more starts would bring nothing
_LIGHTER = 4.0  # nats by which a score is lower, where its fit counts for 1/e of the best: the patches share errors
_ENOUGH = 2.5  # px of the features: after a step that was smaller, resampling again brings nothing


@dataclass(frozen=True)
class Found:
    """A motion ``matrix`` and the evidence for it on a canvas.

    ``start``: where it was sought from, and ``base``: the evidence there. ``searched``: nats that it has to give up,
    since it is the best of many starts.
    """

    matrix: Matrix
    fit: Fit
    canvas: Canvas
    base: Fit
    start: Matrix
    searched: float = 0.0

    @property
    def spread(self) -> float:
        """Of the corners, in pixels of a frame 640 pixels wide that the overlap fills."""
        return self.fit.spread(self.canvas.field_size) * FRAME / max(self.canvas.field_size)

    @property
    def confidence(self) -> float:
        return confidence_of(self.fit.evidence - self.searched, self.spread)

    @property
    def residual(self) -> float | None:
        """In pixels of the reference."""
        return None if self.fit.residual is None else self.fit.residual * self.canvas.pixel()


class _End(NamedTuple):
    """What a fit on the finer canvas came to; the motion (source → reference) of the richest model, and its score."""

    found: Found
    richest: Matrix
    score: float


def confidence_of(evidence: float, spread: float) -> float:
    """0..1, from the evidence (nats) and the spread (px on a 640-px-wide frame)."""
    distinct = 1.0 / (1.0 + math.exp(-(evidence - _EVIDENCE) / _PER_NAT))
    return distinct / (1.0 + math.pow(spread / _SPREAD, _STEEP))


def estimate_across(
    reference: View, source: View, start: Matrix, most: Model, *, exact: bool = False, wide: bool = True
) -> Estimate:
    """The motion between two pictures of one scene by different sensors, sought near ``start`` (source → reference).

    ``wide``: whether also pictures of other fields of view are tried. Without ``exact``, a motion that the data cannot
    tell from ``start``, or that is too small to matter, is ``start`` of the model "none".
    """
    pair = _Pair(reference, source, start)
    models = (most,) if exact else ("none", *MATRIX_MODELS[: MATRIX_MODELS.index(most) + 1])
    near = pair.coarse(start, _COARSE)
    if not exact and near is not None and pair.is_registered(near):
        return Estimate("none", start, confidence_of(near.base.evidence, near.spread), near.residual, False)
    return pair.chosen(pair.strongest(near, models, wide), exact)


def found_across(reference: View, source: View, start: Matrix) -> Found | None:
    """The homography near ``start`` with the most evidence, whatever its confidence; None where there is none."""
    pair = _Pair(reference, source, start)
    return pair.strongest(pair.coarse(start, _COARSE), ("homography",), wide=False)


def estimate_turned(reference: View, source: View, start: Matrix) -> Estimate | None:
    """The motion of a source that is turned by quarter turns or mirrored; None where it is not, as far as ``start``
    (source → reference) and each of them show."""
    pair = _Pair(reference, source, start)
    near = pair.coarse(start, _SCREEN, 1)
    if near is not None and near.fit.evidence > _ORIENTED:
        return None
    best = pair.best(turned_starts(source.full, reference.full))
    if best is None:
        return None
    pair.start = best.start
    return pair.chosen(pair.refined(best, MATRIX_MODELS), exact=True)


def measure_across(reference: View, source: View, matrix: Matrix) -> Estimate:
    """Confidence and residual of a known ``matrix``."""
    found = _Pair(reference, source, matrix).measured()
    if found is None:
        return Estimate("homography", matrix, 0.0, None, False)
    return Estimate("homography", matrix, found.confidence, found.residual, False)


class _Pair:
    def __init__(self, reference: View, source: View, start: Matrix) -> None:
        self.reference, self.source, self.start = reference, source, start

    def coarse(self, matrix: Matrix, stage: _Stage, count: int = 3) -> Found | None:
        """The best motion near ``matrix``, from the ``count`` best similarities there, and its evidence."""
        canvas = Canvas.of(self.reference, self.source.full, matrix, stage.longest)
        matches = canvas.matches(self.source, matrix, reach=stage.reach, step=stage.step)
        if not len(matches):
            return None
        size, zero = canvas.field_size, np.zeros(8)
        fits = [fit(matches, size, start, zero, "affine") for start in (*starts(matches, size, count), zero)]
        best = max(fits, key=lambda one: one.evidence)
        return self._found(canvas, matrix, best, fit(matches, size, zero, zero, "none"), matrix)

    def _found(self, canvas: Canvas, matrix: Matrix, best: Fit, base: Fit, start: Matrix) -> Found | None:
        moved = canvas.moved(matrix, matrix_of(best.parameters, canvas.field_size))
        sane = is_sane(normalized(moved @ np.linalg.inv(start)), self.reference.full)
        return Found(moved, best, canvas, base, start) if sane else None

    def best(self, candidates: Iterable[Matrix]) -> Found | None:
        """The candidate with the most evidence after a coarse fit; None where none stands out."""
        found = [one for one in (self.coarse(matrix, _SCREEN, 1) for matrix in candidates) if one is not None]
        best = max(found, key=lambda one: one.fit.evidence, default=None)
        return None if best is None or best.fit.evidence < _STANDS_OUT else replace(best, searched=_SEARCHED)

    def strongest(self, near: Found | None, models: tuple[Model, ...], wide: bool) -> Found | None:
        """``near`` refined; where there is little evidence for that, also what other fields of view lead to."""
        best = None if near is None else self.refined(near, models)
        if wide and (best is None or best.fit.evidence < _EVIDENCE):
            one, two = self.reference, self.source
            far = self.best(fields_of_view(one.plane, two.plane, one.full, two.full))
            other = None if far is None else self.refined(far, models)
            if other is not None and (best is None or other.confidence > best.confidence):
                best = other
        return best

    def is_registered(self, near: Found) -> bool:
        """Whether there is no motion that the data can tell from none, or none that matters."""
        if confidence_of(near.base.evidence, near.spread) < ACCEPTED:
            return False
        off = self.off(near.matrix)
        return off < _STILL or (off < 1.5 * _STILL and near.fit.evidence - near.base.evidence < _INDISTINCT)

    def off(self, matrix: Matrix) -> float:
        """How far ``matrix`` moves the corners, in pixels on a 640-px-wide frame that the source fills."""
        width = self.source.full[0] * mean_scale(self.start, self.source.full)
        return corner_error(matrix, self.start, self.source.full) * FRAME / max(width, 1e-9)

    def refined(self, near: Found, models: tuple[Model, ...]) -> Found | None:
        """``near`` on a finer canvas, by the model that the evidence is for."""
        if near.fit.evidence < _PROMISING:
            return near
        canvas = Canvas.of(self.reference, self.source.full, near.matrix, _FINE.longest)
        end = self._converged(canvas, near.matrix, models, near)
        if end is None or end.found.confidence < ACCEPTED or (models[0] == "none" and self._is_still(end)):
            return None if end is None else end.found
        return self._settled(canvas, end, models, near)

    def _is_still(self, end: _End) -> bool:
        """Whether ``end`` leaves the source where it is, whatever other starts come to."""
        off = max(self.off(end.found.matrix), self.off(end.richest))
        return off < _SURELY_STILL and end.found.confidence > _SURE

    def _settled(self, canvas: Canvas, end: _End, models: tuple[Model, ...], near: Found) -> Found | None:
        """The mean of ``end`` and of where disturbed starts lead, as precise as those agree; None where those lead
        nowhere. Its model is that of the highest peak."""
        ends = [end]
        for disturbance in _DISTURBANCES:
            disturbed = canvas.moved(end.richest, matrix_of(disturbance, canvas.field_size))
            other = self._converged(canvas, disturbed, models[-1:], near)
            if other is not None:
                ends.append(other)
                if corner_error(other.richest, end.richest, self.source.full) < _AGREED * canvas.pixel():
                    break
        if len(ends) == 1:
            return None
        best = max(ends, key=lambda one: one.score)
        better = self._converged(canvas, best.richest, models, near) if best.score > end.score + _HIGHER else None
        if better is not None:
            end, ends = better, [better, *(one for one in ends if one is not best)]
        off = np.array([
            parameters_of(canvas.offset(end.richest, one.richest), canvas.field_size) for one in ends
        ])  # fmt: skip
        weights = np.exp(np.minimum([one.score - end.score for one in ends], 0.0) / _LIGHTER)
        weights /= weights.sum()
        mean = weights @ off
        scatter = (off - mean).T @ (off - mean) / (len(ends) - 1)
        covariance = end.found.fit.covariance + scatter * float(weights @ weights)
        moved = canvas.moved(end.found.matrix, matrix_of(mean, canvas.field_size))
        return replace(end.found, matrix=moved, fit=replace(end.found.fit, covariance=covariance))

    def _converged(self, canvas: Canvas, matrix: Matrix, models: tuple[Model, ...], near: Found) -> _End | None:
        """Where the patches lead from ``matrix``; None where that is no motion."""
        end = None
        for _ in range(2):
            matches = canvas.matches(self.source, matrix, reach=_FINE.reach, step=_FINE.step)
            if not len(matches):
                return None
            best, richest = self._fitted(canvas, matches, matrix, models)
            found = self._found(canvas, matrix, best, near.base, near.start)
            if found is None:
                return None
            end = _End(
                replace(found, searched=near.searched),
                canvas.moved(matrix, matrix_of(richest.parameters, canvas.field_size)),
                richest.score,
            )
            moved = corner_error(found.matrix, matrix, self.source.full) / canvas.pixel()
            matrix = found.matrix
            if moved < _ENOUGH:
                break
        return end

    def _fitted(self, canvas: Canvas, matches: Matches, matrix: Matrix, models: tuple[Model, ...]) -> tuple[Fit, Fit]:
        """The fits by the model that the evidence is for, and by the last of ``models``, the richest."""
        size = canvas.field_size
        known = parameters_of(canvas.offset(self.start, matrix), size)
        fits = [fit(matches, size, np.zeros(8), known, model) for model in models]
        # How well a motion is known is what the richest model says: a simpler one is chosen, not true.
        richest = fits[-1]
        covariance = richest.covariance + disagreement(matches, size, richest, known)
        return replace(max(fits, key=lambda one: one.score), covariance=covariance), richest

    def measured(self) -> Found | None:
        """The evidence for ``start`` itself."""
        canvas = Canvas.of(self.reference, self.source.full, self.start, _FINE.longest)
        matches = canvas.matches(self.source, self.start, reach=_FINE.reach, step=_FINE.step)
        if not len(matches):
            return None
        here = fit(matches, canvas.field_size, np.zeros(8), np.zeros(8), "none")
        return self._found(canvas, self.start, here, here, self.start)

    def chosen(self, best: Found | None, exact: bool) -> Estimate:
        if best is None:
            return Estimate("none", self.start, 0.0, None, False)
        model, matrix = best.fit.model, best.matrix
        if not exact and self.off(matrix) < _STILL:
            model, matrix = "none", self.start
        elif model != "homography":
            onto = normalized(matrix @ np.linalg.inv(self.start))
            matrix = normalized(projected(onto, model, self.reference.full) @ self.start)
        return Estimate(model, matrix, best.confidence, best.residual, False)
