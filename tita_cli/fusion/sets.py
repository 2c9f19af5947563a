"""Fuse a set at once: decided at a reduced size by a network that sees all sources, blended at full size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import cv2
import numpy as np
import numpy.typing as npt

from tita_cli.fusion.blend import Blend
from tita_cli.fusion.coarse import Grid, continued
from tita_cli.fusion.deghost import CLIPPED, moved_part
from tita_cli.fusion.plan import Plan
from tita_cli.fusion.progress import Progress, silent
from tita_cli.fusion.strategy import Fused, Step, Weights
from tita_cli.images.color import luma
from tita_cli.images.picture import FloatArray, Picture
from tita_cli.options import ColorRule
from tita_cli.runtime.memory import give_back
from tita_cli.runtime.set_engine import Decision

if TYPE_CHECKING:
    from tita_cli.runtime.set_engine import SetEngine

_COLOR = 2
"""The level whose shares blend chroma where a pyramid blends luminance."""
_MOVED = 0.005
"""Of the picture, from which a moving thing is worth a warning."""
_OPAQUE = np.float32(1e-3)
_FAR = 1e9
_RIM = 16
"""Of the network's pixels, from the edge of a place that one source alone shows to where it is taken as it is."""
_LEAST_COLOR = np.float32(0.02)
"""Share that every coloured source has in the chroma at least, for places where only grey ones count."""


class SetBlend:
    """Reads every source twice, for the network and for the blend, and holds one of them at a time.

    ``color``: every rule but "grey" blends chroma by the shares.
    """

    def __init__(self, engine: SetEngine, color: ColorRule = "auto", progress: Progress = silent) -> None:
        self._engine, self._color, self._progress = engine, color, progress

    def fuse(self, plan: Plan) -> Fused:
        count = len(plan.used)
        seen = _Seen(count, self._engine.spec.multiple)
        for number, index in enumerate(plan.used):
            self._progress("look", number, count)
            picture = plan.read(index, again=True)
            if picture.alpha is not None and not picture.alpha.any():
                plan.remark(f"{picture.name}: transparent everywhere, so nothing of it is used")
            seen.add(picture)
            del picture  # before the next one is read
        if not plan.deghosts:
            seen.warn_of_motion(plan)
        self._progress("decide", 0, 1)
        decision = seen.limited(seen.decided(self._engine, _roles(plan)))
        colored = [plan.looks[index].has_chroma and self._color != "grey" for index in plan.used]
        blend = Blend(seen.grid, decision, seen.color_shares(decision, colored), seen.behind, plan.threads)
        for number, index in enumerate(plan.used):
            self._progress("blend", number, count)
            luminance = blend.luminance_of(number, plan.rows_of(index))
            plan.release(index)
            blend.add(number, luminance)
            del luminance  # before the next one is made
        self._progress("blend", count, count)
        won = decision.winner()
        parts_won = np.bincount(won.ravel(), minlength=count) / won.size
        step = Step(tuple(
            Weights(name, tuple(float(w) for w in row), float(part))
            for name, row, part in zip(seen.names, decision.weights, parts_won, strict=True)
        ))  # fmt: skip
        index_of = np.zeros(256, np.uint8)  # of what was fused, for the first 256
        index_of[:count] = np.minimum(plan.used, 255)[:256]
        winner = np.asarray(cv2.LUT(blend.winner(), index_of))
        fused = Fused(blend.luminance(), blend.chroma(), seen.alpha, winner, (step,))
        del blend, seen, decision
        give_back()  # what comes next is larger than any of the pieces
        return fused


def _roles(plan: Plan) -> FloatArray:
    """What the network is told of each source: 1 for a photograph, -1 for infrared, 0 for nothing."""
    known = [(plan.roles.of[index], plan.looks[index].has_chroma) for index in plan.used]
    return np.array(
        [-1 if role == "infrared" else 1 if role == "visible" or colored else 0 for role, colored in known], np.float32
    )


