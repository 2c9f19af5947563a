"""Which jobs of a batch are still to do, according to its journal."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from tita_cli.batch.fingerprint import is_unchanged
from tita_cli.batch.jobs import Job
from tita_cli.batch.journal import History
from tita_cli.batch.record import Record
from tita_cli.batch.results import Results, exists, is_damaged_picture
from tita_cli.errors import ExitCode, OutputError, TitaError, UnreachableError
from tita_cli.files import is_address
from tita_cli.pairing.plan import listing

_PASSING = (ExitCode.UNWRITABLE_OUTPUT, ExitCode.DEVICE)
"""Exit codes of failures that say nothing about the sources: a full disk, short memory. They are tried again."""
_PASSING_KINDS = (UnreachableError.__name__,)


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
    """A job and its state.

    ``overwrite``: its target is an earlier result of this batch. ``obstacle``: why its result cannot be written.
    """

    job: Job
    state: State
    why: str
    overwrite: bool = False
    before: Record | None = None
    obstacle: TitaError | None = None


def judge_jobs(
    jobs: Iterable[Job],
    history: History,
    recipe: Recipe,
    *,
    retry_failed: bool = False,
    force: bool = False,
    is_damaged: Callable[[Path], bool] | None = None,
) -> list[Task]:
    """Compare ``jobs`` with the journal.

    A job is done if its target exists, whole, and sources, options and model are those of the journal.
    ``is_damaged``: of a result that is not as it was written, whether it is no picture any longer. Raises OutputError
    if a target exists that this batch did not write, or that was edited since, unless ``force``.
    """
    results = Results(history, is_damaged or is_damaged_picture)
    tasks: list[Task] = []
    foreign: list[Path] = []
    for job in jobs:
        before = history.last.get(job.output)
        state, why = _judge(job, before, recipe, results)
        if state is State.FAILED and retry_failed:
            state, why = State.TODO, "failed before"
        obstacle = results.obstacle(job) if state is State.TODO else None
        if obstacle is not None:
            tasks.append(Task(job, state, obstacle.message, before=before, obstacle=obstacle))
            continue
        there = state is State.TODO and exists(job.target)
        if there and not force and not results.is_ours(job):
            foreign.append(job.target)
        tasks.append(Task(job, state, why, overwrite=there, before=before))
    if foreign:
        raise OutputError(
            f"{len(foreign)} outputs exist that this batch did not write: {listing(foreign, 4)}",
            hint="`overwrite` replaces them; or choose another folder with `output`",
        )
    return tasks


def sweep_remains(tasks: Iterable[Task]) -> None:
    """Remove temporary files of a run that was killed while writing. The caller must hold the lock of the folder."""
    writing = (task for task in tasks if (task.before or {}).get("event") == "writing")
    folders = {task.job.target.parent for task in writing if not is_address(task.job.target)}
    for folder in folders:
        for remains in folder.glob(".tita-*.part"):
            remains.unlink(missing_ok=True)


def _judge(job: Job, record: Record | None, recipe: Recipe, results: Results) -> tuple[State, str]:
    if record is None:
        return State.TODO, "new"
    if record["event"] == "writing":
        return State.TODO, "was being written when a run ended"
    changed = _changes(job, record, recipe)
    if changed:
        return State.TODO, f"changed: {', '.join(changed)}"
    if record["event"] == "failed":
        return _judge_failure(record["error"])
    if exists(job.target) and not results.is_damaged(job, record):
        return State.DONE, "done before"
    return State.TODO, "its result is damaged" if exists(job.target) else "its result is gone"


def _judge_failure(error: Record) -> tuple[State, str]:
    if error.get("code") in _PASSING or error.get("kind") in _PASSING_KINDS:
        return State.TODO, f"failed before: {error['message']}"
    return State.FAILED, error["message"]


def _changes(job: Job, record: Record, recipe: Recipe) -> list[str]:
    changed = []
    if record.get("options") != recipe.options_hash:
        changed.append("options")
    if record.get("model") != recipe.model:
        changed.append("model")
    sources: Sequence[Any] = record.get("sources") or ()
    same = len(sources) == len(job.sources) and record.get("reference") == job.group.describe()["reference"]
    # The path of a source does not matter, since a data set may have been moved; its content does.
    if not same or not all(
        is_unchanged(path, known.get("file")) for path, known in zip(job.sources, sources, strict=True)
    ):
        changed.append("sources")
    return changed
