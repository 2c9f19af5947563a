"""Align one picture to another: recognise a registered pair, else search, refine, choose a model, judge the result."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from tita_cli.align.alike import estimate_alike
from tita_cli.align.ecc import compare, correlation, refine
from tita_cli.align.estimator import ACCEPTED, Estimate
from tita_cli.align.evidence import Judged, Votes, gain, halves, judge, residual, vote
from tita_cli.align.geometry import (
    FRAME,
    Matrix,
    corner_error,
    displacement,
    is_sane,
    normalized,
    resizing,
)
from tita_cli.align.levels import FEW_POINTS, POINTS, Level
from tita_cli.align.modes import MATRIX_MODELS, Model
from tita_cli.align.motion import projected
from tita_cli.align.polish import polish
from tita_cli.align.search import by_features, search
from tita_cli.align.structure import Field, FieldOf, View, gradient_field, orientation_field, reduced
from tita_cli.images.picture import Picture

LONGEST = 2048
"""The longer side, in pixels, that estimation works on at most: a sample there is precise to a tenth of a pixel."""

_SEARCHED, _SEARCHED_WIDELY = 128, 192
_COARSE, _MIDDLE = 160, 320
_SMALL = 640  # px of the longer side of a view, however many a stack holds
_SMALLEST = 96  # px: smaller pictures hold too little to tell chance from agreement
_STILL_ACROSS = 8.0  # px on a 640-px-wide frame: published rigs are off by as much, and estimates by half of it
_SHARP = 0.2  # the same: a residual from which the two differ in focus
_SAME_KIND = 0.3  # correlation of signed gradients from which two pictures are of one kind
_SURE = 2.0  # t-value from which a richer model explains a pair better
_SAME = 0.2  # px on a 640-px-wide frame: a richer model that differs less from a simpler one is not worth it
_ROUNDS = 10  # of fitting are enough to see whether a pair moves
_MOVES = 3.0  # t-value from which a pair that agrees as it is is moved all the same
_DEVIATIONS, _SPREAD = 5.0, 6.0  # at which either criterion alone halves the confidence
_AS_GIVEN = 3.0  # deviations that do so where nothing was searched, so that nothing was found by chance


def field_for(reference: Field, source: Field) -> FieldOf:
    """The field in which two planes of one frame are best compared."""
    one, two = (View(plane, (plane.shape[1], plane.shape[0])) for plane in (reference, source))
    return _Pair(one, two).kind(np.eye(3))[0]


class PairEstimator:
    """tita's estimator: vector fields of edges, aligned by ECC, and judged block by block."""

    def view(self, picture: Picture, pixels: int | None = None) -> View:
        if pixels is None:
            return View.of(picture, LONGEST)
        longest = math.sqrt(pixels * max(picture.width, picture.height) / min(picture.width, picture.height))
        return View.of(picture, max(_SMALL, min(round(longest), LONGEST)))

    def near(self, reference: View, source: View, guess: Matrix, *, most: Model = "homography") -> Estimate | None:
        return estimate_alike(reference, source, guess, most, exact=True, settled=True)

    def estimate(self, reference: View, source: View, *, most: Model = "homography", exact: bool = False) -> Estimate:
        pair = _Pair(reference, source)
        start = resizing(source.full, reference.full)
        if pair.is_too_small:
            return Estimate("none", start, 0.0, None, False)
        alike = pair.alike(start, most, exact, settled=False)
        if alike is not None and alike.accepted:
            return alike
        registered = None if exact else pair.recognized(start)
        if registered is not None:
            return registered
        models = (most,) if exact else MATRIX_MODELS[: MATRIX_MODELS.index(most) + 1]
        best = pair.refined(pair.near(start), models, start)
        if not best.accepted:
            for candidate in pair.featured():
                alike = pair.alike(candidate, most, exact, settled=True)
                best = best if alike is None else max(best, alike, key=lambda one: one.confidence)
        # Pictures of one size are rarely of other fields of view, and the wide search takes most of the time.
        if not best.accepted and (exact or not np.allclose(start, np.eye(3))):
            best = max(best, pair.refined(pair.far(start), models, start), key=lambda one: one.confidence)
        if not exact and best.accepted and pair.tolerates(start, best):
            return replace(best, model="none", matrix=start)
        return best

    def measure(self, reference: View, source: View, matrix: Matrix) -> Estimate:
        pair = _Pair(reference, source)
        return Estimate("homography", matrix, 0.0, None, False) if pair.is_too_small else pair.measured(matrix)

    def refine(self, reference: View, source: View, found: Estimate) -> Estimate:
        from tita_cli.align.flow import refine_by_flow

        return refine_by_flow(found, reference, source)


