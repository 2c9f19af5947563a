"""Curves of a training log: losses, FAMO's and OAF's weights, learning rate, and dev metrics if logged."""

from __future__ import annotations

import io
from collections import defaultdict
from collections.abc import Iterable, Mapping
from html import escape
from pathlib import Path
from typing import Any

from tita_cli.drawing import Point
from tita_cli.errors import InputError, OutputError
from tita_cli.images.atomic import atomic_output, check_writable
from tita_cli.training.chart import Panel, to_image, to_svg
from tita_cli.training.log import Record, read_log

_OAF = {3: ("high", "add", "mul"), 6: ("high A", "add A", "mul A", "high B", "add B", "mul B")}
_LARGEST = 1e300
_MOST_POINTS = 600
"""Longer curves are averaged down to this many points."""


def plot_log(log: Path, target: Path, *, overwrite: bool) -> None:
    """Draw the log of a run to an .svg, .png or .html file.

    Raises ``InputError`` for a log that cannot be read or has no step yet, ``OutputError`` for the target.
    """
    check_writable(target, overwrite, sources=[log])
    kind = target.suffix.lower()
    if kind not in (".svg", ".png", ".html"):
        raise OutputError(f"{target}: curves are drawn as .svg, .png or .html", hint="give -o one of these extensions")
    records = read_log(log)
    panels = build_panels(records)
    if not panels:
        raise InputError(f"{log}: no step to plot yet", hint="the first record comes after [log] every steps")
    content = io.BytesIO()
    if kind == ".png":
        to_image(panels).save(content, "PNG", optimize=True)
    else:
        svg = to_svg(panels)
        content.write((svg if kind == ".svg" else _page(log, records, svg)).encode())
    with atomic_output(target, overwrite=overwrite) as stream:
        stream.write(content.getvalue())


def build_panels(records: Iterable[Record]) -> list[Panel]:
    """One chart per quantity that the records hold."""
    charts: dict[str, dict[str, list[Point]]] = defaultdict(lambda: defaultdict(list))
    for record in records:
        step = float(record.get("step", 0))
        for chart, curve, value in _values(record):
            if isinstance(value, int | float) and abs(value) < _LARGEST:
                charts[chart][curve].append((step, float(value)))
    logarithmic = ("loss", "learning rate", "gradient")
    return [
        Panel(title, {name: _thin(points) for name, points in curves.items()}, log=title.startswith(logarithmic))
        for title, curves in charts.items()
        if title.startswith("dev") or any(y > 0 for points in curves.values() for _, y in points)
    ]


def _values(record: Record) -> Iterable[tuple[str, str, Any]]:
    """(chart, curve, value) of one record."""
    if record["event"] == "dev":
        for name, value in _mapping(record, "metrics").items():
            yield f"dev {name}", name, value
        return
    if record["event"] != "step":
        return
    losses = _mapping(record, "losses")
    losses = {task: terms for task, terms in losses.items() if isinstance(terms, Mapping)}
    for task, terms in losses.items():
        yield "loss, all tasks", task, terms.get("total")
    for task, share in _mapping(record, "famo").items():
        yield "weight of each task (FAMO)", task, share
    for task, terms in losses.items():
        for term, value in terms.items():
            if term != "total":
                yield f"loss terms, {task}", term, value
    for task, weights in _mapping(record, "oaf").items():
        names = _OAF.get(len(weights), ()) if isinstance(weights, list) else ()
        for name, weight in zip(names, weights, strict=False):
            yield f"OAF's weights, {task}", name, weight
    yield "learning rate", "learning rate", record.get("lr")
    yield "gradient norm", "gradient norm", record.get("grad_norm")
    yield "pixels per second", "pixels per second", record.get("px_per_s")


def _mapping(record: Record, key: str) -> Mapping[str, Any]:
    value = record.get(key)
    return value if isinstance(value, Mapping) else {}


def _thin(points: list[Point]) -> list[Point]:
    bundle = -(-len(points) // _MOST_POINTS)
    bundles = [points[i : i + bundle] for i in range(0, len(points), bundle)]
    return [(sum(x for x, _ in part) / len(part), sum(y for _, y in part) / len(part)) for part in bundles]


def _page(log: Path, records: list[Record], svg: str) -> str:
    start = next((record for record in records if record["event"] == "start"), {})
    shown = {key: value for key, value in start.items() if key not in ("event", "step")}
    rows = "".join(f"<tr><th>{escape(key)}</th><td>{escape(str(value))}</td></tr>" for key, value in shown.items())
    return (
        f'<!doctype html>\n<html lang="en"><meta charset="utf-8"><title>{escape(str(log))}</title>\n'
        "<style>body{font-family:sans-serif;margin:2em}th{text-align:left;vertical-align:top;padding-right:1em}"
        "svg{max-width:100%;height:auto}</style>\n"
        f"<h1>{escape(str(log))}</h1>\n<table>{rows}</table>\n{svg}</html>\n"
    )
