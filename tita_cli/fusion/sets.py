"""Fuse a set at once: decided at a reduced size by a network that sees all sources, blended at full size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from tita_cli.fusion.blend import Blend
from tita_cli.fusion.coarse import Grid
from tita_cli.fusion.plan import Plan
from tita_cli.fusion.strategy import Fused, Step, Weights
from tita_cli.images.color import Chroma, split_luma
from tita_cli.images.picture import FloatArray
from tita_cli.options import ColorRule
from tita_cli.runtime.set_engine import Decision

if TYPE_CHECKING:
    from tita_cli.runtime.set_engine import SetEngine

_OPAQUE = np.float32(1e-3)


class _Layers(NamedTuple):
    name: str
    luminance: FloatArray
    chroma: Chroma | None
    alpha: FloatArray | None


class SetBlend:
    """Reads every source twice, for the network and for the blend, and keeps none but what the plan keeps.

    ``color``: every rule but "grey" blends chroma by the shares.
    """

    def __init__(self, engine: SetEngine, color: ColorRule = "auto") -> None:
        self._engine, self._color = engine, color

    def fuse(self, plan: Plan) -> Fused:
        count = len(plan.looks)
        grid: Grid | None = None
        small, hidden, alphas, names = [], [], [], []
        union: FloatArray | None = None
        opaque = False
        for index in range(count):
            layers = self._layers(plan, index)
            if grid is None:
                grid = Grid.of(layers.luminance, count, self._engine.spec.multiple)
            small.append(grid.reduced(layers.luminance))
            hidden.append(grid.hidden(layers.luminance))
            alphas.append(None if layers.alpha is None else grid.reduced(layers.alpha))
            names.append(layers.name)
            if layers.alpha is None:
                opaque = True
            elif not opaque:
                union = layers.alpha.copy() if union is None else np.maximum(union, layers.alpha, out=union)
        if grid is None:
            raise ValueError("a plan without sources")
        behind = _mean_of_opaque(small, alphas)
        seen = np.stack([s if a is None else behind + a * (s - behind) for s, a in zip(small, alphas, strict=True)])
        decision = self._engine.decide(seen, np.stack(hidden))
        if any(alpha is not None for alpha in alphas):
            decision = _masked(decision, alphas)
        blend = Blend(grid, decision)
        for index in range(count):
            layers = self._layers(plan, index)
            plan.release(index)
            luminance = layers.luminance
            if layers.alpha is not None:
                filling = grid.enlarged(behind, 0, *luminance.shape)
                luminance = filling + layers.alpha * (luminance - filling)
            blend.add(index, luminance, layers.chroma)
        weights = (Weights(n, tuple(float(w) for w in row)) for n, row in zip(names, decision.weights, strict=True))
        return Fused(
            np.clip(blend.luminance(), 0, 1), blend.chroma(), None if opaque else union, blend.winner(),
            (Step(tuple(weights)),),
        )  # fmt: skip

    def _layers(self, plan: Plan, index: int) -> _Layers:
        picture = plan.read(index)
        if not picture.is_color:
            return _Layers(picture.name, picture.pixels[..., 0], None, picture.alpha)
        y, cb, cr = split_luma(picture.pixels)
        colored = plan.looks[index].has_chroma and self._color != "grey"
        return _Layers(picture.name, y, Chroma(cb, cr) if colored else None, picture.alpha)


def fuse_luminances(engine: SetEngine, images: Sequence[FloatArray]) -> FloatArray:
    """Luminances H×W in 0..1, two or more of one size, opaque and grey → the fused one."""
    grid = Grid.of(images[0], len(images), engine.spec.multiple)
    decision = engine.decide(np.stack([grid.reduced(x) for x in images]), np.stack([grid.hidden(x) for x in images]))
    blend = Blend(grid, decision)
    for index, image in enumerate(images):
        blend.add(index, image, None)
    return np.asarray(np.clip(blend.luminance(), 0, 1))


def _mean_of_opaque(small: list[FloatArray], alphas: list[FloatArray | None]) -> FloatArray:
    """What stands behind transparent places: the mean of the sources that show something there."""
    total, weight = np.zeros_like(small[0]), np.full_like(small[0], _OPAQUE)
    for image, alpha in zip(small, alphas, strict=True):
        share = np.ones_like(image) if alpha is None else alpha
        total += share * image
        weight += share
    return np.asarray(total / weight, np.float32)


def _masked(decision: Decision, alphas: list[FloatArray | None]) -> Decision:
    """Shares of transparent places go to the sources that show something there."""
    import cv2

    def limited(maps: FloatArray, renormalise: bool) -> FloatArray:
        height, width = maps.shape[1:]
        seen = np.stack([
            np.ones((height, width), np.float32) if alpha is None
            else np.asarray(cv2.resize(alpha, (width, height), interpolation=cv2.INTER_AREA))
            for alpha in alphas
        ])  # fmt: skip
        if not renormalise:
            return np.asarray(maps * seen)
        shares = (maps + _OPAQUE) * seen
        total = shares.sum(0)
        return np.where(total > 0, shares / np.maximum(total, 1e-12), maps).astype(np.float32)

    return Decision(
        tuple(limited(maps, True) for maps in decision.shares),
        tuple(limited(maps, False) for maps in decision.gains),
        decision.direct,
        decision.weights,
    )
