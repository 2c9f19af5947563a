"""Previews and metrics of one row of a report. Every file is read once for both."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from tita_cli.errors import InputError, MismatchError
from tita_cli.images import Picture, read_picture
from tita_cli.images.quantize import quantize
from tita_cli.report.rows import Row

if TYPE_CHECKING:
    from tita_cli.metrics.registry import Metric

Bytes = npt.NDArray[np.uint8]

# A page of this size opens in a second or two; WebP at QUALITY takes about BYTES_A_PIXEL.
PAGE_BUDGET = 48 << 20
BYTES_A_PIXEL = 0.11
QUALITY = 82
SMALLEST, LARGEST = 240, 1024
# Of a longer stack, this many sources are shown, evenly spaced.
MOST_SOURCES = 5


@dataclass(frozen=True, slots=True)
class Views:
    """Pictures and metrics of a row.

    ``images``: the sources shown, then the result, each WebP in base64, or "" where the file can no longer be read.
    ``shown``: indices of these sources. ``metrics``: values by name.
    """

    images: list[str]
    shown: list[int]
    metrics: dict[str, float]


def preview_side(pictures: int) -> int:
    """The longer side of previews in pixels, such that ``pictures`` of them keep the page within its budget."""
    area = PAGE_BUDGET / max(1, pictures) / BYTES_A_PIXEL
    return int(min(LARGEST, max(SMALLEST, math.sqrt(area * 4 / 3))))


def shown_sources(row: Row) -> list[int]:
    count = len(row.sources)
    if count <= MOST_SOURCES:
        return list(range(count))
    return [round(place * (count - 1) / (MOST_SOURCES - 1)) for place in range(MOST_SOURCES)]


def view_row(row: Row, side: int, metrics: Sequence[Metric]) -> Views:
    """Read the files of ``row``. Missing or damaged ones give an empty preview, which the page explains."""
    shown = shown_sources(row)
    sources = [_read(row.sources[index]) for index in shown]
    result = _read(row.target) if row.state == "fused" else None
    images = ["" if picture is None else encode_preview(to_bytes(picture), side) for picture in (*sources, result)]
    values: dict[str, float] = {}
    if metrics and result is not None:
        values = _measure(result, [source for source in sources if source is not None], row, metrics)
    return Views(images, shown, values)


def _read(path: Path) -> Picture | None:
    try:
        return read_picture(path)
    except InputError:
        return None


def to_bytes(picture: Picture) -> Bytes:
    """H×W×3 or H×W×1 uint8. Deep grey, such as thermal counts, is stretched: it uses little of its range."""
    pixels = picture.pixels
    if picture.depth > 8 and not picture.is_color:
        low, high = np.percentile(pixels, (0.5, 99.5))
        pixels = (pixels - low) / max(float(high - low), 1e-9)
    return quantize(pixels, 8)


def encode_preview(image: Bytes, side: int) -> str:
    """``image``, scaled down to at most ``side`` pixels, as WebP in base64."""
    import cv2
    from PIL import Image

    scale = side / max(image.shape[:2])
    if scale < 1:
        width, height = (max(1, round(length * scale)) for length in (image.shape[1], image.shape[0]))
        image = np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(image.squeeze() if image.shape[-1] == 1 else image).save(buffer, "WEBP", quality=QUALITY, method=2)
    return base64.b64encode(buffer.getvalue()).decode()


def _measure(result: Picture, sources: list[Picture], row: Row, metrics: Sequence[Metric]) -> dict[str, float]:
    """Metrics of sources of the result's size; for others, only those of the result itself."""
    from tita_cli.metrics.evaluate import evaluate

    fused = quantize(result.pixels, 8)
    given = [quantize(source.pixels, 8) for source in sources]
    if len(row.sources) != len(given) or any(image.shape[:2] != fused.shape[:2] for image in given):
        given = []
    wanted = [metric for metric in metrics if metric.takes(len(given))]
    fitting = [metric for metric in wanted if min(fused.shape[:2]) >= metric.least]
    try:
        found: dict[str, Any] = evaluate(fused, *given, metrics=fitting)
    except MismatchError:
        return {}
    return {name: float(value) for name, value in found.items() if math.isfinite(value)}
