"""Bring the clips into one frame: one alignment for all of them, and slow drift followed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tita_cli.align.geometry import FRAME, Matrix, displacement, inverse, resizing, scaling, translating
from tita_cli.align.warp import covered, warp
from tita_cli.errors import MismatchError
from tita_cli.fusion.plan import Plan
from tita_cli.images.picture import FloatArray, Picture

if TYPE_CHECKING:
    from tita_cli.align import Placement

_AGREE = 2.0
"""Pixels on a 640-pixel-wide frame, within which two samples of a clip have one alignment."""
_FIRST, _LAST = 3.0, 24.0
"""Seconds between two looks at the drift: at first, and where there was none for a while."""
_LATER, _EASE = 1.0, 2.0
"""Seconds from a look until what it found holds, and in which the source then moves there."""
_DRIFT = 1.5
"""Pixels on a 640-pixel-wide frame, from which drift is one."""
_LOST = 40.0
"""The same, from which an estimate is an error rather than drift."""


def choose_plan(samples: Iterable[Callable[[], Plan]], width: Callable[[Plan], int]) -> Plan:
    """The plan of one sample of a clip, whose alignment others confirm; the first where none could be aligned.

    ``samples``: each makes the plan of one pair of frames. ``width``: of a plan's reference. Raises what they raise
    where none can be made: MismatchError with "strict".
    """
    accepted: list[Plan] = []
    first: Plan | None = None
    refused: MismatchError | None = None
    for make in samples:
        try:
            plan = make()
        except MismatchError as error:
            refused = refused or error
            continue
        first = first or plan
        if plan.frame is None:
            return plan
        if not all(placement.accepted for placement in plan.placements):
            continue
        for other in accepted:
            if _apart(plan, other) * FRAME / width(plan) < _AGREE:
                return max(plan, other, key=_confidence)
        accepted.append(plan)
    if accepted:
        return min(accepted, key=lambda one: sum(_apart(one, other) for other in accepted))
    if first is None:
        raise refused or MismatchError("the clips have no pair of frames")
    return first


def _apart(one: Plan, other: Plan) -> float:
    if one.reference != other.reference:
        return float("inf")
    return max(displacement(a.matrix, b.matrix, a.size) for a, b in zip(one.placements, other.placements, strict=True))


def _confidence(plan: Plan) -> float:
    return min(placement.confidence for placement in plan.placements)


@dataclass(frozen=True, slots=True)
class _Window:
    """The part of the reference that the result shows, of even sides and corner, as half-size chroma needs."""

    left: int
    top: int
    width: int
    height: int


class Registration:
    """Where the clips lie in the frame of the result.

    ``follows``: whether drift is followed; it is where alignment was estimated. What is known of it at a time depends
    on the frames before that time alone, not on how fast they are worked on.
    """

    def __init__(self, plan: Plan, *, follows: bool) -> None:
        look = plan.looks[plan.reference]
        area = None if plan.frame is None else plan.frame.area
        left, top, width, height = (
            (0, 0, look.width, look.height) if area is None else (area.left, area.top, area.width, area.height)
        )
        left, top, right, bottom = left + left % 2, top + top % 2, left + width, top + height
        self.window = _Window(left, top, (right - left) // 2 * 2, (bottom - top) // 2 * 2)
        if min(self.window.width, self.window.height) < 2:
            raise MismatchError("the clips have no part in common that is two pixels wide")
        self._reference = plan.reference
        self._size = (look.width, look.height)
        self._matrices = [_matrix(plan, index) for index in range(len(plan.sources))]
        moving = [index for index in range(len(plan.sources)) if index != plan.reference]
        accepted = bool(plan.placements) and all(plan.placements[index].accepted for index in moving)
        self._drift = _Drift(plan.placements[moving[0]]) if follows and accepted else None
        self._moving = moving[0]

    @property
    def drifted(self) -> float:
        """How far the source has moved against its place at the beginning, in pixels of the reference, at most."""
        return 0.0 if self._drift is None else self._drift.farthest

    def observe(self, planes: Sequence[FloatArray], time: float) -> None:
        """Look for drift in the luminances of the clips, as they were read, H×W, at ``time``."""
        if self._drift is not None:
            self._drift.observe(planes[self._reference], planes[self._moving], time)
            self._matrices[self._moving] = self._drift.matrix(time)

    def luminance(self, index: int, plane: FloatArray, reference: FloatArray) -> FloatArray:
        """Clip ``index``'s plane H×W in the frame of the result; ``reference`` fills, of the result's size already."""
        return self._placed(index, plane, self._matrices[index], reference, 1)

    def chroma(self, index: int, plane: FloatArray) -> FloatArray:
        """The same for a plane of half the size; what the clip does not show has no colour (0)."""
        half = scaling(0.5)
        return self._placed(index, plane, half @ self._matrices[index] @ inverse(half), np.float32(0), 2)

    def cut(self, plane: npt.NDArray[Any], factor: int = 1) -> npt.NDArray[Any]:
        """The window's part of a plane of the reference, which is ``factor`` times smaller."""
        window = self.window
        top, left = window.top // factor, window.left // factor
        return plane[top : top + window.height // factor, left : left + window.width // factor]

    def is_still(self, index: int) -> bool:
        """Whether a clip's pixels stay as they are."""
        return np.array_equal(self._matrices[index], np.eye(3))

    def close(self) -> None:
        """No more frames come."""
        if self._drift is not None:
            self._drift.close()

    def _placed(
        self, index: int, plane: FloatArray, matrix: Matrix, filling: FloatArray | np.float32, factor: int
    ) -> FloatArray:
        if self.is_still(index):
            return self.cut(plane, factor)
        window = self.window
        corner = translating(-(window.left // factor), -(window.top // factor))
        size = window.width // factor, window.height // factor
        moved = warp(Picture(plane[..., None]), corner @ matrix, size).pixels[..., 0]
        valid = covered((plane.shape[1], plane.shape[0]), corner @ matrix, size)
        return moved if valid.all() else np.where(valid, moved, filling)


def _matrix(plan: Plan, index: int) -> Matrix:
    look, target = plan.looks[index], plan.looks[plan.reference]
    if plan.placements and plan.placements[index].accepted:
        return plan.placements[index].matrix
    return resizing((look.width, look.height), (target.width, target.height))


class _Drift:
    """How one source moves against the reference over a clip.

    The first look says where the clip begins, since what it was aligned by is a moment of its middle. A look takes a
    while, so the others run beside the fusion, and what one finds holds ``_LATER`` seconds of the clip later: from then
    on the source moves there smoothly.
    """

    def __init__(self, placement: Placement) -> None:
        from tita_cli.align.pair import PairEstimator

        self._estimator = PairEstimator()
        self._first = placement.matrix
        self._from = self._to = self._first
        self._size, self._still = placement.size, placement.is_still
        self._begin, self._pause = 0.0, _FIRST
        self._next: float | None = None
        self._worker = ThreadPoolExecutor(1, "tita-drift")
        self._found: Future[Matrix] | None = None
        self._holds = 0.0
        self._origin = self._first
        self.farthest = 0.0

    def observe(self, reference: FloatArray, source: FloatArray, time: float) -> None:
        """Take what a look has found, and begin one where it is due."""
        if self._next is None:
            self._origin = self._from = self._to = self._look(reference, source, self._to)
            self._next = time + self._pause
        if self._found is not None and time >= self._holds:
            target, self._found = self._found.result(), None
            if target is self._to:
                self._pause = min(2 * self._pause, _LAST)
            else:
                self._from, self._to, self._begin, self._pause = self.matrix(time), target, time, _FIRST
                self.farthest = max(self.farthest, displacement(target, self._origin, self._size))
            self._next = self._holds - _LATER + self._pause
        if self._found is None and time >= self._next:
            self._found, self._holds = self._worker.submit(self._look, reference, source, self._to), time + _LATER

    def matrix(self, time: float) -> Matrix:
        """The motion at ``time``, source → reference."""
        if self._to is self._from:
            return self._to
        share = min((time - self._begin) / _EASE, 1.0)
        return np.asarray(self._from + share * (self._to - self._from))

    def _look(self, reference: FloatArray, source: FloatArray, known: Matrix) -> Matrix:
        """The motion now, or ``known`` where it has not changed, or cannot be seen."""
        from tita_cli.align.stated import refine_stated

        base, other = (
            self._estimator.view(Picture(np.ascontiguousarray(plane)[..., None])) for plane in (reference, source)
        )
        # What is resampled anyway is placed as well as can be; what keeps its pixels does so until it is off.
        exact = not (self._still and np.array_equal(known, self._first))
        found, refined = refine_stated(self._estimator, base, other, known, most="similarity", exact=exact)
        off = displacement(found.matrix, known, self._size) * FRAME / base.full[0]
        return found.matrix if refined and found.accepted and _DRIFT < off < _LOST else known

    def close(self) -> None:
        self._worker.shutdown(wait=False, cancel_futures=True)
