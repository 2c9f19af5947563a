"""What the values of a prepared infrared source mean: temperatures where its file tells them, else its own units."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tita_cli.fusion.plan import Plan
from tita_cli.images.picture import FloatArray


@dataclass(frozen=True, slots=True)
class Scale:
    """Values of a source prepared by a plan, 0..1, and what they mean.

    ``cold`` and ``hot``: what the file has, in its own units, for 0 and 1. ``celsius``: the temperature of each of the
    counts 0..65535, None where the file does not tell.
    """

    cold: float
    hot: float
    celsius: FloatArray | None = None

    @property
    def ends(self) -> tuple[float, float]:
        """What 0 and 1 mean, in °C or the file's own units."""
        return self.value(0.0), self.value(1.0)

    def value(self, share: float) -> float:
        """What 0..1 means, in °C or the file's own units."""
        counts = self.cold + share * (self.hot - self.cold)
        return counts if self.celsius is None else float(self.celsius[int(np.clip(round(counts), 0, 65535))])

    def share(self, value: float) -> float:
        """The inverse of :meth:`value`, which may lie outside of 0..1."""
        counts = value if self.celsius is None else float(np.nanargmin(np.abs(self.celsius - np.float32(value))))
        return (counts - self.cold) / (self.hot - self.cold)


def scale_of(plan: Plan, index: int) -> Scale:
    """The scale of source ``index`` as ``plan.read`` gives it, polarity included."""
    look, values = plan.looks[index], plan.value_range(index)
    black, white = look.levels
    cold, hot = (black + bound * (white - black) for bound in ((0.0, 1.0) if values is None else values[:2]))
    if plan.facts.inverted[index]:
        cold, hot = hot, cold
    return Scale(cold, hot, None if look.thermal is None else look.thermal.celsius)
