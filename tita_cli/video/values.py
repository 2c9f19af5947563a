"""From the codes of a video to luminance in 0..1: one range for a clip, that follows slow changes without flicker.

Thermal counts fill a sliver of their 16 bits. A range that is found anew for every frame makes the whole picture
brighter and darker with every warm thing that passes.
"""

from __future__ import annotations

import math
from typing import TypeAlias

import numpy as np

from tita_cli.images.picture import FloatArray
from tita_cli.images.value_range import ValueRange
from tita_cli.video.frame import Codes, Layout

Bounds: TypeAlias = tuple[float, float]

_SECONDS = 2.0
"""Time constant of a range that follows its clip."""
_STEP = 4
"""Every fourth pixel of every fourth row tells the range."""
_PERCENTILES = (0.1, 99.9)
_JUMP = 0.5
"""Of the range, by which an end moves at once: another scene, or another gain of the camera."""


class Values:
    """One clip's luminance.

    ``value_range``: what the plan of the clip has as 0 and 1, of the layout's own levels; None for these.
    ``follows``: whether it was found in the picture, and goes on being found there. ``inverted``: black is hot.
    """

    def __init__(self, layout: Layout, value_range: ValueRange | None, *, follows: bool, inverted: bool) -> None:
        black, white = layout.levels
        low, high = (0.0, 1.0) if value_range is None else value_range[:2]
        self._bounds: Bounds = (black + low * (white - black), black + high * (white - black))
        self._follows = follows and value_range is not None and not value_range.of_sensor
        self._inverted, self._size = inverted, 256 if layout.depth == 8 else 65536
        self._table: FloatArray | None = None
        self._time: float | None = None

    def luminance(self, codes: Codes, time: float) -> FloatArray:
        """H×W float32 in 0..1 of the frame at ``time``, seconds."""
        if self._follows:
            self._follow(codes, time)
        if self._table is None:
            low, high = self._bounds
            steps = np.arange(self._size, dtype=np.float32)
            table = np.clip((steps - np.float32(low)) / np.float32(high - low), 0, 1)
            self._table = 1 - table if self._inverted else table
        return self._table[codes]

    def _follow(self, codes: Codes, time: float) -> None:
        low, high = (float(bound) for bound in np.percentile(codes[::_STEP, ::_STEP], _PERCENTILES))
        before, self._time = self._time, time
        if high <= low:
            return
        span = self._bounds[1] - self._bounds[0]
        moved = max(abs(low - self._bounds[0]), abs(high - self._bounds[1]))
        share = 1.0 if moved > _JUMP * span else 0.0 if before is None else 1 - math.exp(-(time - before) / _SECONDS)
        if share:
            (own_low, own_high) = self._bounds
            self._bounds = own_low + share * (low - own_low), own_high + share * (high - own_high)
            self._table = None
