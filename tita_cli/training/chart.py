"""Panels of curves over a common x axis: what the plot of a training log is made of."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tita_cli import drawing
from tita_cli.drawing import FONT, GRID, Line, Mark, Point, Text

if TYPE_CHECKING:
    from PIL.Image import Image

# Okabe and Ito's palette: distinguishable for colour-blind readers too.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
WIDTH, HEIGHT = 480, 250
"""Size of a panel in pixels."""
_LEFT, _RIGHT, _TOP, _BOTTOM = 62, 14, 46, 30


@dataclass(frozen=True, slots=True)
class Panel:
    """One chart: named curves of (x, y) points over a common x axis; ``log`` for a logarithmic y axis."""

    title: str
    curves: dict[str, list[Point]] = field(default_factory=dict)
    log: bool = False

    def marks(self, left: float, top: float) -> list[Mark]:
        """The chart as marks, WIDTH×HEIGHT pixels with its upper left corner at (left, top)."""
        points = [point for curve in self.curves.values() for point in curve if not self.log or point[1] > 0]
        xs, ys = [x for x, _ in points], [math.log10(y) if self.log else y for _, y in points]
        x_low, x_high = _widen(min(xs), max(xs), 0.0)
        y_low, y_high = _widen(min(ys), max(ys), 0.05)

        def place(x: float, y: float) -> Point:
            across = (x - x_low) / (x_high - x_low) * (WIDTH - _LEFT - _RIGHT)
            up = (y - y_low) / (y_high - y_low) * (HEIGHT - _TOP - _BOTTOM)
            return left + _LEFT + across, top + HEIGHT - _BOTTOM - up

        marks: list[Mark] = [Text(left + _LEFT, top + 16, self.title, bold=True)]
        for y in _log_ticks(y_low, y_high) if self.log else _ticks(y_low, y_high, 5):
            start, end = place(x_low, y), place(x_high, y)
            marks += [Line((start, end), GRID, 1), Text(start[0] - 6, start[1] + 4, _number(y, self.log), "end")]
        for x in _ticks(x_low, x_high, 6):
            marks.append(Text(place(x, y_low)[0], top + HEIGHT - _BOTTOM + 16, _number(x, False), "middle"))
        legend = left + _LEFT
        for number, (name, curve) in enumerate(self.curves.items()):
            color = COLORS[number % len(COLORS)]
            placed = [place(x, math.log10(y) if self.log else y) for x, y in curve if not self.log or y > 0]
            if len(placed) == 1:  # a polyline of one point would be invisible
                placed = [(placed[0][0] - 3, placed[0][1]), (placed[0][0] + 3, placed[0][1])]
            marks.append(Line(placed, color))
            if len(self.curves) > 1:
                marks.append(Text(legend, top + 34, name, color=color))
                legend += 0.62 * FONT * (len(name) + 2)
        return marks


def to_svg(panels: Sequence[Panel], columns: int = 2) -> str:
    """A complete SVG document, panels row by row."""
    return drawing.to_svg(_lay_out(panels, columns), *_extent(panels, columns))


def to_image(panels: Sequence[Panel], columns: int = 2) -> Image:
    """The same as a picture, drawn at twice the size."""
    return drawing.to_image(_lay_out(panels, columns), *_extent(panels, columns))


def _extent(panels: Sequence[Panel], columns: int) -> tuple[int, int]:
    return WIDTH * min(columns, len(panels)), HEIGHT * -(-len(panels) // columns)


def _lay_out(panels: Sequence[Panel], columns: int) -> list[Mark]:
    placed = ((panel, WIDTH * (i % columns), HEIGHT * (i // columns)) for i, panel in enumerate(panels))
    return [mark for panel, left, top in placed for mark in panel.marks(left, top)]


def _widen(low: float, high: float, share: float) -> tuple[float, float]:
    """The range with a margin, and wide enough to divide by."""
    span = high - low or abs(high)
    if span < max(abs(low), abs(high)) * 1e-9 or span < 1e-300:
        middle, span = (low + high) / 2, max(abs(low), abs(high), 1.0)
        return middle - span / 2, middle + span / 2
    return (low - share * span, high + share * span) if high > low else (low - span / 2, high + span / 2)


def _ticks(low: float, high: float, count: int) -> list[float]:
    """About ``count`` round numbers within low..high."""
    rough = (high - low) / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough)
    return [i * step for i in range(math.ceil(low / step), math.floor(high / step) + 1)]


def _log_ticks(low: float, high: float) -> list[float]:
    """Decades and, for a short range, 2 and 5 between them."""
    factors = (1, 2, 5) if high - low < 2.5 else (1,)
    decades = range(math.floor(low), math.ceil(high) + 1)
    ticks = [decade + math.log10(factor) for decade in decades for factor in factors]
    return [tick for tick in ticks if low <= tick <= high] or [low, high]


def _number(value: float, log: bool) -> str:
    value = 10**value if log else value
    return f"{value / 1000:g}k" if abs(value) >= 10_000 else f"{round(value, 10):.4g}"
