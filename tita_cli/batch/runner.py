"""Run a batch: every result is journalled, a failure does not stop the others, an interrupt stops cleanly."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

from tita_cli import __version__
from tita_cli.batch.fingerprint import Fingerprint, take_fingerprint
from tita_cli.batch.fuser import Fuser
from tita_cli.batch.journal import FORMAT, Journal
from tita_cli.batch.pipeline import Pipeline, Sizes, Stages
from tita_cli.batch.record import Record
from tita_cli.batch.resume import Recipe, State, Task, sweep_remains
from tita_cli.batch.sizing import decoded_size
from tita_cli.errors import InputError, explained
from tita_cli.files import file_of

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


@dataclass(slots=True)
class _Passed:
    """Passed from stage to stage: fingerprints of the sources as read, seconds by stage, and the value."""

    files: list[Fingerprint]
    seconds: dict[str, float]
    value: Any


def now() -> str:
    """UTC, to the second, as ISO 8601."""
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


def run_batch(
    tasks: Sequence[Task],
    journal: Journal,
    fuser: Fuser,
    recipe: Recipe,
    sizes: Sizes,
    *,
    header: Mapping[str, Any],
    fail_fast: bool = False,
    listener: Listener = lambda record: None,
) -> Summary:
    """Do those of ``tasks`` that are to do; ``listener`` gets every record after it is in the journal.

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

    keep(_run_record(header, recipe, tasks))
    try:
        if todo:
            sweep_remains(todo)
            with Pipeline(todo, _stages(journal, fuser, recipe), sizes) as pipeline:
                for task, outcome in pipeline:
                    record = _record(task, outcome, recipe)
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


def _stages(journal: Journal, fuser: Fuser, recipe: Recipe) -> Stages[Task]:
    def decode(task: Task) -> _Passed:
        if task.obstacle is not None:
            raise task.obstacle
        begun = time.perf_counter()
        files = [take_fingerprint(source) for source in task.job.sources]
        value = fuser.decode(task.job)
        return _Passed(files, {"decode": time.perf_counter() - begun}, value)

    def open_lane() -> Callable[[Task, _Passed], _Passed]:
        lane = fuser.open_lane()

        def fuse(task: Task, passed: _Passed) -> _Passed:
            begun = time.perf_counter()
            passed.value = lane.fuse(task.job, passed.value)
            passed.seconds["fuse"] = time.perf_counter() - begun
            _expect_unchanged(task, passed.files)
            return passed

        return fuse

    def encode(task: Task, passed: _Passed) -> Record:
        begun = time.perf_counter()
        # From here on the next run knows that the file is ours, even if this one is killed before it is done.
        journal.append({"event": "writing", "output": task.job.output, "time": now()})
        result = fuser.encode(task.job, passed.value, overwrite=task.overwrite)
        written = take_fingerprint(task.job.target)
        passed.seconds["encode"] = time.perf_counter() - begun
        return {
            **_identity(task, recipe, passed.files),
            "file": written.describe(),
            "result": dict(result),
            "seconds": {stage: round(seconds, 4) for stage, seconds in passed.seconds.items()},
        }

    return Stages(cost=lambda task: decoded_size(task.job), decode=decode, open_lane=open_lane, encode=encode)


def _expect_unchanged(task: Task, files: Sequence[Fingerprint]) -> None:
    """Raise InputError if a source changed since its fingerprint was taken: the journal would be wrong."""
    for source, file in zip(task.job.sources, files, strict=True):
        try:
            stat = file_of(source).stat()
        except OSError as error:
            raise InputError(f"{source}: disappeared while it was read") from error
        if (stat.st_size, stat.st_mtime_ns) != (file.size, file.changed):
            raise InputError(f"{source}: changed while it was read", hint="run the batch again")


def _record(task: Task, outcome: Any, recipe: Recipe) -> Record:
    if not isinstance(outcome, Exception):
        return {"event": "done", "time": now(), **outcome}
    return {
        "event": "failed",
        "time": now(),
        **_identity(task, recipe, _fingerprints(task)),
        "error": describe_error(outcome),
    }


def describe_error(error: Exception) -> dict[str, Any]:
    """Kind, message and hint of a failure, as JSON."""
    known = explained(error)
    if known is not None:
        kind = type(known).__name__
        return {"kind": kind, "message": known.message, "hint": known.hint, "code": int(known.exit_code)}
    return {"kind": type(error).__name__, "message": f"internal error: {error}", "hint": "please report it", "code": 70}


def _fingerprints(task: Task) -> list[Fingerprint | None]:
    found: list[Fingerprint | None] = []
    for source in task.job.sources:
        try:
            found.append(take_fingerprint(source))
        except InputError:
            found.append(None)
    return found


def _identity(task: Task, recipe: Recipe, files: Iterable[Fingerprint | None]) -> Record:
    job = task.job
    return {
        "output": job.output,
        "sources": [
            {"path": str(source.absolute()), "file": file.describe() if file else None}
            for source, file in zip(job.sources, files, strict=True)
        ],
        "reference": job.group.describe()["reference"],
        "why": job.group.why,
        "options": recipe.options_hash,
        "model": recipe.model,
    }
