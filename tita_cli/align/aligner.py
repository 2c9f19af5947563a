"""Estimate how the sources of one scene lie in the frame of one of them, one source after the other.

Only luminance is kept, reduced to ``LONGEST`` pixels, of the reference and of the source that was seen last: a stack of
any length takes the memory of three pictures.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TypeAlias

import numpy as np

from tita_cli.align.flow import refine_by_flow
from tita_cli.align.frame import Frame
from tita_cli.align.geometry import MODELS, mean_scale, normalized
from tita_cli.align.modes import Border, Mode, Model
from tita_cli.align.pair import LONGEST, Estimate, estimate, measure
from tita_cli.align.placement import Placement
from tita_cli.align.rig import Rig
from tita_cli.align.structure import View
from tita_cli.errors import MismatchError, UsageError
from tita_cli.images.picture import Picture


class Aligner:
    """Looks at the sources in ``order``: the reference, then its neighbours, outwards on either side.

    ``mode``: "auto" chooses the model and keeps a source where it is if its estimate cannot be trusted, "strict"
    raises MismatchError then, a model's name wants just that model. ``rig``: transforms that are known already; nothing
    is estimated then, and "strict" raises MismatchError where they do not fit.
    """

    def __init__(self, count: int, *, mode: Mode, reference: int, rig: Rig | None = None) -> None:
        if not 0 <= reference < count:
            raise UsageError(f"--reference {reference + 1}: there are {count} sources")
        if rig is not None:
            rig.check(count)
        self.order = [reference, *range(reference + 1, count), *range(reference - 1, -1, -1)]
        self.notes: list[str] = []
        self._mode = mode
        self._rig = rig
        self._reference = reference
        self._view: View | None = None
        self._neighbour: _Neighbour | None = None
        self._placements: dict[int, Placement] = {}

    def look(self, index: int, picture: Picture) -> None:
        """Estimate where source ``index``, with its range applied, belongs. Raises MismatchError if "strict"."""
        view = View.of(picture, LONGEST)
        if self._view is None:
            self._view, self._name = view, picture.name
            self._placements[index] = Placement(picture.name, view.full, "none", np.eye(3), 1.0, 0.0, True)
            return
        if index == self._reference - 1:
            self._neighbour = None  # the far end of the other side is no neighbour
        if self._mode == "none":
            self._placements[index] = _placement(picture, measure(self._view, view, np.eye(3)))
        elif self._rig is not None:
            self._placements[index] = self._told(self._rig, index, self._view, view, picture)
        else:
            self._placements[index] = self._estimated(self._view, view, picture)

    def frame(self, border: Border) -> Frame:
        """The frame of all, once every source was looked at."""
        return Frame.of([self._placements[index] for index in range(len(self.order))], self._reference, border)

    def _told(self, rig: Rig, index: int, reference: View, view: View, picture: Picture) -> Placement:
        found = measure(reference, view, rig.matrix(index, view.full, self._reference, reference.full))
        if self._mode == "strict" and not found.accepted:
            raise MismatchError(
                f"{picture.name}: does not fit {self._name} as {rig.name} has it (confidence {found.confidence:.2f})",
                hint="--align auto applies the file whether it fits or not",
            )
        return _placement(picture, found)

    def _estimated(self, reference: View, view: View, picture: Picture) -> Placement:
        most, exact = self._wanted()
        found = estimate(reference, view, most=most, exact=exact)
        if not found.accepted and self._neighbour is not None:
            found = _chained(reference, self._neighbour, view, most, exact) or found
        if found.accepted:
            self._neighbour = view, found
            placement = _placement(picture, found)
            wants_flow = self._mode == "flow" and found.same_kind
            return refine_by_flow(placement, reference, view) if wants_flow else placement
        said = (
            f"{picture.name}: cannot tell how it lies in the frame of {self._name} (confidence {found.confidence:.2f})"
        )
        if self._mode == "strict":
            raise MismatchError(said, hint="--align auto keeps such a source where it is, --align none does not look")
        self.notes.append(f"{said}: not aligned")
        return Placement(picture.name, view.full, "none", np.eye(3), found.confidence, None, False)

    def _wanted(self) -> tuple[Model, bool]:
        """The richest model allowed, and whether it is the only one."""
        if self._mode == "auto" or self._mode == "strict" or self._mode == "flow":  # noqa: PLR1714  (mypy narrows so)
            return "homography", False
        return self._mode, True


_Neighbour: TypeAlias = tuple[View, Estimate]


def _chained(reference: View, neighbour: _Neighbour, view: View, most: Model, exact: bool) -> Estimate | None:
    """By way of the neighbour: the far ends of a focus stack have little in common, neighbours have."""
    between, onward = neighbour
    step = estimate(between, view, most=most, exact=exact)
    if not step.accepted:
        return None
    chained = normalized(onward.matrix @ step.matrix)
    direct = estimate(reference, view, most=most, exact=exact, guess=chained)
    if direct.accepted:
        return direct
    model = max(onward.model, step.model, key=MODELS.index)
    # The step's residual is in the neighbour's pixels.
    left = None if step.residual is None else step.residual * mean_scale(onward.matrix, between.full)
    confidence = min(onward.confidence, step.confidence)
    return replace(step, model=model, matrix=chained, confidence=confidence, residual=left)


def _placement(picture: Picture, found: Estimate) -> Placement:
    return Placement(
        picture.name, (picture.width, picture.height), found.model, found.matrix, found.confidence, found.residual, True
    )