class _Seen:
    """What the network sees of the sources, one after the other."""

    grid: Grid

    def __init__(self, count: int, multiple: int) -> None:
        self.names: list[str] = []
        self.alpha: FloatArray | None = None
        self.behind: list[FloatArray | None] = [None] * count
        self._count, self._multiple = count, multiple
        self._small: list[FloatArray] = []
        self._hidden: list[FloatArray] = []
        self._alphas: list[FloatArray | None] = []
        # Where a luminance is not that of an exposure: it is transparent, or one of its colours is white.
        self._vague: list[npt.NDArray[np.bool_]] = []

    def add(self, picture: Picture) -> None:
        if not self.names:
            self.grid = Grid.of(picture.height, picture.width, self._count, self._multiple)
        luminance, alpha, grid = luma(picture.pixels), picture.alpha, self.grid
        self.names.append(picture.name)
        self._small.append(grid.reduced(luminance))
        self._hidden.append(grid.hidden(luminance))
        self._alphas.append(None if alpha is None else grid.reduced(alpha))
        vague = np.zeros((grid.rows, grid.columns), np.bool_)
        if picture.is_color:
            vague |= cv2.inRange(grid.sampled(picture.pixels), (-_FAR,) * 3, (1 - CLIPPED,) * 3) == 0
        if alpha is not None:
            vague |= grid.sampled(alpha) < 1 - _OPAQUE
        self._vague.append(vague)
        if alpha is None or len(self.names) == 1:
            self.alpha = alpha
        elif self.alpha is not None:  # opaque where any source is
            self.alpha = np.maximum(self.alpha, alpha)

    def warn_of_motion(self, plan: Plan) -> None:
        """Tell where a source of a bracket shows something else than the middle exposure."""
        middle = plan.used.index(plan.still)
        still, vague = self._small[middle], self._vague[middle]
        for name, image, also in zip(self.names, self._small, self._vague, strict=True):
            moved = None if image is still else moved_part(image, still, vague | also)
            if moved is not None and moved > _MOVED:
                plan.remark(f"{name}: {moved:.1%} of it moved, which may leave ghosts (`deghost` removes them)")

    def decided(self, engine: SetEngine, roles: FloatArray | None = None) -> Decision:
        """The network's decision. Where a source is transparent, it sees what :meth:`_continued` gives."""
        self.behind = self._continued()
        images = [
            image if alpha is None or behind is None else behind + alpha * (image - behind)
            for image, behind, alpha in zip(self._small, self.behind, self._alphas, strict=True)
        ]
        return engine.decide(np.stack(images), np.stack(self._hidden), roles)

    def _continued(self) -> list[FloatArray | None]:
        """For every source what it has where it is transparent: the mean of the others, led smoothly over from its own
        values at the edge, which a pyramid would draw otherwise. None for opaque ones."""
        if all(alpha is None for alpha in self._alphas):
            return [None] * self._count
        opaque = self._opaque(*self._small[0].shape)
        total, weight = sum(share * image for share, image in zip(opaque, self._small, strict=True)), opaque.sum(0)
        found: list[FloatArray | None] = []
        for image, alpha in zip(self._small, self._alphas, strict=True):
            if alpha is None:
                found.append(None)
                continue
            others = weight - alpha
            mean = (total - alpha * image) / np.maximum(others, _OPAQUE)
            found.append(mean + continued(image - mean, alpha * np.minimum(others, 1)))
        return found

    def limited(self, decision: Decision) -> Decision:
        """``decision``, with the shares of transparent places given to the sources that show something there. Where
        only one does, it is taken as it is, but for a smooth rim."""
        if all(alpha is None for alpha in self._alphas):
            return decision

        def shares(maps: FloatArray) -> FloatArray:
            limited = (maps + _OPAQUE) * self._opaque(*maps.shape[1:])
            total = limited.sum(0)
            return np.where(total > 0, limited / np.maximum(total, 1e-12), maps).astype(np.float32)

        return Decision(
            tuple(shares(maps) for maps in decision.shares),
            tuple(maps * self._opaque(*maps.shape[1:]) for maps in decision.gains),
            np.maximum(decision.direct, self._alone(*decision.direct.shape)),
            decision.weights,
        )

    def color_shares(self, decision: Decision, colored: Sequence[bool]) -> list[FloatArray | None]:
        """For every source its share of the chroma at the network's size, None for grey ones; where any is seen they
        sum to 1. Eyes see colour coarsely, but what is taken as it is keeps its own."""
        size = self.grid.columns, self.grid.rows
        direct = cv2.resize(decision.direct, size, interpolation=cv2.INTER_LINEAR)
        shares = np.stack([cv2.resize(maps, size, interpolation=cv2.INTER_LINEAR) for maps in decision.shares[_COLOR]])
        shares += direct * (decision.shares[0] - shares) + _LEAST_COLOR
        shares *= np.array(colored, np.float32)[:, None, None] * self._opaque(*shares.shape[1:])
        shares /= np.maximum(shares.sum(0), 1e-12)
        return [share if has else None for share, has in zip(shares, colored, strict=True)]

    def _alone(self, height: int, width: int) -> FloatArray:
        """height×width: 1 where only one source shows something, falling to 0 at the edge of such places."""
        opaque = self._opaque(self.grid.rows, self.grid.columns)
        alone = (opaque.max(0) > 1 - _OPAQUE) & (opaque.sum(0) < 1 + _OPAQUE)
        inside = cv2.distanceTransform(alone.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
        return np.asarray(cv2.resize(np.minimum(inside / _RIM, 1), (width, height), interpolation=cv2.INTER_AREA))

    def _opaque(self, height: int, width: int) -> FloatArray:
        """N×height×width: how far each source shows something."""
        one = np.ones((height, width), np.float32)
        return np.stack([
            one if alpha is None else np.asarray(cv2.resize(alpha, (width, height), interpolation=cv2.INTER_AREA))
            for alpha in self._alphas
        ])  # fmt: skip


def fuse_luminances(engine: SetEngine, images: Sequence[FloatArray]) -> FloatArray:
    """Luminances H×W in 0..1, two or more of one size, opaque and grey → the fused one."""
    seen = _Seen(len(images), engine.spec.multiple)
    for image in images:
        seen.add(Picture(image[..., None]))
    blend = Blend(seen.grid, seen.decided(engine), [None] * len(images))
    for index, image in enumerate(images):
        blend.add(index, image)
    return blend.luminance()
