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
from tita_cli.batch.resume import Recipe, State, Task, Tasks, sweep_remains
from tita_cli.batch.work import now

Listener = Callable[[Record], None]

MOST_FAILURES = 50
"""Failures whose records a summary keeps."""


@dataclass(slots=True)
class Summary:
    """How a run ended.

    ``done``: fused in this run. ``skipped``: done before. ``failed``: in this run; ``failed_before``: and not tried
    again. ``remaining``: jobs left undone. ``failures``: the first records of what failed, now or before.
    """

    skipped: int
    failed_before: int
    remaining: int
    done: int = 0
    failed: int = 0
    seconds: float = 0.0
    failures: list[Record] = field(default_factory=list)

    def fail(self, record: Record) -> None:
        """Count a failure of this run."""
        self.failed += 1
        if self.failed <= MOST_FAILURES:
            self.failures.insert(self.failed - 1, record)

    @property
    def incomplete(self) -> bool:
        return bool(self.failed or self.failed_before or self.remaining)

    def describe(self) -> Record:
        return {
            "event": "end",
            "time": now(),
            "done": self.done,
            "skipped": self.skipped,
            "failed": self.failed,
            "failed_before": self.failed_before,
            "remaining": self.remaining,
            "seconds": round(self.seconds, 3),
        }


def run_batch(
    tasks: Tasks,
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
    summary = Summary(
        skipped=tasks.counts[State.DONE],
        failed_before=tasks.counts[State.FAILED],
        remaining=tasks.counts[State.TODO],
        failures=tasks.failed_before(MOST_FAILURES),
    )

    def keep(record: Record) -> None:
        journal.append(record)
        listener(record)

    def announce(tasks: Sequence[Task]) -> None:
        # From here on the next run knows that the files are ours, even if this one is killed before they are done.
        journal.append(*({"event": "writing", "output": task.job.output, "time": now()} for task in tasks))

    keep(_run_record(header, recipe, tasks))
    try:
        if summary.remaining:
            sweep_remains(tasks.cut_short)
            with pool.run(tasks.todo(), announce, keep) as records:
                for record in records:
                    journal.append(record)
                    summary.remaining -= 1
                    if record["event"] == "done":
                        summary.done += 1
                    else:
                        summary.fail(record)
                    listener(record)
                    if fail_fast and summary.failed:
                        break
    finally:
        summary.seconds = time.monotonic() - begun
        keep(summary.describe())
    return summary


def _run_record(header: Mapping[str, Any], recipe: Recipe, tasks: Tasks) -> Record:
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
        "jobs": {state.value: tasks.counts[state] for state in State},
        **header,
    }
