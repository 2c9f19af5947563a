"""Align one picture to another, of one kind or of two: which estimate applies is found by trial."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import cv2
import numpy as np

from tita_cli.align.alike import FINE, Known, estimate_alike
from tita_cli.align.cross import estimate_across, estimate_turned, measure_across
from tita_cli.align.ecc import compare, correlation
from tita_cli.align.estimator import Estimate
from tita_cli.align.evidence import divided, residual, vote
from tita_cli.align.geometry import FRAME, Matrix, inverse, normalized, resizing
from tita_cli.align.levels import FEW_POINTS, POINTS, Level
from tita_cli.align.modes import Model
from tita_cli.align.polish import polish
from tita_cli.align.search import by_features, search
from tita_cli.align.structure import Field, FieldOf, View, gradient_field, orientation_field, reduced
from tita_cli.images.picture import Picture

LONGEST = 2048
"""The longer side, in pixels, that estimation works on at most: a sample there is precise to a tenth of a pixel."""

_LEVEL = 320  # px of the longer side: enough to tell the kind, and to judge a known motion
_FEATURES = 800  # the same, for local features
_SMALL = 640  # px of the longer side of a view, however many a stack holds
_OVERVIEW, _NEAR = 192, 3.0  # px of the longer side at which every shift is tried, and from which it is another place
_SMALLEST = 96  # px: smaller pictures hold too little to tell chance from agreement
# Residuals, px on a 640-px-wide frame: from the first the two differ in focus; from the second no matrix fits them, and
# what fits a part better is no better.
_SHARP, _MISFIT = 0.2, 1.0
_SAME_KIND = 0.3  # correlation of signed gradients from which two pictures are of one kind
# The same under a motion that tracked points agree on: brackets and focus pairs have .7 and more; infrared beside
# visible has at most .5, where some edges agree in sign and those alone would decide.
_SURELY_SAME_KIND = 0.55
_DEVIATIONS = 3.0  # of the blocks' votes from chance, at which a known motion has a confidence of a half


class PairEstimator:
    """tita's estimator: points tracked between pictures of one kind, learned features between modalities."""

    def view(self, picture: Picture, pixels: int | None = None) -> View:
        if pixels is None:
            return View.of(picture, LONGEST)
        longest = math.sqrt(pixels * max(picture.width, picture.height) / min(picture.width, picture.height))
        return View.of(picture, max(_SMALL, min(round(longest), FINE)))

    def near(self, reference: View, source: View, guess: Matrix, *, most: Model = "homography") -> Estimate | None:
        return estimate_alike(reference, source, guess, most, exact=True, known="closely")

    def estimate(
        self, reference: View, source: View, *, most: Model = "homography", exact: bool = False, wide: bool = True
    ) -> Estimate:
        start = resizing(source.full, reference.full)
        if _is_too_small(reference, source):
            return Estimate("none", start, 0.0, None, False)
        refused: list[Estimate] = []
        for found in _tried(reference, source, start, most, exact, wide):
            if found.accepted:
                return found
            refused.append(found)
        return max(refused, key=lambda one: one.confidence)

    def measure(self, reference: View, source: View, matrix: Matrix) -> Estimate:
        if _is_too_small(reference, source):
            return Estimate("homography", matrix, 0.0, None, False)
        if _correlation(reference, source, matrix) <= _SAME_KIND:
            return measure_across(reference, source, matrix)
        return _measured(reference, source, matrix)

    def refine(self, reference: View, source: View, found: Estimate) -> Estimate:
        from tita_cli.align.flow import refine_by_flow

        return refine_by_flow(found, reference, source)


def field_for(reference: Field, source: Field) -> FieldOf:
    """The field in which two planes of one frame are best compared."""
    one, two = (View(plane, (plane.shape[1], plane.shape[0])) for plane in (reference, source))
    return gradient_field if _correlation(one, two, np.eye(3)) > _SAME_KIND else orientation_field


def _is_too_small(reference: View, source: View) -> bool:
    """Whether the pictures hold too little to tell agreement from chance."""
    return bool(min(*reference.plane.shape, *source.plane.shape) < _SMALLEST)


def _correlation(reference: View, source: View, matrix: Matrix) -> float:
    """Of signed gradients under ``matrix``: high where two pictures are of one kind."""
    level = Level.of(reference, source, _LEVEL, gradient_field, FEW_POINTS, matrix)
    return correlation(compare(level.samples, level.source.field, level.down(matrix)))


