"""The balanced tree of fusions: pictures are fused two by two, then the results, until one is left."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from tita_cli.images.alpha import fill_transparent, limit_to_alpha, union_alpha
from tita_cli.images.color import Chroma, fuse_chroma, split_luma
from tita_cli.images.picture import FloatArray, Picture

if TYPE_CHECKING:
    from tita_cli.engine import Engine

ColorMode: TypeAlias = Literal["auto", "reference", "grey"]

COLOR_CHOICES: tuple[ColorMode, ...] = ("auto", "reference", "grey")
OPERATIONS = ("high-pass", "add", "multiply")
_EVEN = 1 / 6


@dataclass(frozen=True, slots=True)
class Step:
    """One fusion of two pictures: what went in, and OAF's six weights (three for the first, three for the second)."""

    first: str
    second: str
    weights: tuple[float, ...]

    def explain(self) -> str:
        """The weights in words."""
        half = len(OPERATIONS)
        lines = [f"{self.first} + {self.second}"]
        for name, own in ((self.first, self.weights[:half]), (self.second, self.weights[half:])):
            parts = ", ".join(f"{op} {w:.3f}" for op, w in zip(OPERATIONS, own, strict=True))
            lines.append(f"  {sum(own):4.0%} features of {name}: {parts}")
        strongest = max(range(len(self.weights)), key=lambda i: self.weights[i])
        if max(self.weights) < 1.25 * _EVEN:
            lines.append("  the operations weigh about the same: nothing in these images asks for one of them")
        else:
            name = (self.first, self.second)[strongest // half]
            lines.append(f"  what these images ask for most: {OPERATIONS[strongest % half]} on {name}")
        return "\n".join(lines)


class Layers(NamedTuple):
    """A picture on its way through the tree, all H×W float32; ``chroma`` is None for grey, ``alpha`` for opaque.

    ``winner``: for every pixel the index of the source that gave the most, as far as the network's gate tells; None
    after a network that has no gate.
    """

    name: str
    luma: FloatArray
    chroma: Chroma | None
    alpha: FloatArray | None
    winner: npt.NDArray[np.uint8] | None


class Tree:
    """Works the tree depth first, so that the layers in memory grow with its depth and not with its leaves.

    ``leaf(index)`` gives a prepared picture; ``order``: the leaves' order. The engine is loaded for the first fusion,
    when the first two pictures have been read: a file that is no image is told at once.
    """

    def __init__(
        self, leaf: Callable[[int], Picture], order: Sequence[int], load: Callable[[], Engine], color: ColorMode
    ) -> None:
        self._leaf = leaf
        self._order = order
        self._load = load
        self._color = color
        self._engine: Engine | None = None
        self.steps: list[Step] = []

    def fuse(self) -> Layers:
        """All leaves into one."""
        return self._fuse(0, len(self._order))

    @property
    def engine(self) -> Engine:
        """The engine, loaded on first use."""
        if self._engine is None:
            self._engine = self._load()
        return self._engine

    def _fuse(self, start: int, stop: int) -> Layers:
        """The left half is the largest power of two below the whole: leaves meet their neighbours first."""
        if stop - start == 1:
            return self._layers(self._order[start])
        half = 1 << ((stop - start - 1).bit_length() - 1)
        return self._merge(self._fuse(start, start + half), self._fuse(start + half, stop))

    def _layers(self, index: int) -> Layers:
        picture = self._leaf(index)
        winner = np.full((picture.height, picture.width), min(index, 255), np.uint8)
        if not picture.is_color:
            return Layers(picture.name, picture.pixels[..., 0], None, picture.alpha, winner)
        y, cb, cr = split_luma(picture.pixels)
        return Layers(picture.name, y, None if self._color == "grey" else Chroma(cb, cr), picture.alpha, winner)

    def _merge(self, a: Layers, b: Layers) -> Layers:
        out = self.engine.fuse(*fill_transparent(a.luma, a.alpha, b.luma, b.alpha))
        self.steps.append(Step(a.name, b.name, tuple(float(w) for w in out.weights)))
        gate = out.gate
        y = limit_to_alpha(out.fused, a.luma, a.alpha, b.luma, b.alpha)
        chroma = fuse_chroma(a.chroma, b.chroma, gate if self._color == "auto" else None)
        if chroma is not None and (a.alpha is not None or b.alpha is not None):
            nothing = np.zeros_like(y)
            of_a, of_b = (side.chroma or Chroma(nothing, nothing) for side in (a, b))
            planes = (
                limit_to_alpha(plane, plane_a, a.alpha, plane_b, b.alpha)
                for plane, plane_a, plane_b in zip(chroma, of_a, of_b, strict=True)
            )
            chroma = Chroma(*planes)
        winner = None
        if gate is not None and a.winner is not None and b.winner is not None:
            winner = np.where(gate >= 0.5, a.winner, b.winner)
        return Layers(f"({a.name} + {b.name})", y, chroma, union_alpha(a.alpha, b.alpha), winner)
