"""Fuse pairs in a balanced tree: the strategy for a network of two sources.

Sources are ordered by what they show and not by how they were given, so that the same images give the same picture in
any order: infrared last, colour before grey, then from bright to dark, which brings neighbours in exposure together.
Where two grey sources come from different sensors and nothing says which is the infrared, both orders are fused, and
the result is the mean.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from tita_cli.fusion.kind import are_of_one_kind
from tita_cli.fusion.look import Look
from tita_cli.fusion.plan import Plan
from tita_cli.fusion.progress import Progress, silent
from tita_cli.fusion.strategy import OPERATIONS, Fused, Step, Weights
from tita_cli.images.alpha import fill_transparent, limit_to_alpha, union_alpha
from tita_cli.images.color import Chroma, fuse_chroma, split_luma
from tita_cli.images.picture import FloatArray
from tita_cli.options import ColorRule
from tita_cli.runtime import Luminance

if TYPE_CHECKING:
    from tita_cli.runtime import Engine


class Layers(NamedTuple):
    """A picture on its way through the tree; see :class:`Fused` for the fields."""

    name: str
    luminance: FloatArray
    chroma: Chroma | None
    alpha: FloatArray | None


class PairTree:
    """Works the tree depth first, so that the layers in memory grow with its depth and not with its leaves.

    ``color``: "grey" drops all colour.
    """

    def __init__(self, engine: Engine, color: ColorRule = "auto", progress: Progress = silent) -> None:
        self._engine = engine
        self._color = color
        self._progress, self._runs = progress, 0
        self._steps: list[Step] = []
        self._unordered = False

    def fuse(self, plan: Plan) -> Fused:
        self._steps, self._runs = [], len(plan.used) - 1
        looks, roles = plan.looks, plan.roles.of
        order = sorted(plan.used, key=lambda index: (roles[index] == "infrared", *_rank(looks[index])))
        self._unordered = len(looks) == 2 and set(roles) == {None} and not any(look.has_chroma for look in looks)
        layers = self._subtree(plan, order)
        return Fused(layers.luminance, layers.chroma, layers.alpha, None, tuple(self._steps))

    def _subtree(self, plan: Plan, order: list[int]) -> Layers:
        """The left part is the largest power of two below the whole: leaves meet their neighbours first."""
        if len(order) == 1:
            return self._leaf(plan, order[0])
        half = 1 << ((len(order) - 1).bit_length() - 1)
        return self._merge(self._subtree(plan, order[:half]), self._subtree(plan, order[half:]))

    def _leaf(self, plan: Plan, index: int) -> Layers:
        picture = plan.read(index)
        plan.release(index)
        if not picture.is_color:
            return Layers(picture.name, picture.pixels[..., 0], None, picture.alpha)
        y, cb, cr = split_luma(picture.pixels)
        return Layers(picture.name, y, None if self._color == "grey" else Chroma(cb, cr), picture.alpha)

    def _merge(self, a: Layers, b: Layers) -> Layers:
        self._progress("fuse", len(self._steps), self._runs)
        out = self._fused(*fill_transparent(a.luminance, a.alpha, b.luminance, b.alpha))
        weights, half = tuple(float(weight) for weight in out.weights), len(OPERATIONS)
        self._steps.append(Step((Weights(a.name, weights[:half]), Weights(b.name, weights[half:]))))
        y = limit_to_alpha(out.fused, a.luminance, a.alpha, b.luminance, b.alpha)
        chroma = fuse_chroma(a.chroma, b.chroma)
        if chroma is not None and (a.alpha is not None or b.alpha is not None):
            chroma = _limited(chroma, a, b)
        return Layers(f"({a.name} + {b.name})", y, chroma, union_alpha(a.alpha, b.alpha))

    def _fused(self, a: FloatArray, b: FloatArray) -> Luminance:
        out = self._engine.fuse(a, b)
        if not self._unordered or are_of_one_kind(a, b):
            return out
        other = self._engine.fuse(b, a)
        half = np.float32(0.5)
        weights = half * (out.weights + np.roll(other.weights, len(OPERATIONS)))
        return Luminance(half * (out.fused + other.fused), weights)


def _limited(chroma: Chroma, a: Layers, b: Layers) -> Chroma:
    """Only one source's chroma where the other is transparent."""
    nothing = np.zeros_like(a.luminance)
    of_a, of_b = (side.chroma or Chroma(nothing, nothing) for side in (a, b))
    planes = zip(chroma, of_a, of_b, strict=True)
    return Chroma(*(limit_to_alpha(plane, one, a.alpha, two, b.alpha) for plane, one, two in planes))


def _rank(look: Look) -> tuple[bool, float, float]:
    """Colour first, then bright before dark: the order A, B in which the network was trained."""
    return (not look.has_chroma, -look.brightness, -look.contrast)
