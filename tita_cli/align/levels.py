"""Both pictures of a pair at one level of a resolution pyramid, ready to be compared."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from tita_cli.align.ecc import Gradients, Samples, sample
from tita_cli.align.geometry import Matrix, inverse, mean_scale, normalized, transform
from tita_cli.align.structure import FieldOf, View, orientation_field

POINTS, FEW_POINTS = 24_000, 6_000
"""Samples for a precise fit, and samples that are enough to distinguish agreement from chance."""

_CORRELATED = 400.0
"""Where one modality shows an edge that the other does not, all its samples err alike (chosen on dev pairs)."""


@dataclass(frozen=True)
class Level:
    """``samples`` of the reference, the ``source`` they are compared with, and the matrices from full to this size."""

    samples: Samples
    source: Gradients
    field_of: FieldOf
    to_reference: Matrix
    to_source: Matrix

    @classmethod
    def of(cls, reference: View, source: View, longest: int, field_of: FieldOf, points: int, near: Matrix) -> Level:
        """Both reduced so that the one with the narrower field of view has ``longest`` pixels on its longer side, and
        that a pixel covers as much of the scene in both under ``near``; samples only where the two overlap."""
        view = mean_scale(near, source.full) * max(source.full) / max(reference.full)  # as a share of the reference's
        view = 1.0 if 0.9 < view < 1.1 or not view else view  # a picture of one pixel has no scale
        size = min(longest / min(view, 1.0), reference.longest, source.longest / view)
        fixed, to_reference = reference.at(max(1, round(size)), field_of)
        moving, to_source = source.at(max(1, round(size * view)), field_of)
        samples = sample(fixed, int(points / min(view, 1.0) ** 2))
        level = cls(
            samples,
            Gradients(moving, _CORRELATED if field_of is orientation_field else 0.0),
            field_of,
            to_reference,
            to_source,
        )
        return level if view == 1.0 else replace(level, samples=level._over(near))

    def down(self, matrix: Matrix) -> Matrix:
        """A matrix between the full pictures as one between these."""
        return normalized(self.to_reference @ matrix @ np.linalg.inv(self.to_source))

    def up(self, matrix: Matrix) -> Matrix:
        """A matrix between these as one between the full pictures."""
        return normalized(np.linalg.inv(self.to_reference) @ matrix @ self.to_source)

    def few(self) -> Level:
        """The level with about ``FEW_POINTS`` of its samples."""
        step = max(1, len(self.samples) // FEW_POINTS)
        return replace(self, samples=self.samples.where(np.arange(len(self.samples)) % step == 0))

    def _over(self, near: Matrix) -> Samples:
        """The samples that lie on the source, or near it."""
        height, width = self.source.field.shape[:2]
        points = np.stack([self.samples.x, self.samples.y], axis=1).astype(np.float64)
        x, y = transform(inverse(self.down(near)), points).T
        inside = (x > -0.1 * width) & (x < 1.1 * width) & (y > -0.1 * height) & (y < 1.1 * height)
        return self.samples.where(np.asarray(inside))
