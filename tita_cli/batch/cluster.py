"""Tasks on many machines: who gets which task, what becomes of those whose worker is lost, who may not work.

The machines themselves are behind :class:`Fleet`, which ``batch.ray_fleet`` implements with Ray.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol, TypeAlias

from tita_cli import __version__
from tita_cli.batch.record import Record
from tita_cli.batch.resume import Task
from tita_cli.batch.work import Work, now
from tita_cli.errors import DeviceError, TitaError

DEPTH = 3
"""Tasks that a worker has at a time: one is read, one fused, one written."""
_MOST_LOSSES = 3  # of workers over one task, after which the task is at fault
_LOOK = 5.0  # seconds after which new machines are looked for

Kind: TypeAlias = Literal["joined", "refused", "lost", "done"]


@dataclass(frozen=True, slots=True)
class Event:
    """What a fleet tells. ``worker``: its name. ``ticket``: of the task that is done; ``value``: its record.

    joined: the worker has its network and waits. refused: it cannot take part, or nothing on its machine can; lost: it
    is gone, with all that it had. ``value`` is then the error that says why.
    """

    kind: Kind
    worker: str
    ticket: int = -1
    value: Any = None


class Fleet(Protocol):
    """Workers on machines, each with one network, as far as the driver needs to know them."""

    def grow(self) -> None:
        """Start workers wherever there is room. Called at the beginning, after a loss, and now and then."""
        ...

    def starting(self) -> int:
        """The number of workers that have neither joined nor been refused yet, or that will be started soon."""
        ...

    def send(self, worker: str, ticket: int, task: Task) -> None:
        """Give a worker a task. What goes wrong is an event."""
        ...

    def wait(self, seconds: float) -> Event | None:
        """The next event, None where none comes within ``seconds``."""
        ...

    def close(self) -> None:
        """Stop all workers."""
        ...


@dataclass(slots=True)
class _Attempt:
    task: Task
    losses: int = 0


class ClusterPool:
    """Tasks by the workers of a fleet; see ``batch.pool.Pool``. A lost worker's tasks are done elsewhere.

    A task during which several workers were lost, the last of them with nothing else to do, is a failure.
    """

    def __init__(self, fleet: Fleet, work: Work) -> None:
        self._fleet = fleet
        self._work = work

    @contextmanager
    def run(
        self, tasks: Iterable[Task], announce: Callable[[Sequence[Task]], None], tell: Callable[[Record], None]
    ) -> Iterator[Iterator[Record]]:
        """See :meth:`tita_cli.batch.pool.Pool.run`. The iterator raises DeviceError where no worker is left."""
        try:
            yield _Drive(self._fleet, self._work, iter(tasks), announce, tell).records()
        finally:
            self._fleet.close()


class _Drive:
    """One run: what is in work where, and what comes next."""

    def __init__(
        self, fleet: Fleet, work: Work, tasks: Iterator[Task], announce: Callable[[Sequence[Task]], None],
        tell: Callable[[Record], None],
    ) -> None:  # fmt: skip
        self._fleet, self._work, self._tasks = fleet, work, tasks
        self._announce, self._tell = announce, tell
        self._first: Task | None = None
        self._again: deque[_Attempt] = deque()
        self._working: dict[str, dict[int, _Attempt]] = {}
        self._ticket = 0
        self._reason: TitaError = DeviceError("the cluster has no machine that could take a worker")

    def records(self) -> Iterator[Record]:
        looked = -_LOOK
        while self._hand_out() or any(self._working.values()):
            if time.monotonic() - looked >= _LOOK:
                looked = time.monotonic()
                self._fleet.grow()
            if not self._working and not self._fleet.starting():
                raise self._reason
            event = self._fleet.wait(_LOOK)
            while event is not None:  # all that is there, so that what follows is announced at once
                yield from self._take(event)
                event = self._fleet.wait(0.0)

    def _take(self, event: Event) -> Iterator[Record]:
        if event.kind == "done":
            self._working.get(event.worker, {}).pop(event.ticket, None)
            yield event.value
            return
        self._tell(_worker_record(event))
        if event.kind == "joined":
            self._working[event.worker] = {}
            return
        self._reason = event.value
        attempts = list(self._working.pop(event.worker, {}).values())
        for attempt in attempts:
            attempt.losses += 1
            if attempt.losses < _MOST_LOSSES:
                # The lost worker may have written it, and died before it could say so.
                attempt.task = replace(attempt.task, overwrite=True)
                self._again.append(attempt)
            else:
                died = f"{attempt.losses} workers were lost over it, the last one: {event.value.message}"
                yield self._work.failure(attempt.task, DeviceError(died))
        self._fleet.grow()

    def _hand_out(self) -> bool:
        """Give out tasks as long as workers take them; whether any is left."""
        # What a lost worker had waits for one that has nothing else, so one of them runs empty.
        fewest = min(self._working, key=lambda worker: len(self._working[worker]), default=None)
        emptying = fewest if self._again else None
        given: list[tuple[str, int, Task]] = []
        for depth in range(DEPTH):  # all get one before any gets a second
            for worker, has in self._working.items():
                if len(has) > depth or (has and worker == emptying) or any(attempt.losses for attempt in has.values()):
                    continue
                attempt = self._next(alone=not has)
                if attempt is not None:
                    self._ticket += 1
                    has[self._ticket] = attempt
                    given.append((worker, self._ticket, attempt.task))
        if given:
            self._announce([task for _, _, task in given])
        for worker, ticket, task in given:
            self._fleet.send(worker, ticket, _for_elsewhere(task))
        return bool(self._again) or self._peek()

    def _next(self, *, alone: bool) -> _Attempt | None:
        """A task; one over which a worker was lost goes only to a worker with nothing else."""
        if self._again and alone:
            return self._again.popleft()
        if not self._peek() or self._first is None:
            return None
        task, self._first = self._first, None
        return _Attempt(task)

    def _peek(self) -> bool:
        """Whether there is a next task; keeps it."""
        if self._first is None:
            self._first = next(self._tasks, None)
        return self._first is not None


def _for_elsewhere(task: Task) -> Task:
    """``task`` with whole paths, since a worker has another current folder."""
    job = task.job
    group = replace(job.group, sources=tuple(source.absolute() for source in job.sources))
    return replace(task, job=replace(job, group=group, target=job.target.absolute()))


def _worker_record(event: Event) -> Record:
    record = {"event": "worker", "time": now(), "worker": event.worker, "state": event.kind}
    if isinstance(event.value, TitaError):
        return {**record, "message": event.value.message, "hint": event.value.hint}
    return {**record, **(event.value or {})}


def version_problem(node: str, theirs: str | None) -> DeviceError | None:
    """Why a machine with tita ``theirs`` (None for none) cannot take part: its results could differ."""
    if theirs == __version__:
        return None
    has = "tita is not installed there" if theirs is None else f"it has tita {theirs}"
    return DeviceError(
        f"{node}: {has}, and here is {__version__}: it takes no part", hint=f"pip install tita-cli=={__version__} there"
    )
