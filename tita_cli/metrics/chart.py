"""The chart of an evaluation: one row per metric, one dot per image, the published methods in grey."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from tita_cli.drawing import Dot, Line, Mark, Text, to_svg
from tita_cli.metrics.ranking import Published
from tita_cli.metrics.registry import Metric

_LEFT, _WIDTH, _RIGHT, _ROW, _TOP, _BOTTOM = 96, 560, 110, 34, 52, 16
_OURS, _THEIRS, _FAINT = "#D55E00", "#9a9a9a", "#e4e4e4"


def chart(
    title: str,
    values: Mapping[str, Mapping[str, float]],
    metrics: Sequence[Metric],
    published: Published | None = None,
) -> str:
    """An SVG document; better is always to the right.

    ``values``: image to metric to value. Dots are images, the bar is their mean; with ``published``, grey bars are the
    means of its methods over the same images, and the row spans from the worst of them to the best.
    """
    height = _TOP + _ROW * len(metrics) + _BOTTOM
    width = _LEFT + _WIDTH + _RIGHT
    theirs = "  |  grey: published methods" if published else ""
    marks: list[Mark] = [
        Text(_LEFT, 20, title, bold=True),
        Text(_LEFT, 38, f"better →  |  dots: {len(values)} images, bar: mean{theirs}"),
    ]
    for row, metric in enumerate(metrics):
        marks += _row(metric, values, published, _TOP + _ROW * row + _ROW / 2)
    return to_svg(marks, width, height)


def _row(
    metric: Metric, values: Mapping[str, Mapping[str, float]], published: Published | None, middle: float
) -> list[Mark]:
    own = [row[metric.name] for row in values.values() if math.isfinite(row[metric.name])]
    others = _means(metric, list(values), published)
    marks: list[Mark] = [Text(_LEFT - 10, middle + 4, f"{metric.name} {metric.arrow}", "end")]
    if not own:
        return [*marks, Text(_LEFT, middle + 4, "not defined on these images")]
    mean = sum(own) / len(own)
    # The spread of the images would compress the published means: dots outside the row are not drawn.
    low, high = _range([*others, mean] if others else own)

    def place(value: float) -> float:
        share = (value - low) / (high - low)
        return _LEFT + _WIDTH * (share if metric.higher_is_better else 1 - share)

    def bar(value: float, half: float, color: str, width: float) -> Line:
        return Line(((place(value), middle - half), (place(value), middle + half)), color, width)

    marks.append(Line(((_LEFT, middle), (_LEFT + _WIDTH, middle)), _FAINT, 1))
    marks += [bar(value, 7, _THEIRS, 1.5) for value in others]
    marks += [Dot(place(value), middle, _OURS) for value in own if low <= value <= high]
    marks.append(bar(mean, 11, _OURS, 3))
    marks.append(Text(_LEFT + _WIDTH + 12, middle + 4, f"{mean:.4g}"))
    return marks


def _means(metric: Metric, images: Sequence[str], published: Published | None) -> list[float]:
    if published is None:
        return []
    shared = set(images).intersection(published.images)
    means = (published.mean(method, metric.name, shared) for method in published.methods) if shared else ()
    return [mean for mean in means if math.isfinite(mean)]


def _range(values: Sequence[float]) -> tuple[float, float]:
    """From the smallest to the largest, with a margin."""
    low, high = min(values), max(values)
    margin = 0.04 * (high - low) or abs(high) * 0.1 or 1.0
    return low - margin, high + margin
