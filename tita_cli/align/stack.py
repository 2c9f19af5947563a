"""Align the sources of one scene, however many: the one way from pictures to the frame that they share.

Estimates are of pairs (``estimator``); this module chooses the pairs. Of each source only a reduced luminance is kept,
and only of the reference and of the source before: a stack of any length takes the memory of three.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias

from tita_cli.align.calibration import Calibration
from tita_cli.align.estimator import Estimate, Estimator
from tita_cli.align.frame import Frame
from tita_cli.align.geometry import Matrix, mean_scale
from tita_cli.align.modes import Border, Mode, Model
from tita_cli.align.motion import compose
from tita_cli.align.placement import Placement
from tita_cli.align.stated import refine_stated
from tita_cli.align.structure import View
from tita_cli.errors import MismatchError, UsageError
from tita_cli.images.picture import Picture

_Neighbour: TypeAlias = tuple[View, Estimate]


def find_frame(
    count: int,
    read: Callable[[int], Picture],
    *,
    mode: Mode = "auto",
    reference: int = 0,
    border: Border = "crop",
    calibration: Calibration | None = None,
    start: Callable[[int], Matrix | None] = lambda index: None,
    estimator: Estimator | None = None,
) -> Frame:
    """Estimate how ``count`` sources lie in the frame of source ``reference``.

    ``read``: gives a source with its range applied; called once for each, the reference first, then outwards on either
    side. ``mode``: "auto" chooses the model and leaves a source where it is if its estimate is not accepted, "strict"
    raises MismatchError then, the name of a model allows that one only. ``border``: see :class:`Frame`.
    ``calibration``: known motions, applied instead of estimates; with "strict", MismatchError where they do not fit.
    ``start``: gives, once a source is read, roughly how it lies in the reference, by its file; None where that is not
    known. It is refined, and stands as it is where there is too little to go by.
    ``estimator``: of pairs; tita's own where None.

    Raises UsageError for the mode "none" and for a reference that is not there, MismatchError also where a calibration
    is of other sources or where the sources have no part in common.
    """
    if mode == "none":
        raise UsageError("--align none does not align")
    if not 0 <= reference < count:
        raise UsageError(f"--reference {reference + 1}: there are {count} sources")
    if calibration is not None:
        calibration.check(count)
    if estimator is None:
        from tita_cli.align.pair import PairEstimator

        estimator = PairEstimator()
    stack = _Stack(read(reference), reference, mode, calibration, estimator)
    for side in (range(reference + 1, count), range(reference - 1, -1, -1)):
        stack.start_side()
        for index in side:
            picture = read(index)
            stack.add(index, picture, start(index))
    placements = [stack.placements[index] for index in range(count)]
    return Frame.of(placements, reference, border, tuple(stack.notes))


class _Stack:
    """Places one source after the other, each a neighbour of the one before."""

    def __init__(
        self, reference: Picture, index: int, mode: Mode, calibration: Calibration | None, estimator: Estimator
    ) -> None:
        self.notes: list[str] = []
        self.placements = {index: Placement.reference(reference.name, (reference.width, reference.height))}
        self._index = index
        self._name = reference.name
        self._view = estimator.view(reference)
        self._mode = mode
        self._calibration = calibration
        self._estimator = estimator
        self._neighbour: _Neighbour | None = None

    def start_side(self) -> None:
        """What comes next is a neighbour of the reference."""
        self._neighbour = None

    def add(self, index: int, picture: Picture, start: Matrix | None) -> None:
        """Place source ``index``, which lies about as ``start`` says."""
        view = self._estimator.view(picture)
        if self._calibration is not None:
            self.placements[index] = self._calibrated(self._calibration, index, picture.name, view)
        elif start is not None:
            self.placements[index] = self._stated(picture.name, view, start)
        else:
            self.placements[index] = self._estimated(picture.name, view)

    def _calibrated(self, known: Calibration, index: int, name: str, view: View) -> Placement:
        matrix = known.matrix(index, view.full, self._index, self._view.full)
        found = self._estimator.measure(self._view, view, matrix)
        if self._mode == "strict" and not found.accepted:
            raise MismatchError(
                f"{name}: does not fit {self._name} under {known.name} (confidence {found.confidence:.2f})",
                hint="--align auto applies a calibration whether it fits or not",
            )
        return Placement.of(name, view.full, found)

    def _estimated(self, name: str, view: View) -> Placement:
        most, exact = self._allowed()
        found = self._estimator.estimate(self._view, view, most=most, exact=exact)
        if not found.accepted and self._neighbour is not None:
            found = self._chained(self._neighbour, view, most, exact) or found
        if found.accepted:
            self._neighbour = view, found
            if self._mode == "flow" and found.same_kind:
                found = self._estimator.refine(self._view, view, found)
            return Placement.of(name, view.full, found)
        message = f"{name}: cannot be aligned to {self._name} with confidence ({found.confidence:.2f})"
        if self._mode == "strict":
            raise MismatchError(message, hint="--align auto leaves such a source where it is")
        self.notes.append(f"{message}: left where it is")
        return Placement.unaligned(name, view.full, found.confidence)

    def _stated(self, name: str, view: View, start: Matrix) -> Placement:
        most, exact = self._allowed()
        found, refined = refine_stated(self._estimator, self._view, view, start, most=most, exact=exact)
        if not refined and not found.accepted and self._mode == "strict":
            raise MismatchError(
                f"{name}: does not fit {self._name} as its file states (confidence {found.confidence:.2f})",
                hint="--align auto places it as its file states, whether it fits or not",
            )
        if not refined:
            self.notes.append(f"{name}: is placed as its file states, it shows too little to refine that")
        return Placement.of(name, view.full, found)

    def _allowed(self) -> tuple[Model, bool]:
        """The richest model allowed, and whether it is the only one."""
        if self._mode == "auto" or self._mode == "strict" or self._mode == "flow":  # noqa: PLR1714  (mypy narrows so)
            return "homography", False
        return self._mode, True

    def _chained(self, neighbour: _Neighbour, view: View, most: Model, exact: bool) -> Estimate | None:
        """Through the neighbour: the far ends of a focus stack have little in common, neighbours have much."""
        between, onward = neighbour
        step = self._estimator.estimate(between, view, most=most, exact=exact)
        if not step.accepted:
            return None
        model, matrix = compose((onward.model, onward.matrix), (step.model, step.matrix))
        direct = self._estimator.estimate(self._view, view, most=most, exact=exact, guess=matrix)
        if direct.accepted:
            return direct
        # The step's residual is in the neighbour's pixels.
        residual = None if step.residual is None else step.residual * mean_scale(onward.matrix, between.full)
        confidence = min(onward.confidence, step.confidence)
        return replace(step, model=model, matrix=matrix, confidence=confidence, residual=residual)
