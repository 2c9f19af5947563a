"""Decode, fuse and encode in parallel threads, with bounded memory.

Decoders, encoders and engines spend their time in libraries that release the GIL, so threads suffice and pictures need
not be copied between processes.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from queue import Queue
from types import TracebackType
from typing import Any, Generic, TypeVar

T = TypeVar("T")

THREAD_NAME = "tita-batch"
_END: Any = object()
# Seconds that an interrupted run waits for library calls to return.
_PATIENCE = 3.0


@dataclass(frozen=True, slots=True)
class Sizes:
    """Numbers of threads that decode, fuse (``lanes``) and encode; ``budget``: bytes of pictures in flight."""

    decoders: int
    lanes: int
    encoders: int
    budget: int


class Stages(Generic[T]):
    """The work, as callables. What they raise is the outcome of that task alone, except for ``open_lane``."""

    def __init__(
        self,
        *,
        cost: Callable[[T], int],
        decode: Callable[[T], Any],
        open_lane: Callable[[], Callable[[T, Any], Any]],
        encode: Callable[[T, Any], Any],
    ) -> None:
        self.cost = cost
        self.decode = decode
        self.open_lane = open_lane
        self.encode = encode


class Pipeline(Generic[T]):
    """Run tasks through stages; iterate over ``(task, result or exception)`` as they finish, in any order.

    Use as a context manager: leaving it stops everything and drops unfinished tasks; after a KeyboardInterrupt it
    waits only briefly for library calls to return. An exception of ``open_lane``, which is called in the thread of the
    lane, is raised by the iteration.
    """

    def __init__(self, tasks: Iterable[T], stages: Stages[T], sizes: Sizes) -> None:
        self._tasks = iter(tasks)
        self._stages = stages
        self._taking = threading.Lock()
        self._stopped = threading.Event()
        self._memory = _MemoryBudget(sizes.budget)
        self._lanes_to_open = sizes.lanes
        self._opened = threading.Event()
        self._ready: Queue[Any] = Queue(sizes.lanes + 1)
        self._fused: Queue[Any] = Queue(sizes.encoders + 1)
        self._outcomes: Queue[Any] = Queue()
        self._threads: list[threading.Thread] = []
        self._start(sizes.decoders, self._decode, lambda: self._close(self._ready, sizes.lanes))
        self._start(sizes.lanes, self._fuse, lambda: self._close(self._fused, sizes.encoders))
        self._start(sizes.encoders, self._encode, lambda: self._close(self._outcomes, 1))

    def __iter__(self) -> Iterator[tuple[T, Any]]:
        while (item := self._outcomes.get()) is not _END:
            task, outcome = item
            if task is _END:
                raise outcome
            yield task, outcome

    def __enter__(self) -> Pipeline[T]:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped.set()
        self._opened.set()
        self._memory.lift()
        impatient = kind is not None and issubclass(kind, KeyboardInterrupt)
        deadline = time.monotonic() + _PATIENCE
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()) if impatient else None)

    def _start(self, count: int, work: Callable[[], None], close: Callable[[], None]) -> None:
        """Start ``count`` threads on ``work``; the last one to end calls ``close``, which ends the next stage."""
        left = [count]

        def body() -> None:
            try:
                work()
            finally:
                with self._taking:
                    left[0] -= 1
                    last = left[0] == 0
                if last:
                    close()

        for _ in range(count):
            # Daemons, in case a library call never returns after an interrupt.
            thread = threading.Thread(target=body, daemon=True, name=THREAD_NAME)
            self._threads.append(thread)
            thread.start()

    @staticmethod
    def _close(queue: Queue[Any], readers: int) -> None:
        for _ in range(readers):
            queue.put(_END)

    def _finish(self, task: T, outcome: Any, cost: int) -> None:
        self._memory.release(cost)
        self._outcomes.put((task, outcome))

    def _decode(self) -> None:
        self._opened.wait()  # or a large picture could take the memory that opening a network needs
        while not self._stopped.is_set():
            with self._taking:
                task = next(self._tasks, _END)
            if task is _END:
                return
            cost = 0
            try:
                cost = self._memory.acquire(self._stages.cost(task))
                if self._stopped.is_set():
                    return
                decoded = self._stages.decode(task)
            except Exception as error:
                self._finish(task, error, cost)
            else:
                self._ready.put((task, decoded, cost))

    def _fuse(self) -> None:
        fuse: Callable[[T, Any], Any] | None = None
        try:
            fuse = self._stages.open_lane()
        except Exception as error:
            self._outcomes.put((_END, error))
            self._stopped.set()
        with self._taking:
            self._lanes_to_open -= 1
            if not self._lanes_to_open or fuse is None:
                self._opened.set()
        self._process(self._ready, fuse, self._fused.put)

    def _encode(self) -> None:
        def deliver(item: tuple[T, Any, int]) -> None:
            self._finish(*item)

        self._process(self._fused, self._stages.encode, deliver)

    def _process(
        self,
        queue: Queue[Any],
        work: Callable[[T, Any], Any] | None,
        deliver: Callable[[tuple[T, Any, int]], None],
    ) -> None:
        """Process items until the end. After a stop they are dropped, so that no thread waits at a full queue."""
        while (item := queue.get()) is not _END:
            if self._stopped.is_set() or work is None:
                continue
            task, value, cost = item
            del item  # or the decoded pictures would stay in memory until the next item
            try:
                value = work(task, value)
            except Exception as error:
                self._finish(task, error, cost)
            else:
                deliver((task, value, cost))
            del value


class _MemoryBudget:
    """A number of bytes that threads acquire, waiting if necessary. A single one may acquire more than the budget."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._taken = 0
        self._changed = threading.Condition()
        self._unlimited = False

    def acquire(self, amount: int) -> int:
        with self._changed:
            self._changed.wait_for(lambda: self._unlimited or not self._taken or self._taken + amount <= self._size)
            self._taken += amount
        return amount

    def release(self, amount: int) -> None:
        with self._changed:
            self._taken -= amount
            self._changed.notify_all()

    def lift(self) -> None:
        """Remove the limit, so that no thread waits any longer."""
        with self._changed:
            self._unlimited = True
            self._changed.notify_all()
