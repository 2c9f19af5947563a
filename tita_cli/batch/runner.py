"""Run a batch: every result is journalled, a failure does not stop the others, an interrupt stops cleanly."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tita_cli import __version__
from tita_cli.batch.journal import FORMAT, Journal
from tita_cli.batch.pool import Pool
from tita_cli.batch.record import Record
from tita_cli.batch.resume import Recipe, State, Task, sweep_remains
from tita_cli.batch.work import now

Listener = Callable[[Record], None]


@dataclass(slots=True)
class Summary:
    """How a run ended.

    ``done``: fused in this run. ``skipped``: done before. ``failed``: records of what failed in this run;
    ``failed_before``: of what failed before and was not tried again. ``remaining``: jobs left undone.
    """

    skipped: int
    failed_before: list[Record]
    remaining: int
    done: int = 0
    failed: list[Record] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def incomplete(self) -> bool:
        return bool(self.failed or self.failed_before or self.remaining)

    def describe(self) -> Record:
        return {
            "event": "end",
            "time": now(),
            "done": self.done,
            "skipped": self.skipped,
            "failed": len(self.failed),
            "failed_before": len(self.failed_before),
            "remaining": self.remaining,
            "seconds": round(self.seconds, 3),
        }


def run_batch(
    tasks: Sequence[Task],
    journal: Journal,
    pool: Pool,
    recipe: Recipe,
    *,
    header: Mapping[str, Any],
    fail_fast: bool = False,
    listener: Listener = lambda record: None,
) -> Summary:
    """Have ``pool`` do those of ``tasks`` that are to do; ``listener`` gets every record after it is in the journal.

    ``header``: content of the run's record besides version, time and process. With ``fail_fast`` the first failure ends
    the run and unfinished tasks are dropped. Raises what opening a lane raises, OutputError if the journal cannot be
    written, KeyboardInterrupt after a clean stop.
    """
    begun = time.monotonic()
    todo = [task for task in tasks if task.state is State.TODO]
    summary = Summary(
        skipped=sum(task.state is State.DONE for task in tasks),
        failed_before=[task.before for task in tasks if task.state is State.FAILED and task.before is not None],
        remaining=len(todo),
    )

    def keep(record: Record) -> None:
        journal.append(record)
        listener(record)

    def announce(tasks: Sequence[Task]) -> None:
        # From here on the next run knows that the files are ours, even if this one is killed before they are done.
        journal.append(*({"event": "writing", "output": task.job.output, "time": now()} for task in tasks))

    keep(_run_record(header, recipe, tasks))
    try:
        if todo:
            sweep_remains(todo)
            with pool.run(todo, announce, keep) as records:
                for record in records:
                    journal.append(record)
                    summary.remaining -= 1
                    if record["event"] == "done":
                        summary.done += 1
                    else:
                        summary.failed.append(record)
                    listener(record)
                    if fail_fast and summary.failed:
                        break
    finally:
        summary.seconds = time.monotonic() - begun
        keep(summary.describe())
    return summary


def _run_record(header: Mapping[str, Any], recipe: Recipe, tasks: Sequence[Task]) -> Record:
    return {
        "event": "run",
        "journal": FORMAT,
        "tita": __version__,
        "time": now(),
        "pid": os.getpid(),
        "host": platform.node(),
        "options": dict(recipe.options),
        "options_hash": recipe.options_hash,
        "model_sha256": recipe.model,
        "jobs": {state.value: sum(task.state is state for task in tasks) for state in State},
        **header,
    }
