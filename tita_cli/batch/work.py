"""What is done with one task, on whatever machine: read, fuse, write, and the record of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from tita_cli.batch.fingerprint import Fingerprint, take_fingerprint
from tita_cli.batch.fuser import Fuser
from tita_cli.batch.record import Record
from tita_cli.batch.resume import Recipe, Task
from tita_cli.errors import ChangedError, InputError, OutputError, explained
from tita_cli.files import file_of


@dataclass(slots=True)
class Passed:
    """Passed from stage to stage: fingerprints of the sources as read, seconds by stage, and the value."""

    files: list[Fingerprint]
    seconds: dict[str, float]
    value: Any


def now() -> str:
    """UTC, to the second, as ISO 8601."""
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


@dataclass(frozen=True, slots=True)
class Work:
    """How tasks are done. May be sent to other machines, where the fuser may."""

    fuser: Fuser
    recipe: Recipe

    def decode(self, task: Task) -> Passed:
        if task.obstacle is not None:
            raise task.obstacle
        begun = time.perf_counter()
        files = [take_fingerprint(source) for source in task.job.sources]
        try:
            value = self.fuser.decode(task.job)
        except Exception:
            _expect_unchanged(task, files)  # what was half written says nothing
            raise
        return Passed(files, {"decode": time.perf_counter() - begun}, value)

    def open_lane(self) -> Callable[[Task, Passed], Passed]:
        """Load a network, for one thread at a time."""
        lane = self.fuser.open_lane()

        def fuse(task: Task, passed: Passed) -> Passed:
            begun = time.perf_counter()
            passed.value = lane.fuse(task.job, passed.value)
            passed.seconds["fuse"] = time.perf_counter() - begun
            _expect_unchanged(task, passed.files)
            return passed

        return fuse

    def encode(self, task: Task, passed: Passed) -> Record:
        """Write the result. The journal must know before that its file is being written."""
        begun = time.perf_counter()
        result = self.fuser.encode(task.job, passed.value, overwrite=task.overwrite)
        try:
            written = take_fingerprint(task.job.target)
        except InputError as error:
            raise OutputError(f"{task.job.target}: was removed, or changed, when it had just been written") from error
        passed.seconds["encode"] = time.perf_counter() - begun
        return {
            "event": "done",
            "time": now(),
            **_identity(task, self.recipe, passed.files),
            "file": written.describe(),
            "result": dict(result),
            "seconds": {stage: round(seconds, 4) for stage, seconds in passed.seconds.items()},
        }

    def failure(self, task: Task, error: Exception) -> Record:
        """The record of a task that could not be done."""
        return {
            "event": "failed",
            "time": now(),
            **_identity(task, self.recipe, _fingerprints(task)),
            "error": describe_error(error),
        }


def _expect_unchanged(task: Task, files: Sequence[Fingerprint]) -> None:
    """Raise ChangedError if a source changed since its fingerprint was taken: the journal would be wrong."""
    for source, file in zip(task.job.sources, files, strict=True):
        try:
            stat = file_of(source).stat()
        except OSError as error:
            raise ChangedError(f"{source}: disappeared while it was read") from error
        if (stat.st_size, stat.st_mtime_ns) != (file.size, file.changed):
            raise ChangedError(f"{source}: changed while it was read", hint="run the batch again")


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
