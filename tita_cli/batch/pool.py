"""Where tasks are done: one interface, by threads of this process here and by a cluster in ``batch.cluster``."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol

from tita_cli.batch.pipeline import Pipeline, Sizes, Stages
from tita_cli.batch.record import Record
from tita_cli.batch.resume import Task
from tita_cli.batch.sizing import decoded_size
from tita_cli.batch.work import Passed, Work
from tita_cli.errors import is_short_of_memory
from tita_cli.runtime.memory import give_back

_ALONE = Sizes(decoders=1, lanes=1, encoders=1, budget=0)
_MOST_AGAIN = 10_000
"""Tasks that are kept to be tried again."""


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
    """Threads of this process: see :class:`Pipeline`. What fails for want of memory is done again alone, at the end."""

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
        records = self._records(tasks, stages)
        try:
            yield records
        except BaseException as error:
            records.throw(error)  # the pipeline waits less long where it was an interrupt
        finally:
            records.close()

    def _records(self, tasks: Iterable[Task], stages: Stages[Task]) -> Generator[Record, None, None]:
        again: list[Task] = []
        with Pipeline(tasks, stages, self._sizes) as pipeline:
            for task, outcome in pipeline:
                if len(again) < _MOST_AGAIN and isinstance(outcome, Exception) and is_short_of_memory(outcome):
                    again.append(task)
                else:
                    yield _record(self._work, task, outcome)
                del outcome  # or an error's frames would keep their pictures
        if not again:
            return
        give_back()
        again.sort(key=lambda task: decoded_size(task.job))  # so that the smaller ones are done in any case
        with Pipeline(again, stages, _ALONE) as pipeline:
            for task, outcome in pipeline:
                yield _record(self._work, task, outcome)


def _record(work: Work, task: Task, outcome: Any) -> Record:
    return work.failure(task, outcome) if isinstance(outcome, Exception) else outcome
