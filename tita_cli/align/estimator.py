"""The interface between a stack and whatever estimates a pair, so that the estimator can be replaced."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from tita_cli.align.geometry import Matrix
from tita_cli.align.modes import Model
from tita_cli.align.structure import View
from tita_cli.images.picture import FloatArray, Picture

ACCEPTED = 0.5
"""The confidence from which an estimate is accepted."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """How one picture lies in the frame of another.

    ``matrix``: source → reference, in pixels of the full pictures. ``confidence``: 0..1, see ``ACCEPTED``.
    ``residual``: how far small blocks still are from where they match best, median in reference pixels; None where
    nothing can be measured. ``same_kind``: whether the gradients agree in sign, as between two frames of one camera.
    ``flow``: a displacement on top of the matrix, see ``Placement``.
    """

    model: Model
    matrix: Matrix
    confidence: float
    residual: float | None
    same_kind: bool
    flow: FloatArray | None = None

    @property
    def accepted(self) -> bool:
        return self.confidence >= ACCEPTED


class Estimator(Protocol):
    """Estimates the motion between two pictures from these alone."""

    def view(self, picture: Picture) -> View:
        """What the estimator keeps of ``picture``: a stack holds this, not the picture."""
        ...

    def estimate(
        self, reference: View, source: View, *, most: Model, exact: bool = False, guess: Matrix | None = None
    ) -> Estimate:
        """The motion of ``source`` in the frame of ``reference``.

        ``most``: the richest model allowed; ``exact``: the only one, and a pair that seems registered is refined, too.
        ``guess``: where to start; without it, with the pictures laid over one another corner to corner.
        """
        ...

    def measure(self, reference: View, source: View, matrix: Matrix) -> Estimate:
        """Confidence and residual of a known ``matrix``."""
        ...

    def refine(self, reference: View, source: View, found: Estimate) -> Estimate:
        """``found`` with a dense flow on top where that helps, else unchanged."""
        ...
