"""Metrics of one fused image against its two sources, channel by channel as the benchmarks do it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tita_cli.errors import InputError, MismatchError
from tita_cli.metrics.plane import Bytes, Plane
from tita_cli.metrics.registry import METRICS, Metric

Image = npt.NDArray[np.uint8]


def evaluate(fused: Image, a: Image, b: Image, metrics: Sequence[Metric] | None = None) -> dict[str, float]:
    """Value of each metric (default: all) by name, NaN where it is not defined, say on a flat image.

    ``fused``, ``a``, ``b``: H×W or H×W×1 (grey) or H×W×3 (R, G, B) uint8. A grey source beside a colour fused image is
    repeated over its channels; a grey fused image is compared with the sources' grey. Raises MismatchError where the
    sizes differ and InputError where an image is too small for a metric.
    """
    wanted = list(METRICS.values()) if metrics is None else list(metrics)
    if not fused.shape[:2] == a.shape[:2] == b.shape[:2]:
        sizes = ", ".join(f"{image.shape[1]}×{image.shape[0]}" for image in (fused, a, b))
        raise MismatchError(f"fused image and sources differ in size: {sizes}")
    for metric in wanted:
        if min(fused.shape[:2]) < metric.least:
            raise InputError(
                f"{metric.name} needs at least {metric.least} pixels a side, not {fused.shape[1]}×{fused.shape[0]}",
                hint="choose other metrics with --metrics",
            )
    channels = 3 if fused.ndim == 3 and fused.shape[2] == 3 else 1
    values: dict[str, list[float]] = {metric.name: [] for metric in wanted}
    for channel in range(channels):
        planes = [Plane(_channel(image, channel, channels)) for image in (fused, a, b)]
        for metric in wanted:
            if metric.color == "mean":
                values[metric.name].append(metric(*planes))
    for metric in wanted:
        if metric.color == "grey":
            values[metric.name].append(metric(*(Plane(grey(image)) for image in (fused, a, b))))
        elif metric.color == "tiled":
            values[metric.name].append(metric(*(Plane(_tiled(image)) for image in (fused, a, b))))
    return {name: float(np.mean(found)) for name, found in values.items()}


def _channel(image: Image, channel: int, channels: int) -> Bytes:
    if image.ndim == 2:
        return image
    if channels == 1:
        return grey(image)
    return np.ascontiguousarray(image[:, :, channel if image.shape[2] == 3 else 0])


def _tiled(image: Image) -> Bytes:
    """The channels side by side: H×W·C. The published code does so, it seems, because MATLAB folds dimensions."""
    return image if image.ndim == 2 else np.concatenate(np.moveaxis(image, 2, 0), axis=1)


def grey(image: Image) -> Bytes:
    """Luminance as MATLAB's ``rgb2gray`` has it, rounded: H×W uint8."""
    if image.ndim == 2:
        return image
    if image.shape[2] == 1:
        return np.ascontiguousarray(image[:, :, 0])
    weights = np.array([0.298936021293776, 0.587043074451121, 0.114020904255103])
    return np.floor(image @ weights + 0.5).astype(np.uint8)
