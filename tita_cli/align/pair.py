"""Align one picture to another: recognise a registered pair, else search, refine, choose the model, and doubt the result."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from tita_cli.align.ecc import Gradients, Samples, compare, correlation, gradients, refine, sample
from tita_cli.align.evidence import Judged, gain, halves, judge, residual, significance
from tita_cli.align.geometry import (
    FRAME,
    MODELS,
    RIGID_MODELS,
    Matrix,
    Model,
    is_sane,
    mean_scale,
    normalized,
    projected,
    resizing,
    transform,
)
from tita_cli.align.search import by_features, search
from tita_cli.align.structure import Field, FieldOf, View, gradient_field, orientation_field, reduced

LONGEST = 2048
"""The longer side, in pixels, that estimation works on at most: a sample there is precise to a tenth of a pixel."""

ENOUGH = 0.5
"""The confidence from which an estimate is accepted."""

_SEARCHED, _SEARCHED_WIDELY = 128, 192
_COARSE, _MIDDLE = 160, 320
_FINE = (640, 1280, LONGEST)
_POINTS, _FEW_POINTS = 24_000, 6_000
_STILL = 0.3  # px on a 640-px-wide frame: less is no motion between pictures of one kind
_STILL_ACROSS = 1.5  # and between two modalities, whose edges need not lie in the same place
_SAME_KIND = 0.3  # correlation of signed gradients from which two pictures are of one kind
_SURE = 2.0  # t-value from which a richer model explains a pair better


@dataclass(frozen=True)
class Estimate:
    """How one picture lies in the frame of another.

    ``matrix``: source → reference in full pixels. ``confidence``: 0..1, see ``ENOUGH``. ``residual``: how far small
    blocks still are from where they fit best, median in reference pixels; None where nothing can be measured.
    ``same_kind``: whether the gradients agree in sign, as between two frames of one camera.
    """

    model: Model
    matrix: Matrix
    confidence: float
    residual: float | None
    same_kind: bool

    @property
    def accepted(self) -> bool:
        return self.confidence >= ENOUGH


def estimate(
    reference: View, source: View, *, most: Model = "homography", guess: Matrix | None = None, fixed: bool = False
) -> Estimate:
    """Estimate how ``source`` lies in the frame of ``reference``.

    ``most``: the richest model allowed. ``guess``: where to begin; without it, at the pictures laid over one another
    corner to corner. ``fixed``: keep the guess and only measure it.
    """
    pair = _Pair(reference, source)
    start = resizing(source.full, reference.full) if guess is None else guess
    if fixed or most == "none":
        return pair.measured(start)
    registered = pair.recognized(start)
    if registered is not None:
        return registered
    best = pair.refined(pair.near(start), most, start)
    for candidates in (pair.featured, pair.far):
        if best.accepted:
            break
        other = pair.refined(candidates(start), most, start)
        best = max(best, other, key=lambda one: one.confidence)
    return best


@dataclass(frozen=True)
class _Level:
    """Both pictures at one size, and the matrices from full pixels to that size."""

    samples: Samples
    source: Gradients
    to_reference: Matrix
    to_source: Matrix

    def down(self, matrix: Matrix) -> Matrix:
        return normalized(self.to_reference @ matrix @ np.linalg.inv(self.to_source))

    def up(self, matrix: Matrix) -> Matrix:
        return normalized(np.linalg.inv(self.to_reference) @ matrix @ self.to_source)

    def few(self) -> Samples:
        """Every so many samples: enough to tell agreement from chance."""
        return self.samples.where(np.arange(len(self.samples)) % max(1, len(self.samples) // _FEW_POINTS) == 0)


class _Pair:
    def __init__(self, reference: View, source: View) -> None:
        self.reference, self.source = reference, source

    def level(self, longest: int, field_of: FieldOf, points: int, near: Matrix) -> _Level:
        """Both pictures so small that the one with the narrower view has ``longest`` pixels on its longer side, and that
        their pixels are of one size under ``near``; samples only where both show something."""
        full_r, full_s = max(self.reference.full), max(self.source.full)
        view = mean_scale(near, self.source.full) * full_s / full_r  # of the source's, as a share of the reference's
        view = 1.0 if 0.9 < view < 1.1 else view
        size = min(longest / min(view, 1.0), self.reference.longest, self.source.longest / view)
        reference, to_reference = self.reference.at(max(1, round(size)), field_of)
        source, to_source = self.source.at(max(1, round(size * view)), field_of)
        samples = sample(reference, int(points / min(view, 1.0) ** 2))
        level = _Level(samples, gradients(source), to_reference, to_source)
        return level if view == 1.0 else _Level(_over(level, near), level.source, to_reference, to_source)

    # -- where to begin -----------------------------------------------------------------------------------------------

    def near(self, start: Matrix) -> list[Matrix]:
        """Places within some degrees and percent of ``start``, any shift."""
        return [*self._searched(_SEARCHED, np.arange(-4.0, 5.0, 2.0), 1.03 ** np.arange(-2.0, 3.0), 0.5), start]

    def far(self, start: Matrix) -> list[Matrix]:
        """Other fields of view: a source that shows a fifth of what the reference shows, or twice as much."""
        return self._searched(_SEARCHED_WIDELY, (-4.0, 0.0, 4.0), 1.07 ** np.arange(-24.0, 11.0), 0.7)

    def featured(self, start: Matrix) -> list[Matrix]:
        """What local features say, for large motion between pictures of one kind."""
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
        """The estimate ``none`` where the pictures lie on one another already; None where that is not plain."""
        if not np.allclose(start, np.eye(3)):
            return None
        field_of, rho = self.kind(start)
        same = field_of is gradient_field
        level = self.level(640 if same else _MIDDLE, field_of, _POINTS // 2, start)
        parts = halves(level.samples)
        still = judge(parts, level.source, np.eye(3), "none")
        stands = significance(level.few(), level.source.field, np.eye(3), still.correlation)
        if stands < 4.0 or rho < 0.0:
            return None
        moved = judge(parts, level.source, np.eye(3), "affine")
        unit = FRAME / level.samples.size[0]
        tolerance = _STILL if same else _STILL_ACROSS
        if moved.drift * unit > tolerance and gain(still, moved)[1] > _SURE:
            return None
        confidence = _confidence(stands, moved.spread * unit)
        return Estimate("none", start, max(confidence, ENOUGH), self.left(level, start), same)

    def kind(self, matrix: Matrix) -> tuple[FieldOf, float]:
        """Which field suits the pair, and the correlation of its signed gradients, when laid over by ``matrix``."""
        level = self.level(_MIDDLE, gradient_field, _FEW_POINTS, matrix)
        rho = correlation(compare(level.samples, level.source.field, level.down(matrix)))
        return (gradient_field if rho > _SAME_KIND else orientation_field), rho

    def measured(self, matrix: Matrix) -> Estimate:
        """What can be said of a matrix that is given."""
        field_of, _ = self.kind(matrix)
        level = self.level(_MIDDLE, field_of, _POINTS, matrix)
        laid = level.down(matrix)
        own = judge(halves(level.samples), level.source, laid, "none")
        stands = significance(level.few(), level.source.field, laid, own.correlation)
        still = np.allclose(matrix, resizing(self.source.full, self.reference.full))
        return Estimate(
            "none" if still else "homography", matrix, _confidence(stands, 0.0), self.left(level, matrix),
            field_of is gradient_field,
        )  # fmt: skip

    def refined(self, candidates: list[Matrix], most: Model, start: Matrix) -> Estimate:
        """Refine the candidates, keep the best, choose its model, refine that to the full size."""
        matrix = self._coarse(candidates)
        if matrix is None:
            return Estimate("none", start, 0.0, None, False)
        level = self.level(_MIDDLE, orientation_field, _POINTS, matrix)
        matrix = level.up(refine(level.samples, level.source, level.down(matrix), _least(most, "homography"))[0])
        field_of, _ = self.kind(matrix)
        same = field_of is gradient_field
        if same:
            for longest in _FINE:
                if longest > _FINE[0] and longest / 2 >= max(self.reference.full):
                    break
                level = self.level(longest, field_of, _POINTS, matrix)
                matrix = level.up(refine(level.samples, level.source, level.down(matrix), most)[0])
        model, matrix, judged = self._chosen(level, level.down(matrix), most, start)
        stands = significance(level.few(), level.source.field, level.down(matrix), judged.correlation)
        unit = FRAME / level.samples.size[0]
        confidence = _confidence(stands, judged.spread * unit)
        if not is_sane(matrix, self.source.full):
            confidence = 0.0
        return Estimate(model, matrix, confidence, self.left(level, matrix), same)

    def _coarse(self, candidates: list[Matrix]) -> Matrix | None:
        best, most = None, 0.0
        for candidate in candidates:
            level = self.level(_COARSE, orientation_field, _FEW_POINTS, candidate)
            matrix, _ = refine(level.samples, level.source, level.down(candidate), "similarity")
            products = compare(level.samples, level.source.field, matrix)
            score = correlation(products) * math.sqrt(np.count_nonzero(products[:, 1]))
            if score > most and is_sane(level.up(matrix), self.source.full):
                best, most = level.up(matrix), score
        return best

    def _chosen(self, level: _Level, laid: Matrix, most: Model, start: Matrix) -> tuple[Model, Matrix, Judged]:
        """The simplest model that explains the pair as well as any richer one, judged crosswise."""
        parts = halves(level.samples)
        at_start = level.down(start)
        best: Model = "none"
        best_matrix, best_judged = start, judge(parts, level.source, at_start, "none")
        for model in RIGID_MODELS[: RIGID_MODELS.index(_least(most, "homography")) + 1]:
            begin = projected(laid, model, (level.source.field.shape[1], level.source.field.shape[0]))
            judged = judge(parts, level.source, begin, model)
            if gain(best_judged, judged)[1] > (_SURE if best == "none" else 1.0):
                fitted = refine(level.samples, level.source, begin, model)[0]
                best, best_matrix, best_judged = model, level.up(fitted), judged
        return best, best_matrix, best_judged

    def left(self, level: _Level, matrix: Matrix) -> float | None:
        """The residual of ``matrix`` in reference pixels."""
        found = residual(halves(level.samples), level.source, level.down(matrix))
        return None if found is None else found / float(level.to_reference[0, 0])


def _over(level: _Level, near: Matrix) -> Samples:
    """The samples that lie on the source, or not far from it."""
    height, width = level.source.field.shape[:2]
    points = np.stack([level.samples.x, level.samples.y], axis=1).astype(np.float64)
    x, y = transform(np.linalg.inv(level.down(near)), points).T
    return level.samples.where((x > -0.1 * width) & (x < 1.1 * width) & (y > -0.1 * height) & (y < 1.1 * height))


def _least(first: Model, second: Model) -> Model:
    return min(first, second, key=MODELS.index)


def _confidence(stands: float, spread: float) -> float:
    """Two independent doubts in one number: does the place stand out from its surroundings, and do the halves of the
    picture agree on it (``spread``: pixels on a 640-px-wide frame)?"""
    distinct = 1.0 / (1.0 + math.exp(-(stands - 2.4) / 0.35))
    precise = 1.0 / (1.0 + (spread / 6.5) ** 4)
    return distinct * precise
