"""Align the sources of one scene, however many: the one way from pictures to the frame that they share.

Estimates are of pairs (``estimator``); this module chooses the pairs (``sequence``) and reconciles them (``graph``). Of
each source only a reduced luminance is kept: a stack of any length takes the memory of about three of its frames.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from tita_cli.align.calibration import Calibration
from tita_cli.align.estimator import Estimate, Estimator
from tita_cli.align.frame import Frame
from tita_cli.align.geometry import Matrix, inverse, mean_scale, normalized
from tita_cli.align.graph import Edge
from tita_cli.align.modes import MATRIX_MODELS, Border, Mode, Model
from tita_cli.align.placement import Placement
from tita_cli.align.sequence import A_SET, capture_order, find_edges, solve
from tita_cli.align.stated import Stated, refine_stated
from tita_cli.align.structure import View
from tita_cli.align.turned import turned_by
from tita_cli.errors import MismatchError, UsageError
from tita_cli.images.picture import Picture

# The memory that the views of a stack may take, in sources (one more, and its luminance, are there while it is read),
# and in bytes where those are small.
_FRAMES, _LEAST = 1.2, 32 << 20
_SAMPLE_BYTES = 6  # of a view: its luminance, and what is made of it for the estimates


def find_frame(
    count: int,
    read: Callable[[int], Picture],
    *,
    mode: Mode = "auto",
    reference: int | None = 0,
    border: Border = "crop",
    calibration: Calibration | None = None,
    start: Callable[[int], Stated | None] = lambda index: None,
    estimator: Estimator | None = None,
) -> Frame:
    """Estimate how ``count`` sources lie in the frame of source ``reference``.

    ``read``: gives a source with its range applied; called once for each, in their order. ``mode``: "auto" chooses the
    model and reports a source whose estimate is not accepted, "strict" raises MismatchError then, the name of a model
    allows that one only. ``reference``: None for the one that costs the least crop and detail, of two the first.
    ``border``: see :class:`Frame`. ``calibration``: known motions, applied instead of estimates; with "strict",
    MismatchError where they do not fit. ``start``: gives, once all are read, roughly how a source lies in the reference
    (the first, where that is to be chosen) by their files; None where that is not known. It is refined, and stands as
    it is where there is too little to go by. ``estimator``: of pairs; tita's own where None.

    Raises UsageError for the mode "none" and for a reference that is not there, MismatchError also where a calibration
    is of other sources or where the sources have no part in common.
    """
    if mode == "none":
        raise UsageError("`align` none does not align")
    if reference is not None and not 0 <= reference < count:
        raise UsageError(f"`reference`: there is no source {reference + 1}, {count} are given")
    if estimator is None:
        from tita_cli.align.pair import PairEstimator

        estimator = PairEstimator()
    if calibration is not None:
        calibration.check(count)
        return _calibrated(count, read, mode, reference or 0, border, calibration, estimator)
    names, blocks, views = [], [], []
    for index in range(count):
        picture = read(index)
        names.append(picture.name)
        blocks.append(picture.metadata.exif)
        views.append(estimator.view(picture, _pixels(picture, count)))
    if count == 2:
        return _pair(names, views, mode, reference or 0, border, estimator, start(1 - (reference or 0)))
    order = capture_order(list(zip(names, blocks, strict=True)))
    stated = {index: known for index in range(count) if (known := start(index)) is not None}
    return _stack(names, views, order, mode, reference, border, estimator, stated)


def _pixels(picture: Picture, count: int) -> int | None:
    """How many pixels a view of one of ``count`` sources may have."""
    return None if count == 2 else int(max(_FRAMES * picture.pixels.nbytes, _LEAST) / (count * _SAMPLE_BYTES))


def _allowed(mode: Mode) -> tuple[Model, bool]:
    """The richest model allowed, and whether it is the only one."""
    if mode == "auto" or mode == "strict" or mode == "flow" or mode == "none":  # noqa: PLR1714  (mypy narrows so)
        return "homography", False
    return mode, True


def _pair(
    names: Sequence[str], views: Sequence[View], mode: Mode, reference: int, border: Border, estimator: Estimator,
    stated: Stated | None,
) -> Frame:  # fmt: skip
    most, exact = _allowed(mode)
    source, notes = 1 - reference, []
    if stated is None:
        found = _from_either(estimator, views[reference], views[source], most, exact)
    else:
        found, note = _stated(names[source], names[reference], views[reference], views[source], stated, mode, estimator)
        notes += note
    placements = {reference: Placement.reference(names[reference], views[reference].full)}
    if found.accepted or (stated is not None and stated.stands):
        if mode == "flow" and found.same_kind:
            found = estimator.refine(views[reference], views[source], found)
        placements[source] = Placement.of(names[source], views[source].full, found)
        notes += _turned(names[source], names[reference], found.matrix)
    else:
        placements[source] = Placement.unaligned(names[source], views[source].full, found.confidence)
        notes.append(_refusal(names[source], names[reference], found.confidence, mode) + ": left where it is")
    return Frame.of([placements[0], placements[1]], reference, border, tuple(notes))


def _from_either(estimator: Estimator, reference: View, source: View, most: Model, exact: bool) -> Estimate:
    """How ``source`` lies in ``reference``; of pictures of other sizes, as the source finds it, too: with the narrower
    field of view for reference more of what is compared is shown by both."""
    found = estimator.estimate(reference, source, most=most, exact=exact)
    if found.accepted or reference.full == source.full:
        return found
    back = estimator.estimate(source, reference, most=most, exact=exact)
    if not back.accepted:
        return found
    matrix = normalized(inverse(back.matrix))
    residual = None if back.residual is None else back.residual * mean_scale(matrix, source.full)
    return replace(back, matrix=matrix, residual=residual, unfitted=None, covariance=None)


def _stack(
    names: Sequence[str], views: Sequence[View], order: Sequence[int], mode: Mode, given: int | None, border: Border,
    estimator: Estimator, stated: Mapping[int, Stated],
) -> Frame:  # fmt: skip
    most, exact = _allowed(mode)
    sizes = [view.full for view in views]
    said: list[str] = []
    known, shown = [], {}
    for index, one in stated.items():
        found, note = _stated(names[index], names[given or 0], views[given or 0], views[index], one, mode, estimator)
        said += note
        if found.accepted or one.stands:
            known.append(Edge(given or 0, index, replace(found, confidence=1.0)))  # it stands
            shown[index] = found.confidence
    edges = known + find_edges(views, [i for i in order if i not in shown], estimator, most, exact)
    models = (most,) if exact else MATRIX_MODELS
    reference, model, solution = solve(edges, order, sizes, given, models)
    matrices = solution.matrices
    alike = {frame for edge in edges if edge.estimate.same_kind for frame in (edge.first, edge.second)}
    placements, notes = [], []
    for index, (name, view) in enumerate(zip(names, views, strict=True)):
        if index == reference:
            placements.append(Placement.reference(name, view.full))
        elif index in matrices:
            confidence = min(solution.confidence[index], shown.get(index, 1.0))
            found = Estimate(model, matrices[index], confidence, solution.residual[index], index in alike)
            if mode == "flow" and found.same_kind:
                found = estimator.refine(views[reference], view, found)
            placed = Placement.of(name, view.full, found)
            placements.append(replace(placed, model="none") if placed.is_still else placed)
            said += _turned(name, names[reference], found.matrix)
        else:
            confidence = max(
                (e.estimate.confidence for e in edges if index in (e.first, e.second) and not e.estimate.accepted),
                default=0.0,
            )
            placements.append(Placement.unaligned(name, view.full, confidence))
            notes.append(_refusal(name, names[reference], confidence, mode))
    if len(views) >= A_SET and len(notes) == len(views) - 1:
        said.append(f"no two of these {len(views)} pictures fit each other: they may show no common scene")
    left = "left where it is" if len(placements) - len(notes) < 2 else "left out"
    return Frame.of(placements, reference, border, (*said, *(f"{note}: {left}" for note in notes)))


def _stated(
    name: str, base: str, reference: View, source: View, stated: Stated, mode: Mode, estimator: Estimator
) -> tuple[Estimate, list[str]]:
    """How a source lies in the reference by what is ``stated``, and what is to be said of it."""
    most, exact = _allowed(mode)
    found, refined = refine_stated(estimator, reference, source, stated.matrix, most=most, exact=exact, off=stated.off)
    if not refined and stated.may_fail:
        elsewhere = estimator.estimate(reference, source, most=most, exact=exact)
        if elsewhere.accepted or not stated.stands:
            return elsewhere, []
    if not refined and not found.accepted and mode == "strict":
        raise MismatchError(
            f"{name}: does not fit {base} as {stated.by} (confidence {found.confidence:.2f})",
            hint=f"`align` auto places it as {stated.by}, whether it fits or not",
        )
    return found, [] if refined else [f"{name}: is placed as {stated.by}, it shows too little to refine that"]


def _turned(name: str, base: str, matrix: Matrix) -> list[str]:
    """What is said of a source that is turned or mirrored against the reference."""
    turn = turned_by(matrix)
    return [] if turn is None else [f"{name}: is {turn} against {base}, and is put right"]


def _refusal(name: str, base: str, confidence: float, mode: Mode) -> str:
    """What is said of a source that is not aligned. Raises MismatchError where that is not allowed."""
    message = f"{name}: cannot be aligned to {base} with confidence ({confidence:.2f})"
    if mode == "strict":
        raise MismatchError(message, hint="`align` auto goes on without it, `align` none takes it as it lies")
    return message


def _calibrated(
    count: int, read: Callable[[int], Picture], mode: Mode, reference: int, border: Border, known: Calibration,
    estimator: Estimator,
) -> Frame:  # fmt: skip
    base = read(reference)
    view = estimator.view(base)
    placements = {reference: Placement.reference(base.name, view.full)}
    for index in range(count):
        if index == reference:
            continue
        picture = read(index)
        source = estimator.view(picture)
        matrix = known.matrix(index, source.full, reference, view.full)
        found = estimator.measure(view, source, matrix)
        if mode == "strict" and not found.accepted:
            raise MismatchError(
                f"{picture.name}: does not fit {base.name} under {known.name} (confidence {found.confidence:.2f})",
                hint="`align` auto applies a calibration whether it fits or not",
            )
        placements[index] = Placement.of(picture.name, source.full, found)
    return Frame.of([placements[index] for index in range(count)], reference, border)
