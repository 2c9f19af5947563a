"""Where tasks are done: one interface, by threads of this process here and by a cluster in ``batch.cluster``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol

from tita_cli.batch.pipeline import Pipeline, Sizes, Stages
from tita_cli.batch.record import Record
from tita_cli.batch.resume import Task
from tita_cli.batch.sizing import decoded_size
from tita_cli.batch.work import Passed, Work


class Pool(Protocol):
    """Does tasks and gives their records."""

    def run(
        self, tasks: Iterable[Task], announce: Callable[[Sequence[Task]], None], tell: Callable[[Record], None]
    ) -> AbstractContextManager[Iterator[Record]]:
        """Begin ``tasks``; the iterator gives a record, ``done`` or ``failed``, for each, in any order.

        ``announce`` is called, from any thread, before the results of tasks are written. ``tell`` gets records about
        the workers themselves. Leaving the context stops everything and drops what is not done. The iterator raises
        what opening a network raises where none can be opened.
        """
        ...


class LocalPool:
    """Threads of this process: see :class:`Pipeline`."""

    def __init__(self, work: Work, sizes: Sizes) -> None:
        self._work = work
        self._sizes = sizes

    @contextmanager
    def run(
        self, tasks: Iterable[Task], announce: Callable[[Sequence[Task]], None], tell: Callable[[Record], None]
    ) -> Iterator[Iterator[Record]]:
        """See :meth:`Pool.run`."""
        work = self._work

        def encode(task: Task, passed: Passed) -> Record:
            announce([task])
            return work.encode(task, passed)

        stages: Stages[Task] = Stages(
            cost=lambda task: decoded_size(task.job), decode=work.decode, open_lane=work.open_lane, encode=encode
        )
        with Pipeline(tasks, stages, self._sizes) as pipeline:
            yield (_record(work, task, outcome) for task, outcome in pipeline)


def _record(work: Work, task: Task, outcome: Any) -> Record:
    return work.failure(task, outcome) if isinstance(outcome, Exception) else outcome
