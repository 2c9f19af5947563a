"""Progress of one fusion or export on a terminal: the stage, how far it is, and how long the stage still takes."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

WORDS = {
    "read": "reading",
    "align": "aligning",
    "look": "looking at the sources",
    "decide": "running the network",
    "blend": "blending",
    "fuse": "fusing",
    "load": "loading the model",
    "trace": "exporting",
    "reduce": "reducing the precision",
    "check": "checking against PyTorch",
}
"""What users read for the stages that a fusion or an export tells."""


@contextmanager
def showing(*, quiet: bool) -> Iterator[Callable[[str, int, int], None]]:
    """A function that takes stage, parts done and parts in all, and shows them; nothing remains when the block ends.

    Silent where stderr is no terminal.
    """
    if quiet or not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
        yield lambda stage, done, total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn
    from rich.table import Column

    remaining = TimeRemainingColumn(table_column=Column(no_wrap=True))  # where it is narrow the bar gives way
    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), BarColumn(), remaining)
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("starting", total=None)
        shown = ""

        def show(stage: str, done: int, total: int) -> None:
            nonlocal shown
            if stage != shown:  # the speed of one says nothing of the next
                progress.reset(task)
                shown = stage
            description = f"{WORDS.get(stage, stage)} {done}/{total}" if total > 1 else WORDS.get(stage, stage)
            progress.update(task, description=description, completed=done, total=total if total > 1 else None)

        yield show
