"""The rank of a candidate among methods with published values, and the files of those values."""

from __future__ import annotations

import csv
import io
import math
import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image as PillowImage

from tita_cli.errors import InputError, MismatchError
from tita_cli.files import read_input
from tita_cli.metrics.evaluate import Image
from tita_cli.metrics.registry import METRICS, Metric

COLUMNS = ("image", "method", "metric", "value")
_MAX_BYTES = 1 << 28
_FORMULA = frozenset("=+-@\t\r'")


@dataclass(frozen=True, slots=True)
class Published:
    """Per-image values of other methods. ``values``: (image, method, metric) to value."""

    values: Mapping[tuple[str, str, str], float]

    @property
    def images(self) -> list[str]:
        return sorted({image for image, _, _ in self.values})

    @property
    def methods(self) -> list[str]:
        return sorted({method for _, method, _ in self.values})

    @property
    def metrics(self) -> list[Metric]:
        """The metrics of the table that are implemented, in the order of ``METRICS``."""
        listed = {metric for _, _, metric in self.values}
        return [metric for name, metric in METRICS.items() if name in listed]

    def mean(self, method: str, metric: str, images: Collection[str]) -> float:
        """Mean over ``images`` of one method and metric; NaN where a value is missing."""
        values = [self.values.get((image, method, metric), math.nan) for image in images]
        return sum(values) / len(values) if values else math.nan


def read_published(path: str | os.PathLike[str]) -> Published:
    """Read a table with the columns ``image,method,metric,value``. Raises InputError."""
    name, values = os.fspath(path), {}
    text = read_input(path, max_bytes=_MAX_BYTES).decode("utf-8-sig", "surrogateescape")
    table = csv.DictReader(io.StringIO(text, newline=""))
    try:
        missing = [column for column in COLUMNS if column not in (table.fieldnames or ())]
        if missing:
            raise InputError(
                f"{name}: no column named {', '.join(missing)}", hint=f"the table needs {', '.join(COLUMNS)}"
            )
        for row in table:
            key = from_cell(row["image"]), from_cell(row["method"]), row["metric"]
            values[key] = _finite(row["value"])
    except (ValueError, TypeError, AttributeError, csv.Error) as error:
        raise InputError(f"{name}: line {table.line_num} is not a row of {', '.join(COLUMNS)}: {error}") from error
    if not values:
        raise InputError(f"{name}: no values in it")
    return Published(values)


def _finite(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError(f"{text} is no value")
    return value


def as_cell(text: str) -> str:
    """``text`` as a cell that no spreadsheet takes for a formula; what begins with an apostrophe stays apart."""
    return f"'{text}" if text[:1] in _FORMULA else text


def from_cell(cell: str) -> str:
    """The inverse of :func:`as_cell`."""
    return cell[1:] if cell[:1] == "'" and cell[1:2] in _FORMULA else cell


@dataclass(frozen=True, slots=True)
class Ranks:
    """Places of a candidate: ``places`` by metric (1 = best) among ``count`` methods, itself included."""

    places: dict[str, int]
    count: int
    others: dict[str, float]

    @property
    def average(self) -> float:
        """The average rank: lower is better."""
        return sum(self.places.values()) / len(self.places)

    @property
    def place(self) -> int:
        """The place by average rank."""
        return 1 + sum(other < self.average for other in self.others.values())


def rank(candidate: Mapping[str, Mapping[str, float]], published: Published, metrics: Sequence[Metric]) -> Ranks:
    """Rank the candidate among the published methods, metric by metric, by the mean over the images both have.

    ``candidate``: image to metric to value. A NaN removes its image from the metric; a method with a missing value is
    left out of the metric. ``others`` of the result: average ranks of the published methods with the candidate among
    them. Raises MismatchError if no image or no metric is in both.
    """
    if not set(candidate).intersection(published.images):
        raise MismatchError("none of the images is in the published table", hint="they are matched by file stem")
    places: dict[str, int] = {}
    theirs: dict[str, list[int]] = {method: [] for method in published.methods}
    for metric in metrics:
        own = {image: candidate[image][metric.name] for image in published.images if image in candidate}
        own = {image: value for image, value in own.items() if not math.isnan(value)}
        sign = 1.0 if metric.higher_is_better else -1.0
        means = {method: sign * published.mean(method, metric.name, own) for method in published.methods}
        means = {method: mean for method, mean in means.items() if not math.isnan(mean)}
        if not own or not means:
            continue
        mean = sign * sum(own.values()) / len(own)
        places[metric.name] = 1 + sum(other > mean for other in means.values())
        for method, other in means.items():
            theirs[method].append(1 + (mean > other) + sum(third > other for third in means.values()))
    if not places:
        raise MismatchError("none of the metrics is in the published table", hint="`metrics` chooses others")
    others = {method: sum(found) / len(found) for method, found in theirs.items() if found}
    return Ranks(places, len(others) + 1, others)


def reencode(image: Image) -> Image:
    """The image after JPEG of quality 75 with 4:2:0 chroma, as MATLAB's ``imwrite`` stores it by default.

    The benchmarks stored their fused images like this and computed their values from them; a lossless candidate would
    rank better than it should.
    """
    stream = io.BytesIO()
    PillowImage.fromarray(image).save(stream, "JPEG", quality=75, subsampling="4:2:0")
    return np.asarray(PillowImage.open(stream))
