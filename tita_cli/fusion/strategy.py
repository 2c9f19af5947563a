"""What lies between plan and finish: a strategy makes luminance, chroma and alpha of the planned sources.

A strategy reads the sources as it needs them, in any order, and releases each when it was read for the last time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from tita_cli.fusion.plan import Plan
from tita_cli.fusion.progress import Progress, silent
from tita_cli.images.color import Chroma
from tita_cli.images.picture import FloatArray
from tita_cli.options import ColorRule

if TYPE_CHECKING:
    from tita_cli.runtime import AnyEngine

OPERATIONS = ("high-pass", "add", "multiply")
"""What OAF weighs for each source."""

_NAMED = 4  # sources that a sentence names
_EVEN = 1.25  # times the mean: a largest weight below says nothing


@dataclass(frozen=True, slots=True)
class Weights:
    """OAF's weights of one source, in the order of ``OPERATIONS``. Those of all sources of a step sum to 1.

    ``part``: of the picture, where this source gives more than any other; None where the network does not say.
    """

    name: str
    values: tuple[float, ...]
    part: float | None = None

    def describe(self) -> dict[str, Any]:
        """As JSON has it."""
        part = {} if self.part is None else {"part": round(self.part, 4)}
        return {"name": self.name, **dict(zip(OPERATIONS, self.values, strict=True)), **part}


@dataclass(frozen=True, slots=True)
class Step:
    """One run of the network: what it fused, and how it weighed each."""

    sources: tuple[Weights, ...]

    def describe(self) -> dict[str, Any]:
        """As JSON has it."""
        return {"sources": [source.describe() for source in self.sources]}

    def explain(self) -> str:
        """The weights in words, after a sentence that says whose picture it is."""
        lines = [" + ".join(source.name for source in self.sources)]
        if all(source.part is not None for source in self.sources):
            lines.append(f"  {self._summary()}")
        for source in self.sources:
            parts = ", ".join(f"{name} {w:.3f}" for name, w in zip(OPERATIONS, source.values, strict=True))
            lines.append(f"  {sum(source.values):4.0%} features of {source.name}: {parts}")
        flat = [(w, f"{name} of {s.name}") for s in self.sources for name, w in zip(OPERATIONS, s.values, strict=True)]
        largest, what = max(flat, key=lambda one: one[0])
        if largest * len(flat) < _EVEN:
            lines.append("  all operations have about the same weight")
        else:
            lines.append(f"  the largest weight: {what}")
        return "\n".join(lines)

    def _summary(self) -> str:
        """Which sources give the picture its detail, the largest first."""
        ranked = sorted(self.sources, key=lambda source: -(source.part or 0))
        named = [f"{source.name} in {source.part or 0:.0%}" for source in ranked[:_NAMED] if source.part]
        rest = sum(source.part or 0 for source in ranked[_NAMED:])
        if rest:
            named.append(f"{len(ranked) - _NAMED} others in {rest:.0%}")
        return f"detail comes from {', '.join(named)} of the picture"


@dataclass(frozen=True, slots=True)
class Fused:
    """What a strategy gives; planes are H×W float32.

    ``chroma``: None for a grey result. ``alpha``: in 0..1, None for opaque everywhere. ``winner``: H×W, for every pixel
    the index of the source that gave the most (the 256th and later count as the 256th); None after a network without
    a gate. ``steps``: the network's runs, in their order.
    """

    luminance: FloatArray
    chroma: Chroma | None
    alpha: FloatArray | None
    winner: npt.NDArray[np.uint8] | None
    steps: tuple[Step, ...]


class Strategy(Protocol):
    """A way to fuse any number of planned sources."""

    def fuse(self, plan: Plan) -> Fused:
        """Fuse them all. Raises InputError for a source that cannot be read, ModelError and DeviceError."""
        ...


def choose_strategy(engine: AnyEngine, color: ColorRule, progress: Progress = silent) -> Strategy:
    """The way that the engine's network fuses: all sources at once, or pairs in a tree."""
    from tita_cli.fusion.pairs import PairTree
    from tita_cli.fusion.sets import SetBlend
    from tita_cli.runtime.set_engine import SetEngine

    if isinstance(engine, SetEngine):
        return SetBlend(engine, color, progress)
    return PairTree(engine, color, progress)
