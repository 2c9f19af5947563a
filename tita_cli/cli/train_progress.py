"""What a training run shows while it goes on: a bar on a terminal, JSON lines elsewhere, both on stderr."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tita_cli.cli import console

if TYPE_CHECKING:
    from rich.progress import Progress

    from tita_cli.training.run import Observer


class Silent:
    """Shows nothing."""

    def record(self, record: dict[str, Any]) -> None: ...

    def advance(self, step: int, progress: float, seconds_left: float) -> None: ...


class Lines(Silent):
    """Every record of the log as one line of JSON."""

    def record(self, record: dict[str, Any]) -> None:
        console.say(json.dumps(record, ensure_ascii=False), whole=True)


class Bar(Silent):
    """A bar with the time left, and a line for each record worth reading."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._bar = progress.add_task("training", total=1.0, left="")

    def record(self, record: dict[str, Any]) -> None:
        text = _describe(record)
        if text:
            self._progress.console.print(text, highlight=False, markup=False)

    def advance(self, step: int, progress: float, seconds_left: float) -> None:
        self._progress.update(
            self._bar, completed=progress, description=f"step {step}", left=f"{_clock(seconds_left)} left"
        )


@contextmanager
def choose_observer(*, quiet: bool) -> Iterator[Observer]:
    """The observer for this process and its stderr."""
    if quiet or os.environ.get("RANK", "0") != "0":
        yield Silent()
    elif not sys.stderr.isatty():
        yield Lines()
    else:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn

        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f}%  {task.fields[left]}"),
        )
        with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
            yield Bar(progress)


def _describe(record: dict[str, Any]) -> str:
    step = record["step"]
    if record["event"] == "step" and "losses" in record:
        shares = record["famo"]
        losses = "  ".join(
            f"{task} {terms['total']:.3f} (weight {shares[task]:.2f})" for task, terms in record["losses"].items()
        )
        return f"{step:>8}  {losses}  lr {record['lr']:.2g}  {record['px_per_s']:,.0f} px/s"
    if record["event"] == "skip":
        return f"{step:>8}  skipped: {record['reason']}"
    if record["event"] == "start":
        return (
            f"{record['network']['variant']}: {record['parameters']:,} parameters; tasks {', '.join(record['tasks'])}; "
            f"on {record['device']} in {record['precision']}; {record['processes']} × {record['threads']} threads"
        )
    return ""


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"
