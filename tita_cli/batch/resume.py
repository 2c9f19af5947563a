"""Which jobs of a batch are still to do, according to its journal."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import islice
from pathlib import Path
from typing import Any

from tita_cli.batch.disk_table import DiskTable
from tita_cli.batch.fingerprint import is_unchanged
from tita_cli.batch.history import History
from tita_cli.batch.jobs import Job, Jobs
from tita_cli.batch.record import Record
from tita_cli.batch.results import Results, exists, is_damaged_picture
from tita_cli.errors import ChangedError, ExitCode, MismatchError, OutputError, TitaError, UnreachableError
from tita_cli.files import is_address
from tita_cli.pairing.plan import listing

_PASSING = (ExitCode.UNWRITABLE_OUTPUT, ExitCode.DEVICE)
"""Exit codes of failures that say nothing about the sources: a full disk, short memory. They are tried again."""
_PASSING_KINDS = (UnreachableError.__name__, ChangedError.__name__)
_OBSTACLES: Mapping[str, type[TitaError]] = {kind.__name__: kind for kind in (MismatchError, OutputError)}
"""What :meth:`Results.obstacle` finds."""
_MOST_NAMED = 4


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

    ``begun``: a run was writing its result when it ended. ``overwrite``: its target is an earlier result of this batch.
    ``obstacle``: why its result cannot be written.
    """

    job: Job
    state: State
    why: str
    begun: bool = False
    overwrite: bool = False
    obstacle: TitaError | None = None


class Tasks:
    """Jobs and their states, on the disk where they are many. Iterates over all, in the order of their results' paths.

    ``counts``: how many are in each state. ``cut_short``: folders in which a run was writing when it ended.
    """

    def __init__(self, jobs: Jobs, history: History) -> None:
        self.jobs, self._history = jobs, history
        self.counts: Counter[State] = Counter()
        self.cut_short: set[Path] = set()
        self._states: DiskTable[list[Any]] = DiskTable()

    def add(self, task: Task) -> None:
        self.counts[task.state] += 1
        if task.begun and not is_address(task.job.target):
            self.cut_short.add(task.job.target.parent)
        obstacle = task.obstacle and [type(task.obstacle).__name__, task.obstacle.message, task.obstacle.hint]
        self._states[task.job.output] = [task.state.value, task.why, task.begun, task.overwrite, obstacle]

    def __len__(self) -> int:
        return len(self._states)

    def __iter__(self) -> Iterator[Task]:
        return self._tasks(State)

    def todo(self) -> Iterator[Task]:
        """Those to do."""
        return self._tasks((State.TODO,))

    def failed_before(self, most: int) -> list[Record]:
        """Records of those that failed and are not tried again, the first ``most``."""
        records = (self._history.last(task.job.output) for task in self._tasks((State.FAILED,)))
        return [record for record in islice(records, most) if record is not None]

    def _tasks(self, states: Iterable[State]) -> Iterator[Task]:
        wanted = {state.value for state in states}
        for output, (state, why, begun, overwrite, obstacle) in self._states.items():
            if state in wanted:
                error = None if obstacle is None else _OBSTACLES[obstacle[0]](obstacle[1], hint=obstacle[2])
                yield Task(self.jobs[output], State(state), why, begun, overwrite, error)


class Judge:
    """Compares jobs with the journal.

    A job is done if its target exists, whole, and sources, options and model are those of the journal.
    """

    def __init__(
        self, history: History, recipe: Recipe, *, retry_failed: bool = False, force: bool = False,
        is_damaged: Callable[[Path], bool] | None = None,
    ) -> None:  # fmt: skip
        """``is_damaged``: of a result that is not as it was written, whether it is no picture any longer."""
        self.history, self._recipe = history, recipe
        self._retry_failed, self._force = retry_failed, force
        self._results = Results(history, is_damaged or is_damaged_picture)

    def task(self, job: Job) -> Task | None:
        """What is to become of ``job``; None where a file is in its place that this batch did not write, or that was
        edited since, unless ``force``."""
        before = self.history.last(job.output)
        state, why = _judge(job, before, self._recipe, self._results)
        if state is State.FAILED and self._retry_failed:
            state, why = State.TODO, "failed before"
        if state is not State.TODO:
            return Task(job, state, why)
        begun = before is not None and before["event"] == "writing"
        obstacle = self._results.obstacle(job)
        if obstacle is not None:
            return Task(job, state, obstacle.message, begun, obstacle=obstacle)
        there = exists(job.target)
        if there and not self._force and not self._results.is_ours(job):
            return None
        return Task(job, state, why, begun, overwrite=there)


def judge_jobs(
    jobs: Jobs, history: History, recipe: Recipe, *, retry_failed: bool = False, force: bool = False,
    is_damaged: Callable[[Path], bool] | None = None,
) -> Tasks:  # fmt: skip
    """Compare all ``jobs`` with the journal; see :class:`Judge`. Raises OutputError for files of others."""
    judge = Judge(history, recipe, retry_failed=retry_failed, force=force, is_damaged=is_damaged)
    tasks = Tasks(jobs, history)
    foreign: list[Path] = []
    count = 0
    for job in jobs:
        task = judge.task(job)
        if task is not None:
            tasks.add(task)
            continue
        count += 1
        if count <= _MOST_NAMED:
            foreign.append(job.target)
    if count:
        raise not_ours(foreign, count)
    return tasks


def not_ours(targets: Sequence[Path], count: int) -> OutputError:
    """``count`` files are in the way, of which ``targets`` are some."""
    more = f" and {count - len(targets)} more" if count > len(targets) else ""
    return OutputError(
        f"{count} outputs exist that this batch did not write: {listing(targets)}{more}",
        hint="`overwrite` replaces them; or choose another folder with `output`",
    )


def sweep_remains(folders: Iterable[Path]) -> None:
    """Remove temporary files of a run that was killed while writing. The caller must hold the lock of the folder."""
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
