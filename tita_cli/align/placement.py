"""How one source lies in the frame of the reference: what is estimated, and what is told of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tita_cli.align.geometry import Matrix, Size
from tita_cli.align.modes import Model
from tita_cli.images.picture import FloatArray


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a source goes.

    ``matrix``: pixel of the source → pixel of the reference; the identity where the estimate was refused.
    ``confidence``: 0..1. ``residual``: how far small blocks still are from where they fit best, median, in pixels of
    the reference; None where nothing can be measured. ``size``: of the source (width, height). ``flow``: h×w×2, by how
    many pixels each place of the reference still moves before the matrix is undone, at any size; None for none.
    """

    name: str
    size: Size
    model: Model
    matrix: Matrix
    confidence: float
    residual: float | None
    accepted: bool
    flow: FloatArray | None = None

    @property
    def is_still(self) -> bool:
        """Whether its pixels stay as they are."""
        return self.flow is None and bool(np.array_equal(self.matrix, np.eye(3)))

    def describe(self) -> dict[str, Any]:
        """The placement as JSON has it."""
        return {
            "path": self.name,
            "model": self.model,
            "matrix": [[round(float(value), 10) for value in row] for row in self.matrix],
            "confidence": round(self.confidence, 4),
            "residual_px": None if self.residual is None else round(self.residual, 4),
            "accepted": self.accepted,
        }
