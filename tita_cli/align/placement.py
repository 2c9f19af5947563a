"""Where one source lies in the frame of the reference: what is estimated, and what is reported of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from tita_cli.align.estimator import ACCEPTED, Estimate
from tita_cli.align.geometry import Matrix, Size
from tita_cli.align.modes import Model
from tita_cli.images.picture import FloatArray


@dataclass(frozen=True, slots=True)
class Placement:
    """The motion of a source.

    ``matrix``: pixel of the source → pixel of the reference; the identity where the estimate was not accepted.
    ``confidence``: 0..1. ``residual``: how far small blocks still are from where they match best, median, in pixels of
    the reference; None where nothing can be measured. ``size``: of the source (width, height). ``flow``: h×w×2, at any
    size: by how many pixels each place of the reference still moves before the matrix is undone; None for none.
    """

    name: str
    size: Size
    model: Model
    matrix: Matrix
    confidence: float
    residual: float | None
    accepted: bool
    flow: FloatArray | None = None

    @classmethod
    def reference(cls, name: str, size: Size) -> Placement:
        """The reference's own: it stays as it is."""
        return cls(name, size, "none", np.eye(3), 1.0, None, True)

    @classmethod
    def unaligned(cls, name: str, size: Size, confidence: float = 0.0) -> Placement:
        """Of a source that is left where it is, since no estimate was made or accepted."""
        return cls(name, size, "none", np.eye(3), confidence, None, False)

    @classmethod
    def of(cls, name: str, size: Size, found: Estimate) -> Placement:
        """Of a source that is moved as ``found`` says."""
        return cls(name, size, found.model, found.matrix, found.confidence, found.residual, True, found.flow)

    @property
    def is_confirmed(self) -> bool:
        """Whether the pictures show that it lies so; what a file states is accepted without that."""
        return self.accepted and self.confidence >= ACCEPTED

    @property
    def is_still(self) -> bool:
        """Whether its pixels stay as they are."""
        return self.flow is None and bool(np.array_equal(self.matrix, np.eye(3)))

    def describe(self) -> dict[str, Any]:
        """The placement as JSON has it: without a matrix where the source was not aligned."""
        return {
            "path": self.name,
            "model": self.model if self.accepted else "not aligned",
            "matrix": [[round(float(v), 10) for v in row] for row in self.matrix] if self.accepted else None,
            "confidence": round(self.confidence, 4),
            "residual_px": None if self.residual is None else round(self.residual, 4),
            "accepted": self.accepted,
        }
