"""The interface between a stack and whatever estimates a pair, so that the estimator can be replaced."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from tita_cli.align.displacements import Array
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
    ``flow``: a displacement on top of the matrix, see ``Placement``. ``unfitted``: the motion of the richest model
    allowed, where a simpler one that fits as well was chosen. ``covariance``: 8×8, of the parameters of ``free`` that
    ``displacements`` names, in pixels of the reference; None where it is not known.
    """

    model: Model
    matrix: Matrix
    confidence: float
    residual: float | None
    same_kind: bool
    flow: FloatArray | None = None
    unfitted: Matrix | None = None
    covariance: Array | None = None

    @property
    def free(self) -> Matrix:
        """The motion by which a stack is adjusted: before a simpler model was chosen."""
        return self.matrix if self.unfitted is None else self.unfitted

    @property
    def accepted(self) -> bool:
        return self.confidence >= ACCEPTED


class Estimator(Protocol):
    """Estimates the motion between two pictures from these alone; of a stack, several pairs at a time."""

    def view(self, picture: Picture, pixels: int | None = None) -> View:
        """What the estimator keeps of ``picture``, of ``pixels`` at most: a stack holds this, not the picture."""
        ...

    def estimate(
        self, reference: View, source: View, *, most: Model, exact: bool = False, wide: bool = True
    ) -> Estimate:
        """The motion of ``source`` in the frame of ``reference``.

        ``most``: the richest model allowed; ``exact``: the only one, and a pair that seems registered is refined, too.
        ``wide``: whether it is also sought where the source is turned, farther off or of another field of view.
        """
        ...

    def near(self, reference: View, source: View, guess: Matrix, *, most: Model) -> Estimate | None:
        """The motion near ``guess``, which is right to within some pixels, without any search; None where the pictures
        do not show it, as the far ends of a focus stack may not."""
        ...

    def measure(self, reference: View, source: View, matrix: Matrix) -> Estimate:
        """Confidence and residual of a known ``matrix``."""
        ...

    def refine(self, reference: View, source: View, found: Estimate) -> Estimate:
        """``found`` with a dense flow on top where that helps, else unchanged."""
        ...