def _tried(reference: View, source: View, start: Matrix, most: Model, exact: bool, wide: bool) -> Iterator[Estimate]:
    """Estimates in the order in which they are to be tried: the cheapest and most precise first."""
    if (here := _alike(reference, source, start, most, exact, "roughly")) is not None:
        yield here
    if (place := _elsewhere(reference, source, start)) is not None:
        shifted = _alike(reference, source, place, most, exact, "roughly")
        if shifted is not None:
            yield _there(shifted)
    across = estimate_across(reference, source, start, most, exact=exact, wide=wide)
    yield _judged(reference, source, across, most, exact) if across.accepted else across
    if not wide:
        return
    for matrix in _featured(reference, source):
        alike = _alike(reference, source, matrix, most, exact, "nearly")
        if alike is not None and alike.accepted:
            yield _there(alike)
    turned = None if exact else estimate_turned(reference, source, start)
    if turned is not None and turned.accepted:
        yield turned


def _alike(reference: View, source: View, start: Matrix, most: Model, exact: bool, known: Known) -> Estimate | None:
    """The estimate for two pictures of one kind, polished where they differ in focus; None where they are not."""
    found = estimate_alike(reference, source, start, most, exact=exact, known=known)
    if found is None or not found.accepted:
        return found
    alike_by = _correlation(reference, source, found.matrix)
    off = 0.0 if found.residual is None else found.residual * FRAME / reference.full[0]
    if found.model != "none" and off < _MISFIT and (other := _elsewhere(reference, source, found.matrix)) is not None:
        # A pattern that repeats: points agree on each of its periods.
        second = estimate_alike(reference, source, other, most, exact=exact, known="nearly")
        if second is not None and second.accepted and _correlation(reference, source, second.matrix) > alike_by:
            found, alike_by = _there(second), _correlation(reference, source, second.matrix)
    if alike_by < _SURELY_SAME_KIND:
        return None
    if found.model == "none" or found.residual is None:
        return found
    if not _SHARP <= found.residual * FRAME / reference.full[0] < _MISFIT:
        return found
    matrix = polish(reference, source, found.matrix, found.model)
    return replace(found, matrix=matrix, unfitted=matrix)


def _elsewhere(reference: View, source: View, matrix: Matrix) -> Matrix | None:
    """``matrix`` shifted to where the two correlate best, whatever the shift; None where that is where it is."""
    (fixed, down), (moving, to_moving) = (view.at(_OVERVIEW, np.asarray) for view in (reference, source))
    size, up = (fixed.shape[1], fixed.shape[0]), inverse(to_moving)
    laid = cv2.warpPerspective(
        moving, down @ matrix @ up, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    best = search(fixed, np.asarray(laid), gradient_field, rotations=(0.0,), scales=(1.0,))[0]
    shift = best.matrix[:2, 2]
    return None if np.hypot(*shift) < _NEAR else normalized(np.linalg.inv(down) @ best.matrix @ down @ matrix)


def _judged(reference: View, source: View, found: Estimate, most: Model, exact: bool) -> Estimate:
    """``found`` as tracked points judge it where the two are of one kind after all.

    They make it more precise; where they do not confirm it, the confidence is theirs. What is learned across modalities
    tells only that something matches, which between pictures of one kind is no evidence: their own detail would match.
    """
    alike_by = _correlation(reference, source, found.matrix)
    if alike_by <= _SAME_KIND:
        return found
    alike = _alike(reference, source, found.matrix, most, exact, "nearly")
    if alike is not None and alike.accepted:
        return alike if found.model == "none" else _there(alike)
    if alike_by < _SURELY_SAME_KIND:
        return found
    return replace(found, confidence=min(found.confidence, 0.0 if alike is None else alike.confidence))


def _there(alike: Estimate) -> Estimate:
    """``alike`` from a start that was searched for: to stay there is no less a motion, and the points know it best."""
    return replace(alike, model="homography", matrix=alike.free) if alike.model == "none" else alike


def _featured(reference: View, source: View) -> list[Matrix]:
    """The motion of local features: for large motion between pictures of one kind."""
    planes = [reduced(view.plane, _FEATURES) for view in (reference, source)]
    found = by_features(planes[0], planes[1])
    if found is None:
        return []
    to_reference, to_source = (
        resizing(view.full, (plane.shape[1], plane.shape[0]))
        for view, plane in zip((reference, source), planes, strict=True)
    )
    return [normalized(np.linalg.inv(to_reference) @ found.matrix @ to_source)]


def _measured(reference: View, source: View, matrix: Matrix) -> Estimate:
    """Confidence and residual of a known ``matrix`` between two pictures of one kind."""
    level = Level.of(reference, source, _LEVEL, gradient_field, POINTS, matrix)
    still = np.allclose(matrix, resizing(source.full, reference.full))
    few = Level.of(reference, source, _LEVEL, gradient_field, FEW_POINTS, matrix)
    votes = vote(divided(few.samples), few.source, few.down(matrix))
    left = residual(divided(level.samples), level.source, level.down(matrix))
    return Estimate(
        "none" if still else "homography",
        matrix,
        1.0 / (1.0 + math.exp(-2.0 * (votes.deviations - _DEVIATIONS))),
        None if left is None else left / float(level.to_reference[0, 0]),
        True,
    )
