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