class _Drift(NamedTuple):
    """``t``: how much better a pair would match if it were moved, a t-value. ``distance``: how far, and ``spread``: the
    uncertainty of that, both in pixels on a 640-px-wide frame."""

    t: float
    distance: float
    spread: float


class _Pair:
    def __init__(self, reference: View, source: View) -> None:
        self.reference, self.source = reference, source

    @property
    def is_too_small(self) -> bool:
        """Whether the pictures hold too little to tell agreement from chance."""
        return bool(min(*self.reference.plane.shape, *self.source.plane.shape) < _SMALLEST)

    def level(self, longest: int, field_of: FieldOf, points: int, near: Matrix) -> Level:
        return Level.of(self.reference, self.source, longest, field_of, points, near)

    # -- where to start -----------------------------------------------------------------------------------------------

    def near(self, start: Matrix) -> list[Matrix]:
        """Motions within some degrees and percent of ``start``, with any shift."""
        return [*self._searched(_SEARCHED, np.arange(-4.0, 5.0, 2.0), 1.03 ** np.arange(-2.0, 3.0), 0.5), start]

    def far(self, start: Matrix) -> list[Matrix]:
        """Other fields of view: a source that shows a fifth of what the reference shows, or twice as much."""
        return self._searched(_SEARCHED_WIDELY, (-4.0, 0.0, 4.0), 1.07 ** np.arange(-24.0, 11.0), 0.7)

    def alike(self, start: Matrix, most: Model, exact: bool, *, settled: bool) -> Estimate | None:
        """The estimate for two pictures of one kind, polished where they differ in focus; None where they are not."""
        found = estimate_alike(self.reference, self.source, start, most, exact=exact, settled=settled)
        if found is None or not found.accepted or found.model == "none" or found.residual is None:
            return found
        if found.residual * FRAME / self.reference.full[0] < _SHARP:
            return found
        matrix = polish(self.reference, self.source, found.matrix, found.model)
        return replace(found, matrix=matrix, unfitted=matrix)

    def featured(self) -> list[Matrix]:
        """The motion of local features: for large motion between pictures of one kind."""
        planes = [reduced(view.plane, 800) for view in (self.reference, self.source)]
        found = by_features(planes[0], planes[1])
        return [] if found is None else [self._full(found.matrix, planes)]

    def _searched(
        self, longest: int, rotations: Iterable[float], scales: Iterable[float], overlap: float
    ) -> list[Matrix]:
        planes = [reduced(view.plane, longest) for view in (self.reference, self.source)]
        found = search(
            planes[0], planes[1], orientation_field, rotations=rotations, scales=scales, least_overlap=overlap
        )
        return [self._full(place.matrix, planes) for place in found[:3]]

    def _full(self, matrix: Matrix, planes: list[Field]) -> Matrix:
        """A matrix between reduced planes, between the full pictures."""
        to_reference, to_source = (
            resizing(view.full, (plane.shape[1], plane.shape[0]))
            for view, plane in zip((self.reference, self.source), planes, strict=True)
        )
        return normalized(np.linalg.inv(to_reference) @ matrix @ to_source)

    # -- where to end -------------------------------------------------------------------------------------------------

    def recognized(self, start: Matrix) -> Estimate | None:
        """The estimate "none" where the pictures are registered already; None where that is not clear."""
        if not np.allclose(start, np.eye(3)):
            return None
        field_of, _ = self.kind(start)
        if field_of is gradient_field:
            return None  # what is of one kind and registered, tracked points show
        confidence = _confidence(self.votes(start, field_of, FEW_POINTS // 2), 0.0, _AS_GIVEN)
        if confidence < ACCEPTED:
            return None
        level = self.level(_MIDDLE, field_of, POINTS // 2, start)
        drift = self._drift(level)
        significant = drift.t > _MOVES and drift.distance * drift.t > 2.0 * _MOVES * drift.spread
        if significant and drift.distance > _STILL_ACROSS:
            return None
        return Estimate("none", start, confidence, self.left(level, start), False)

    def _drift(self, level: Level) -> _Drift:
        """Where a pair that is taken as registered would match better."""
        parts, unit = halves(level.samples), FRAME / level.samples.size[0]
        models: tuple[Model, ...] = ("none", "affine")
        here, there = (
            judge(parts, level.source, np.eye(3), model, still=_STILL_ACROSS / 100, rounds=_ROUNDS) for model in models
        )
        return _Drift(gain(here, there)[1], there.drift * unit, there.spread * unit)

    def tolerates(self, start: Matrix, found: Estimate) -> bool:
        """Whether two modalities are registered to within the precision of an estimate between them."""
        if found.same_kind or not np.allclose(start, np.eye(3)):
            return False
        off = displacement(found.matrix, start, self.source.full) * FRAME / self.reference.full[0]
        return off < _STILL_ACROSS

    def kind(self, matrix: Matrix) -> tuple[FieldOf, float]:
        """The field in which to compare the pair, and the correlation of its signed gradients, under ``matrix``."""
        level = self.level(_MIDDLE, gradient_field, FEW_POINTS, matrix)
        rho = correlation(compare(level.samples, level.source.field, level.down(matrix)))
        return (gradient_field if rho > _SAME_KIND else orientation_field), rho

    def measured(self, matrix: Matrix) -> Estimate:
        """Confidence and residual of a known ``matrix``."""
        field_of, _ = self.kind(matrix)
        level = self.level(_MIDDLE, field_of, POINTS, matrix)
        still = np.allclose(matrix, resizing(self.source.full, self.reference.full))
        return Estimate(
            "none" if still else "homography", matrix, _confidence(self.votes(matrix, field_of), 0.0, _AS_GIVEN),
            self.left(level, matrix), field_of is gradient_field,
        )  # fmt: skip

    def refined(self, candidates: list[Matrix], models: tuple[Model, ...], start: Matrix) -> Estimate:
        """Refine the candidates, keep the best, choose its model, then refine and polish that."""
        matrix, most = self._coarse(candidates), models[-1]
        if matrix is None:
            return Estimate("none", start, 0.0, None, False)
        level = self.level(_MIDDLE, orientation_field, POINTS, matrix)
        matrix = level.up(refine(level.samples, level.source, level.down(matrix), most)[0])
        field_of, _ = self.kind(matrix)
        same = field_of is gradient_field
        alike = self.alike(matrix, most, len(models) == 1, settled=True) if same else None
        if alike is not None and alike.accepted:
            return alike
        model, matrix, judged = self._chosen(level, level.down(matrix), models, start, 0.0 if same else 1.0)
        confidence = _confidence(self.votes(matrix, field_of), judged.spread * FRAME / level.samples.size[0])
        if not is_sane(matrix, self.source.full):
            confidence = 0.0
        return Estimate(model, matrix, confidence, self.left(level, matrix), same)

    def _coarse(self, candidates: list[Matrix]) -> Matrix | None:
        best, most = None, 0.0
        for candidate in candidates:
            level = self.level(_COARSE, orientation_field, FEW_POINTS, candidate)
            matrix, _ = refine(level.samples, level.source, level.down(candidate), "similarity")
            products = compare(level.samples, level.source.field, matrix)
            score = correlation(products) * math.sqrt(np.count_nonzero(products[:, 1]))
            if score > most and is_sane(level.up(matrix), self.source.full):
                best, most = level.up(matrix), score
        return best

    def votes(self, matrix: Matrix, field_of: FieldOf, points: int = FEW_POINTS) -> Votes:
        """The votes of the blocks on ``matrix``."""
        level = self.level(_MIDDLE, field_of, points, matrix)
        return vote(halves(level.samples), level.source, level.down(matrix))

    def _chosen(
        self, level: Level, laid: Matrix, models: tuple[Model, ...], start: Matrix, least: float
    ) -> tuple[Model, Matrix, Judged]:
        """The simplest model that explains the pair as well as any richer one, by cross-validation: each must be better
        than the one before it by a t-value of ``least`` and differ from it, the first than "none" by ``_SURE``."""
        parts = halves(level.samples)
        unit = self.reference.full[0] / FRAME
        at_start = level.down(start)
        best: Model = "none"
        best_matrix, best_judged = start, judge(parts, level.source, at_start, "none")
        for model in models:
            begin = projected(laid, model, (level.source.field.shape[1], level.source.field.shape[0]))
            judged = judge(parts, level.source, begin, model)
            if gain(best_judged, judged)[1] > (_SURE if best == "none" else least):
                fitted = refine(level.samples, level.source, begin, model)[0]
                if best != "none" and corner_error(level.up(fitted), best_matrix, self.source.full) < unit * _SAME:
                    continue
                best, best_matrix, best_judged = model, level.up(fitted), judged
        return best, best_matrix, best_judged

    def left(self, level: Level, matrix: Matrix) -> float | None:
        """The residual of ``matrix`` in reference pixels."""
        found = residual(halves(level.samples), level.source, level.down(matrix))
        return None if found is None else found / float(level.to_reference[0, 0])


def _confidence(votes: Votes, spread: float, enough: float = _DEVIATIONS) -> float:
    """Two independent criteria in one number: do more blocks agree than by chance, and do the halves of the picture?

    ``spread``: between the halves, in pixels on a 640-px-wide frame. ``enough``: deviations that give a half.
    """
    distinct = 1.0 / (1.0 + math.exp(-(votes.deviations - enough) / 0.5))
    precise = 1.0 / (1.0 + (spread / _SPREAD) ** 4)
    return distinct * precise
