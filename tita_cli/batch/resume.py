"""Which jobs of a batch are still to do, according to its journal."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from tita_cli.batch.fingerprint import is_unchanged, take_fingerprint
from tita_cli.batch.jobs import Job
from tita_cli.batch.journal import History, Record
from tita_cli.errors import OutputError
from tita_cli.pairing.plan import listing


class State(str, Enum):
    """The state of a job before a run."""

    TODO = "to do"
    DONE = "done"
    FAILED = "failed before"


@dataclass(frozen=True, slots=True)
class Recipe:
    """What determines a result apart from its sources.

    ``options``: those that change the picture. ``model``: SHA-256 of the model file.
    """

    options: Mapping[str, Any]
    model: str

    @property
    def options_hash(self) -> str:
        canonical = json.dumps(self.options, sort_keys=True, ensure_ascii=True)
        return hashlib.sha256(canonical.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Task:
    """A job and its state. ``overwrite``: its target is an earlier result of this batch."""

    job: Job
    state: State
    why: str
    overwrite: bool = False
    before: Record | None = None


def judge_jobs(
    jobs: Iterable[Job], history: History, recipe: Recipe, *, retry_failed: bool = False, force: bool = False
) -> list[Task]:
    """Compare ``jobs`` with the journal.

    A job is done if its target exists and sources, options and model are those of the journal. Raises OutputError if
    a target exists that this batch did not write, or that was edited since, unless ``force``.
    """
    tasks: list[Task] = []
    foreign: list[Path] = []
    for job in jobs:
        state, why = _judge(job, history.last.get(job.output), recipe)
        if state is State.FAILED and retry_failed:
            state, why = State.TODO, "failed before"
        there = state is State.TODO and job.target.exists()
        if there and not force and not _is_ours(job, history):
            foreign.append(job.target)
        tasks.append(Task(job, state, why, overwrite=there, before=history.last.get(job.output)))
    if foreign:
        raise OutputError(
            f"{len(foreign)} outputs exist that this batch did not write: {listing(foreign, 4)}",
            hint="--force replaces them; or choose another folder with --output",
        )
    return tasks


def sweep_remains(tasks: Iterable[Task]) -> None:
    """Remove temporary files of a run that was killed while writing. The caller must hold the lock of the folder."""
    folders = {task.job.target.parent for task in tasks if (task.before or {}).get("event") == "writing"}
    for folder in folders:
        for remains in folder.glob(".tita-*.part"):
            remains.unlink(missing_ok=True)


def _judge(job: Job, record: Record | None, recipe: Recipe) -> tuple[State, str]:
    if record is None:
        return State.TODO, "new"
    if record["event"] == "writing":
        return State.TODO, "was being written when a run ended"
    changed = _changes(job, record, recipe)
    if changed:
        return State.TODO, f"changed: {', '.join(changed)}"
    if record["event"] == "failed":
        return State.FAILED, str(record.get("error", {}).get("message", "failed"))
    if not job.target.exists():
        return State.TODO, "its result is gone"
    return State.DONE, "done before"


def _changes(job: Job, record: Record, recipe: Recipe) -> list[str]:
    changed = []
    if record.get("options") != recipe.options_hash:
        changed.append("options")
    if record.get("model") != recipe.model:
        changed.append("model")
    sources: Sequence[Any] = record.get("sources") or ()
    same = len(sources) == len(job.sources) and record.get("reference") == job.group.reference + 1
    # The path of a source does not matter, since a data set may have been moved; its content does.
    if not same or not all(
        is_unchanged(path, known.get("file")) for path, known in zip(job.sources, sources, strict=True)
    ):
        changed.append("sources")
    return changed


def _is_ours(job: Job, history: History) -> bool:
    """Whether the file at the target is what this batch wrote, not edited since."""
    record = history.written.get(job.output)
    if record is None:
        return False
    if record["event"] == "writing":  # recorded only after the target was known to be free or ours
        return True
    known = record.get("file") or {}
    if job.target.stat().st_size != known.get("size"):
        return False
    return take_fingerprint(job.target).sha256 == known.get("sha256")
