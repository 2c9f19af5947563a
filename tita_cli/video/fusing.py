"""What happens to a pair of frames: luminance, one frame, the network, steadiness, and the blend."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import cv2
import numpy as np
import numpy.typing as npt

from tita_cli.fusion.blend import Blend
from tita_cli.fusion.coarse import Grid
from tita_cli.fusion.plan import Plan
from tita_cli.fusion.thermal import infrared_of
from tita_cli.images.palettes import UNKNOWN
from tita_cli.images.picture import FloatArray
from tita_cli.options import Depth, FuseOptions, PerSource, RangeSetting
from tita_cli.runtime.set_engine import Decision, SetEngine
from tita_cli.video.clip import Clip
from tita_cli.video.false_color import PaletteLookup
from tita_cli.video.frame import Codes, Frame
from tita_cli.video.registration import Registration
from tita_cli.video.steady import Steady
from tita_cli.video.values import Values

MOST_PIXELS = 90_000
"""Of a frame, that the network sees."""
_COLOR = 2
"""The level whose shares blend the chroma of two coloured clips."""


@dataclass(frozen=True, slots=True)
class Ready:
    """A frame that is decided and not yet blended. ``hot``: where an overlay shows, H×W; None without one."""

    ticks: int
    time: Fraction
    grid: Grid
    decision: Decision
    planes: tuple[FloatArray, ...]
    colors: tuple[tuple[Codes, Codes], ...]
    hot: npt.NDArray[np.bool_] | None

    def luminance(self) -> FloatArray:
        """H×W in 0..1."""
        blend = Blend(self.grid, self.decision, [None] * len(self.planes))
        for index, plane in enumerate(self.planes):
            blend.add(index, plane)
        return blend.luminance()

    def chroma(self) -> tuple[Codes, Codes] | None:
        """Of the clip that has colour, as it is; of two, blended as the network shares them."""
        if len(self.colors) < 2:
            return self.colors[0] if self.colors else None
        (height, width), dtype = self.colors[0][0].shape, self.colors[0][0].dtype
        share = np.asarray(cv2.resize(self.decision.shares[_COLOR][0], (width, height), interpolation=cv2.INTER_LINEAR))
        one, two = (
            np.rint(second + share * (first.astype(np.float32) - second)).astype(dtype)
            for first, second in zip(*self.colors, strict=True)
        )
        return one, two


class Fuser:
    """Fuses pairs of frames in their order, one clip's."""

    def __init__(
        self, clips: Sequence[Clip], plan: Plan, engine: SetEngine, how: FuseOptions, steady: float, depth: Depth
    ) -> None:
        """Raises OptionError for an overlay where it is not clear which clip is the infrared."""
        self._overlaid = None if how.overlay is None else (infrared_of(plan, how), how.overlay)
        self._engine, self._plan = engine, plan
        self.registration = Registration(plan, follows=how.align_from is None and how.align != "none")
        window = self.registration.window
        self.grid = Grid.of(window.height, window.width, len(clips), engine.spec.multiple, most=MOST_PIXELS)
        self._steady = Steady(steady)
        self._roles = np.array([_role(plan, index) for index in range(len(clips))], np.float32)
        palettes_of = [None if look.palette == UNKNOWN else look.palette for look in plan.looks]
        self._lookups = [None if palette is None else PaletteLookup(palette) for palette in palettes_of]
        ranges: PerSource[RangeSetting] = PerSource.of(how.value_range)
        told = ranges.told("value_range", [clip.name for clip in clips])
        self._values = []
        for index, clip in enumerate(clips):
            setting = told[index] or ranges.meant(plan.roles.of[index]) or ranges.general or "auto"
            lookup = self._lookups[index]
            self._values.append(Values(
                clip.layout if lookup is None else lookup.layout(clip.layout), plan.value_range(index),
                follows=setting == "auto" and plan.shared is None, inverted=plan.facts.inverted[index],
            ))  # fmt: skip
        self.colored = tuple(
            index for index, (clip, look) in enumerate(zip(clips, plan.looks, strict=True))
            if how.color != "grey" and clip.layout.is_color and look.is_color and look.has_chroma
        )  # fmt: skip

        layout = clips[self.colored[0]].layout if self.colored else clips[plan.reference].layout
        self._colors = replace(layout, depth=depth)

    def fused(self, frames: Sequence[Frame]) -> Ready:
        """Decide on one frame of each clip; the reference's time stamp is the result's."""
        place, reference = self.registration, self._plan.reference
        time = frames[reference].time
        codes = [
            frame.luminance if lookup is None else lookup.intensity(frame)
            for frame, lookup in zip(frames, self._lookups, strict=True)
        ]
        own = [values.luminance(plane, float(time)) for plane, values in zip(codes, self._values, strict=True)]
        place.observe(own, float(time))
        base = np.ascontiguousarray(place.cut(own[reference]))
        planes = tuple(
            base if index == reference else np.ascontiguousarray(place.luminance(index, plane, base))
            for index, plane in enumerate(own)
        )
        small = np.stack([self.grid.reduced(plane) for plane in planes])
        hidden = np.stack([self.grid.hidden(plane) for plane in planes])
        decision = self._steady.settled(self._engine.decide(small, hidden, self._roles), small, float(time))
        colors = tuple(self._color(frames[index], index) for index in self.colored)
        return Ready(frames[reference].ticks, time, self.grid, decision, planes, colors, self._hot(codes, base))

    def _hot(self, codes: Sequence[Codes], base: FloatArray) -> npt.NDArray[np.bool_] | None:
        """Where the infrared is hotter than an overlay's threshold, in the frame of the result.

        By its codes: a spot may be hotter than the end of the range. ``base``: of the result's size.
        """
        if self._overlaid is None:
            return None
        index, threshold = self._overlaid
        inverted = self._plan.facts.inverted[index]
        hot = codes[index] <= threshold if inverted else codes[index] >= threshold
        placed = self.registration.luminance(index, hot.astype(np.float32), np.zeros_like(base))
        return np.asarray(placed >= 0.5)

    def _color(self, frame: Frame, index: int) -> tuple[Codes, Codes]:
        """Chroma in the frame of the result, in codes of the layout that the result has."""
        place, layout = self.registration, self._colors
        if frame.chroma is None:
            raise ValueError("a grey frame has no chroma")
        if place.is_still(index) and frame.layout.chroma_levels == layout.chroma_levels:
            one, two = (place.cut(plane, 2) for plane in frame.chroma)
            return one, two
        (middle, reach), (to_middle, to_reach) = frame.layout.chroma_levels, layout.chroma_levels
        one, two = (
            np.rint(place.chroma(index, (plane.astype(np.float32) - middle) * np.float32(to_reach / reach)) + to_middle)
            .clip(0, np.iinfo(layout.dtype).max).astype(layout.dtype)
            for plane in frame.chroma
        )  # fmt: skip
        return one, two

    def close(self) -> None:
        self.registration.close()


def _role(plan: Plan, index: int) -> int:
    """What the network is told: 1 for a photograph, -1 for infrared, 0 for nothing."""
    role = plan.roles.of[index]
    return -1 if role == "infrared" else int(role == "visible" or plan.looks[index].has_chroma)
