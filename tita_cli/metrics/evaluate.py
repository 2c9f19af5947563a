"""Metrics of one fused image against its sources, channel by channel as the benchmarks do it."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tita_cli.errors import MismatchError
from tita_cli.metrics.plane import Bytes, Plane
from tita_cli.metrics.registry import METRICS, Convention, Metric

Image = npt.NDArray[np.uint8]


def evaluate(
    fused: Image,
    *sources: Image,
    metrics: Sequence[Metric] | None = None,
    convention: Convention = "mefb",
) -> dict[str, float]:
    """Value of each metric (default: all that so many sources have) by name; NaN on flat or too small images.

    ``fused``, ``sources``: H×W or H×W×1 (grey) or H×W×3 (R, G, B) uint8. A grey source beside a colour fused image is
    repeated over its channels; a grey fused image is compared with the sources' grey. ``convention`` matters where the
    benchmarks differ: VIFB computes the SF of a colour image on its channels side by side. Raises MismatchError if
    sizes differ, or where a metric compares two sources and there are others than two.
    """
    images = (fused, *sources)
    fitting = [metric for metric in METRICS.values() if metric.takes(len(sources))]
    wanted = fitting if metrics is None else list(metrics)
    if unfit := [metric.name for metric in wanted if not metric.takes(len(sources))]:
        raise MismatchError(
            f"{', '.join(unfit)}: of two sources, not of {len(sources)}",
            hint=f"for any number there are {', '.join(metric.name for metric in METRICS.values() if metric.takes(3))}",
        )
    if len({image.shape[:2] for image in images}) > 1:
        sizes = ", ".join(f"{image.shape[1]}×{image.shape[0]}" for image in images)
        raise MismatchError(
            f"fused image and sources differ in size: {sizes}",
            hint="fuse without cropping (`border` fill), or measure against the files that tita align writes",
        )
    channels = 3 if fused.ndim == 3 and fused.shape[2] == 3 else 1
    values: dict[str, float] = {}
    for color, views in (
        ("mean", [[_channel(image, channel, channels) for image in images] for channel in range(channels)]),
        ("grey", [[grey(image) for image in images]]),
        ("tiled", [[_tiled(image) for image in images]]),
    ):
        concerned = [metric for metric in wanted if metric.color_by(convention) == color]
        found = [_of_planes(concerned, *map(Plane, view)) for view in views] if concerned else []
        for place, metric in enumerate(concerned):
            values[metric.name] = float(np.mean([row[place] for row in found]))
    return {metric.name: values[metric.name] for metric in wanted}


def _of_planes(metrics: Sequence[Metric], fused: Plane, *sources: Plane) -> list[float]:
    """Planes exist only in here, so that their cached intermediates are freed before the next channel."""
    side = min(fused.shape)
    return [metric(fused, *sources) if side >= metric.least else math.nan for metric in metrics]


def _channel(image: Image, channel: int, channels: int) -> Bytes:
    if image.ndim == 2:
        return image
    if channels == 1:
        return grey(image)
    return np.ascontiguousarray(image[:, :, channel if image.shape[2] == 3 else 0])


def _tiled(image: Image) -> Bytes:
    """The channels side by side, H×W·C: MATLAB's ``[m, n] = size(image)`` folds the third dimension into the second."""
    return image if image.ndim == 2 else np.concatenate(np.moveaxis(image, 2, 0), axis=1)


def grey(image: Image) -> Bytes:
    """Luminance as MATLAB's ``rgb2gray``, rounded: H×W uint8."""
    if image.ndim == 2:
        return image
    if image.shape[2] == 1:
        return np.ascontiguousarray(image[:, :, 0])
    weights = np.array([0.298936021293776, 0.587043074451121, 0.114020904255103])
    return np.asarray(np.floor(image @ weights + 0.5), dtype=np.uint8)
