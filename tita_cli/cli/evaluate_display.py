"""How ``tita eval`` shows what it found: progress, a table of means, JSON, and its files."""

from __future__ import annotations

import csv
import io
import math
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from tita_cli.cli.console import complain, envelope, printable, text_bytes, warn
from tita_cli.images import atomic_output
from tita_cli.metrics import Metric
from tita_cli.metrics.chart import chart
from tita_cli.metrics.files import Outcome
from tita_cli.metrics.ranking import COLUMNS, Published, Ranks, as_cell

Values = Mapping[str, Mapping[str, float]]


@contextmanager
def progress(total: int, *, quiet: bool) -> Iterator[Callable[[str], None]]:
    """A bar on a terminal's stderr, nothing elsewhere. Hands out what to call with each image's name."""
    if quiet or not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), TextColumn("{task.description}", markup=False))
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=total)
        yield lambda name: bar.update(task, advance=1, description=printable(name))


def tell(outcomes: Sequence[Outcome], *, quiet: bool) -> None:
    """What failed, what reading noted, and where a metric is not defined, on stderr."""
    for outcome in outcomes:
        if outcome.error is not None:
            complain(outcome.error.message, hint=outcome.error.hint)
    if quiet:
        return
    for note in dict.fromkeys(note for outcome in outcomes for note in outcome.notes):
        warn(note)
    measured = [outcome.values for outcome in outcomes if outcome.values is not None]
    for name in measured[0] if measured else ():
        undefined = sum(math.isnan(values[name]) for values in measured)
        if undefined:
            warn(f"{name} is not defined on {undefined} of {len(measured)} images (flat, or too small)")


def mean(values: Values, metric: str) -> float:
    """Mean over the images on which the metric is defined; NaN where there are none."""
    defined = [row[metric] for row in values.values() if not math.isnan(row[metric])]
    return sum(defined) / len(defined) if defined else math.nan


def means(values: Values, metrics: Sequence[Metric], ranks: Ranks | None, published: Published | None) -> bytes:
    """The table of means, with places and the best published method beside them where there are any."""
    from rich.table import Table

    plural = "image" if len(values) == 1 else "images"
    table = Table(title=f"{len(values)} {plural}", title_justify="left", header_style="bold")
    table.add_column("metric")
    table.add_column("mean", justify="right")
    if ranks and published:
        table.add_column(f"place of {ranks.count}", justify="right")
        table.add_column("best published", justify="right")
        table.add_column("by")
    for metric in metrics:
        row = [f"{metric.name} {metric.arrow}", _number(mean(values, metric.name))]
        if ranks and published:
            row += [str(ranks.places.get(metric.name, "–")), *_best(metric, values, published)]
        table.add_row(*row)
    lines = _render(table)
    if ranks:
        lines += f"average rank {ranks.average:.2f}: place {ranks.place} of {ranks.count} {_neighbours(ranks)}\n"
    return text_bytes(lines)


def _best(metric: Metric, values: Values, published: Published) -> tuple[str, str]:
    images = set(values).intersection(published.images)
    from rich.markup import escape

    found = {method: published.mean(method, metric.name, images) for method in published.methods}
    found = {method: value for method, value in found.items() if not math.isnan(value)}
    if not found:
        return "–", "–"
    method = (max if metric.higher_is_better else min)(found, key=lambda name: found[name])
    return _number(found[method]), escape(printable(method))


def _neighbours(ranks: Ranks) -> str:
    """The method just before and the one just after, with their average ranks."""
    before = [(average, name) for name, average in ranks.others.items() if average < ranks.average]
    after = [(average, name) for name, average in ranks.others.items() if average >= ranks.average]
    parts = [f"{word} {printable(name)} {average:.2f}" for word, (average, name) in
             ([("after", max(before))] if before else []) + ([("before", min(after))] if after else [])]  # fmt: skip
    return f"({', '.join(parts)})"


def _number(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.5g}"


def _render(table: Any) -> str:
    """The table as text: as wide as the terminal, and plain where stdout is none."""
    from rich.console import Console

    text = io.StringIO()
    # `results()` has pointed descriptor 1 elsewhere; sys.__stdout__ no longer tells what stdout is.
    Console(file=text, width=max(shutil.get_terminal_size().columns, 60)).print(table)
    return text.getvalue()


def document(outcomes: Sequence[Outcome], metrics: Sequence[Metric], ranks: Ranks | None) -> bytes:
    """Everything as one JSON document; a value that is not defined is null."""
    values = {outcome.name: outcome.values for outcome in outcomes if outcome.values is not None}
    body: dict[str, Any] = {
        "metrics": {metric.name: {"higher_is_better": metric.higher_is_better} for metric in metrics},
        "means": {metric.name: _finite(mean(values, metric.name)) for metric in metrics},
        "images": [
            {"name": name, "values": {metric: _finite(value) for metric, value in row.items()}}
            for name, row in values.items()
        ],
        "failed": [
            {"name": outcome.name, "fused": str(outcome.fused), "error": outcome.error.message}
            for outcome in outcomes
            if outcome.error is not None
        ],
    }
    if ranks:
        body["ranks"] = {
            "average": ranks.average,
            "place": ranks.place,
            "of": ranks.count,
            "places": ranks.places,
            "others": dict(sorted(ranks.others.items(), key=lambda item: item[1])),
        }
    return envelope("eval", body)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def write_table(path: Path, method: str, values: Values, *, overwrite: bool) -> None:
    """The values of each image, one a line, as ``--against`` reads them."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(
        (as_cell(image), as_cell(method), metric, repr(value))
        for image, row in values.items()
        for metric, value in row.items()
    )
    _write(path, text.getvalue(), overwrite=overwrite, errors="surrogateescape")  # names as the file system has them


def write_plot(
    path: Path,
    title: str,
    values: Values,
    metrics: Sequence[Metric],
    published: Published | None,
    *,
    overwrite: bool,
) -> None:
    """The chart of ``tita_cli.metrics.chart``."""
    _write(path, chart(title, values, metrics, published), overwrite=overwrite)


def _write(path: Path, text: str, *, overwrite: bool, errors: str = "replace") -> None:
    stream: BinaryIO
    with atomic_output(path, overwrite=overwrite) as stream:
        stream.write(text.encode(errors=errors))
