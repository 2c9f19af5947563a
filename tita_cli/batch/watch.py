"""Watch folders: what lands in them is paired and fused as a batch does it, round after round.

Every round is a run of the batch: the same journal, the same rules for what is done, and what was done before a restart
is not done again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Event, Lock
from typing import TYPE_CHECKING, get_args

from tita_cli.batch.fuser import ApiFuser, FuserOptions, Lane
from tita_cli.batch.jobs import Job, make_jobs
from tita_cli.batch.journal import Journal, read_journal
from tita_cli.batch.plan import find_plan
from tita_cli.batch.pool import LocalPool
from tita_cli.batch.record import Record
from tita_cli.batch.results import is_damaged_picture
from tita_cli.batch.resume import Judge, Recipe, State, Task, Tasks, not_ours
from tita_cli.batch.runner import Listener, Summary, run_batch
from tita_cli.batch.sizing import choose_sizes, is_gpu_likely
from tita_cli.batch.work import Work
from tita_cli.errors import InputError, MismatchError, TitaError, UsageError
from tita_cli.files import file_of, resolved
from tita_cli.options.batch import Rule
from tita_cli.pairing import Grouping, Wishes

if TYPE_CHECKING:
    from watchfiles import Change

SETTLE = 2.0
"""Seconds without a change, after which a file counts as whole."""
PATIENCE = 60.0
"""Seconds that a file may hold no whole picture before it counts as damaged."""
_TURN = 0.5
"""Seconds between two looks at files that are not settled."""
_SWEEP = 30.0
"""Seconds between two looks at the folders without any event: network drives send none."""


@dataclass(frozen=True, slots=True)
class Watched:
    """What is watched, and how it is fused.

    ``sources``: a folder, or parallel ones. ``folder``: for results and journal. ``rule``, ``wishes``: as in a batch.
    ``settle``: seconds without a change, after which a file counts as whole. ``workers``, ``threads``,
    ``name``: as in a batch.
    """

    sources: Sequence[str]
    folder: Path
    how: FuserOptions
    rule: Rule | None = None
    wishes: Wishes = field(default_factory=Wishes)
    settle: float = SETTLE
    workers: int | None = None
    threads: int | None = None
    retry_failed: bool = False
    overwrite: bool = False
    name: str | None = None


def watch(
    what: Watched, recipe: Recipe, *, listener: Listener, tell: Callable[[str], None], stop: Event | None = None
) -> Summary:
    """Fuse what lands, until ``stop`` is set or a KeyboardInterrupt comes, after which the summary is returned.

    ``listener``: gets every record. ``tell``: is told once of each thing that is in the way of a group, and of pairing
    that is not clear yet. A bad file is a record of a failure. Raises UsageError where another run writes into the
    folder, InputError for a folder that is not there, ModelError, DeviceError, and OutputError where the journal
    cannot be written.
    """
    for source in what.sources:
        if not Path(source).is_dir():
            raise InputError(f"{source}: is no folder", hint="tita watch takes a folder, or parallel ones")
    if any(resolved(Path(source)) == resolved(what.folder) for source in what.sources):
        raise UsageError("results would land in the folder that is watched", hint="-o another folder, or one inside it")
    begun = time.monotonic()
    total = Summary(skipped=0, failed_before=0, remaining=0)
    with Journal(what.folder) as journal:
        rounds = _Rounds(what, recipe, journal, listener, tell, total)
        try:
            for due in _wakes(what, rounds, stop):
                if due:
                    rounds.run()
        except KeyboardInterrupt:
            pass
    total.seconds = time.monotonic() - begun
    return total


def _wakes(what: Watched, rounds: _Rounds, stop: Event | None) -> Iterator[bool]:
    """True when it is time to look: after events, while files are not settled, and now and then without a reason."""
    from watchfiles import watch as events

    output = resolved(what.folder)

    def is_foreign(change: Change, path: str) -> bool:
        return output not in resolved(Path(path)).parents

    looked = -_SWEEP
    for changes in events(
        *what.sources, watch_filter=is_foreign, stop_event=stop, rust_timeout=int(1000 * _TURN), yield_on_timeout=True,
        debounce=400, raise_interrupt=True,
    ):  # fmt: skip
        due = bool(changes) or rounds.waiting or time.monotonic() - looked > _SWEEP
        if due:
            looked = time.monotonic()
        yield due


class _Rounds:
    """Looks at the folders, and fuses what is complete. ``waiting``: whether something is not settled yet."""

    def __init__(
        self, what: Watched, recipe: Recipe, journal: Journal, listener: Listener, tell: Callable[[str], None],
        total: Summary,
    ) -> None:  # fmt: skip
        self._what, self._recipe, self._journal, self._total = what, recipe, journal, total
        self._listener, self._tell = listener, tell
        self._history = read_journal(what.folder)
        self._files = _Files(what.settle)
        self._told: set[str] = set()
        self._before: set[str] = set()
        self._done: set[str] = set()
        self._failed: dict[str, Record] = {}
        gpu = is_gpu_likely(what.how.fuse.device)
        self._sizes, threads = choose_sizes(jobs=1 << 16, on_gpu=gpu, workers=what.workers, threads=what.threads)
        self._fuser = _KeepingFuser(replace(what.how, fuse=what.how.fuse.changed(threads=threads)))
        self._rule = str((self._history.run or {}).get("rule", ""))
        self.waiting = False

    def run(self) -> None:
        """One round."""
        self.waiting = False
        self._history.read_on()
        tasks = self._tasks()
        if not tasks:
            return
        header = {
            "command": "watch", "model": self._what.how.fuse.model, "rule": self._rule, "groups": len(tasks),
            "engine": self._what.how.fuse.engine_settings(),
        }  # fmt: skip
        try:
            summary = run_batch(
                tasks,
                self._journal,
                LocalPool(Work(self._fuser, self._recipe), self._sizes),
                self._recipe,
                header=header,
                listener=self._hear,
            )
        finally:
            self._fuser.recall()
            self._journal.store_copy()
        self._total.remaining = summary.remaining

    def _hear(self, record: Record) -> None:
        if record["event"] == "done":
            self._total.done += 1
            self._done.add(record["output"])
            self._failed.pop(record["output"], None)
        if record["event"] == "failed":
            self._failed[record["output"]] = record
        self._total.failed, self._total.failures = len(self._failed), list(self._failed.values())
        self._listener(record)

    def _tasks(self) -> Tasks | None:
        """What is to be done now: groups whose files are whole; None for nothing."""
        what = self._what
        try:
            plan = self._plan()
            jobs = make_jobs(plan, what.folder, format_name=what.how.format, name=what.name)
        except (MismatchError, InputError) as error:  # nothing to pair yet, or no telling how
            self._once(error)
            return None
        self._rule = plan.rule
        ready = Tasks(jobs, self._history)
        judge = Judge(self._history, self._recipe, retry_failed=what.retry_failed, force=what.overwrite)
        for job in jobs:
            task = self._judged(job, judge)
            if task is not None and task.state is State.TODO:
                if self._files.are_whole(job.sources):
                    ready.add(task)
                else:
                    self.waiting = True
            elif task is not None and task.state is State.DONE:
                self._before.add(job.output)
        self._total.skipped = len(self._before - self._done)
        return ready if len(ready) else None

    def _plan(self) -> Grouping:
        """Raises MismatchError, InputError. What lands later may suit several rules: the one of before then goes on."""
        what = self._what
        try:
            return find_plan(what.sources, what.folder, rule=what.rule, wishes=what.wishes)
        except MismatchError:
            known = next((rule for rule in get_args(Rule) if rule == self._rule), None)
            if known is None or what.rule is not None or what.wishes != Wishes():
                raise
            return find_plan(what.sources, what.folder, rule=known, wishes=what.wishes)

    def _judged(self, job: Job, judge: Judge) -> Task | None:
        """What the journal says of one group; None where something lies in its way."""
        task = judge.task(job)
        if task is None:
            self._once(not_ours([job.target], 1))
        return task

    def _once(self, error: TitaError) -> None:
        if error.message not in self._told:
            self._told.add(error.message)
            self._tell(error.message + (f" ({error.hint})" if error.hint else ""))


class _Files:
    """Which files are whole: those that have not changed for a while, and hold a picture."""

    def __init__(self, settle: float) -> None:
        self._settle = settle
        self._seen: dict[Path, tuple[tuple[int, int], float]] = {}
        self._whole: dict[Path, tuple[int, int]] = {}

    def are_whole(self, paths: Sequence[Path]) -> bool:
        """Whether all are; looks at each, so that their times run side by side."""
        found = [self._is_whole(file_of(path)) for path in paths]
        return all(found)

    def _is_whole(self, path: Path) -> bool:
        try:
            stat = path.stat()
        except OSError:
            return False
        state, now = (stat.st_size, stat.st_mtime_ns), time.monotonic()
        if self._whole.get(path) == state:
            return True
        known, since = self._seen.get(path, (None, now))
        if known != state:
            # What has lain there for long needs no watching: a restart, or a folder that was full already.
            since = now - max(time.time() - stat.st_mtime, 0) if known is None else now
            self._seen[path] = state, since
        still = now - since
        if still < self._settle or (still < PATIENCE and is_damaged_picture(path)):
            return False
        self._whole[path] = state
        return True


class _KeepingFuser(ApiFuser):
    """Keeps its engines from round to round."""

    def __init__(self, options: FuserOptions) -> None:
        super().__init__(options)
        self._turn = Lock()
        self._all: list[Lane] = []
        self._idle: list[Lane] = []

    def open_lane(self) -> Lane:
        with self._turn:
            if self._idle:
                return self._idle.pop()
        lane = super().open_lane()
        with self._turn:
            self._all.append(lane)
        return lane

    def recall(self) -> None:
        """No lane is at work any more."""
        with self._turn:
            self._idle = list(self._all)
