"""What a batch is going to do, on stdout: as a table, as a list on a narrow terminal, or as JSON."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from tita_cli.batch import State, Tasks
from tita_cli.cli.console import columns, counted, envelope, folded, printable, results
from tita_cli.pairing import NO_IMAGE, Grouping, Leftover

_PLAN = ("result", "sources", "why", "state")
_LEFT_OVER = ("left over", "reason")
_REASONS = ("why", "reason")
"""Titles of columns whose lines may be broken."""
_MOST_LISTED = 50
_MOST_KINDS = 8


def planned(plan: Grouping, tasks: Tasks) -> str:
    """How many groups there are of how many images, and what is done already, in a line."""
    states = tasks.counts
    parts = [f"{counted(len(tasks), 'group')} from {counted(tasks.jobs.images, 'image')}, grouped by {plan.rule}"]
    parts += [f"{states[State.DONE]} already done"] if states[State.DONE] else []
    parts += [f"{states[State.FAILED]} failed earlier"] if states[State.FAILED] else []
    left, _ = _left_over(plan)
    parts += [f"{counted(len(left), 'file')} left over"] if left else []
    return ", ".join(parts)


def leftover_lines(plan: Grouping, *, everything: bool) -> Iterator[str]:
    """Every file that was left over, or the first of many, and how many files are no images."""
    left, others = (plan.leftovers, []) if everything else _left_over(plan)
    shown = left if everything else left[:_MOST_LISTED]
    for leftover in shown:
        yield printable(f"left over: {leftover.path}: {leftover.reason}")
    if len(shown) < len(left):
        yield f"… and {len(left) - len(shown)} more: --verbose or --dry-run --json lists them all"
    if others:
        yield _no_images(others)


def _left_over(plan: Grouping) -> tuple[list[Leftover], list[Leftover]]:
    """What may have been meant to be fused, and what is no image, as the text beside the pictures."""
    others = [leftover for leftover in plan.leftovers if leftover.reason == NO_IMAGE]
    return [leftover for leftover in plan.leftovers if leftover.reason != NO_IMAGE], others


def _no_images(others: Sequence[Leftover]) -> str:
    kinds = sorted({leftover.path.suffix.lower() or leftover.path.name for leftover in others})
    more = f" and {len(kinds) - _MOST_KINDS} more" if len(kinds) > _MOST_KINDS else ""
    be = "is no image" if len(others) == 1 else "are no images"
    return printable(f"{counted(len(others), 'file')} {be}: {', '.join(kinds[:_MOST_KINDS])}{more}")


def print_plan(plan: Grouping, folder: Path, tasks: Tasks, *, as_json: bool) -> None:
    """The plan on stdout: as a table, or as one JSON document whose groups are lines of a manifest."""
    if as_json:
        document = {
            "rule": plan.rule,
            "folder": str(folder),
            "groups": [{**task.job.group.describe(), "output": task.job.output} for task in tasks],
            "states": {task.job.output: {"state": task.state.value, "why": task.why} for task in tasks},
            "leftovers": [leftover.describe() for leftover in plan.leftovers],
        }
        with results() as stdout:
            stdout.write(envelope("batch", document))
        return
    width = columns(sys.stdout) or 200
    rows: list[Sequence[str]] = list(_rows(tasks))
    found, others = _left_over(plan)
    left: list[Sequence[str]] = [(printable(str(leftover.path)), printable(leftover.reason)) for leftover in found]
    _write(f"{printable(planned(plan, tasks))} → {printable(str(folder))}")
    tables = [(_PLAN, rows)] + ([(_LEFT_OVER, left)] if left else [])
    if max(_width(titles, cells) for titles, cells in tables) <= width:
        for titles, cells in tables:
            _write_table(titles, cells, width)
    else:
        for result, sources, why, state in rows:
            _write(f"{result}: {state}\n  {why}", *(f"  {name}" for name in sources.split("\n")))
        _write(*(f"left over: {path}: {reason}" for path, reason in left))
    if others:
        _write(_no_images(others))
    if any(task.job.group.reference is not None for task in tasks):
        _write("* the reference: its frame, size and metadata are the result's")


def _rows(tasks: Tasks) -> Iterator[tuple[str, str, str, str]]:
    """Of each group the result, the sources, a line each, why they belong together, and what is to be done."""
    for task in tasks:
        group, state = task.job.group, task.state.value
        names = [
            printable(str(source)) + (" *" if index == group.reference else "")
            for index, source in enumerate(group.sources)
        ]
        if task.state is State.TODO and task.why != "new":
            state += f": {task.why}"
        yield printable(task.job.output), "\n".join(names), printable(group.why), printable(state)


def _write(*lines: str) -> None:
    sys.stdout.write("".join(f"{folded(line, sys.stdout)}\n" for line in lines))


def _width(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> int:
    """Columns that a table takes without breaking a word: of what is no reason, without breaking a line."""
    cells = zip(titles, *rows, strict=True)
    parts = [" ".join(cell).split() if cell[0] in _REASONS else "\n".join(cell).split("\n") for cell in cells]
    return sum(3 + max(map(len, some)) for some in parts) + 1


def _write_table(titles: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> None:
    from rich.console import Console
    from rich.table import Column, Table
    from rich.text import Text

    table = Table(*(Column(title, no_wrap=title not in _REASONS) for title in titles))
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    Console(width=width).print(table)
