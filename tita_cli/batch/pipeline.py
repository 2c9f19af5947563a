"""Decode, fuse and encode side by side, in threads, with bounded memory.

Decoders and encoders spend their time in libraries that release the interpreter's lock, as do the engines; so threads
do, and pictures need not be copied between processes.
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
# Seconds that an interrupted run waits for a library that is in the middle of something.
_PATIENCE = 3.0


@dataclass(frozen=True, slots=True)
class Sizes:
    """How many threads decode, fuse (``lanes``) and encode; how many bytes of pictures may be on their way at once."""

    decoders: int
    lanes: int
    encoders: int
    budget: int


class Stages(Generic[T]):
    """The work, as callables. Whatever they raise is the outcome of that task alone, but for ``open_lane``."""

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
    """Run tasks through stages; iterate over ``(task, result or exception)`` as they end, in any order.

    Use as a context manager: leaving it stops everything and drops what is on its way; after a KeyboardInterrupt it
    does not wait long for a library that is in the middle of something. An exception of ``open_lane``, which is called
    in the thread of the lane, is raised by the iteration.
    """

    def __init__(self, tasks: Iterable[T], stages: Stages[T], sizes: Sizes) -> None:
        self._tasks = iter(tasks)
        self._stages = stages
        self._taking = threading.Lock()
        self._stopped = threading.Event()
        self._purse = _Purse(sizes.budget)
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
        self._purse.open()
        impatient = kind is not None and issubclass(kind, KeyboardInterrupt)
        deadline = time.monotonic() + _PATIENCE
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()) if impatient else None)

    def _start(self, count: int, work: Callable[[], None], close: Callable[[], None]) -> None:
        """Start ``count`` threads on ``work``; the last to end calls ``close``, which lets the next stage end."""
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
            # Daemons, for the one case that a library never returns after an interrupt.
            thread = threading.Thread(target=body, daemon=True, name=THREAD_NAME)
            self._threads.append(thread)
            thread.start()

    @staticmethod
    def _close(queue: Queue[Any], readers: int) -> None:
        for _ in range(readers):
            queue.put(_END)

    def _finish(self, task: T, outcome: Any, cost: int) -> None:
        self._purse.give_back(cost)
        self._outcomes.put((task, outcome))

    def _decode(self) -> None:
        while not self._stopped.is_set():
            with self._taking:
                task = next(self._tasks, _END)
            if task is _END:
                return
            cost = 0
            try:
                cost = self._purse.take(self._stages.cost(task))
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
        self._work_off(self._ready, fuse, self._fused.put)

    def _encode(self) -> None:
        def deliver(item: tuple[T, Any, int]) -> None:
            self._finish(*item)

        self._work_off(self._fused, self._stages.encode, deliver)

    def _work_off(
        self,
        queue: Queue[Any],
        work: Callable[[T, Any], Any] | None,
        deliver: Callable[[tuple[T, Any, int]], None],
    ) -> None:
        """Take items until the end. Once stopped they are dropped, so that nobody waits at a full queue."""
        while (item := queue.get()) is not _END:
            if self._stopped.is_set() or work is None:
                continue
            task, value, cost = item
            del item  # or the decoded pictures would live until the next ones come
            try:
                value = work(task, value)
            except Exception as error:
                self._finish(task, error, cost)
            else:
                deliver((task, value, cost))
            del value


class _Purse:
    """A number of bytes from which takers wait for their share. One alone may take more than there is."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._taken = 0
        self._changed = threading.Condition()
        self._open = False

    def take(self, amount: int) -> int:
        with self._changed:
            self._changed.wait_for(lambda: self._open or not self._taken or self._taken + amount <= self._size)
            self._taken += amount
        return amount

    def give_back(self, amount: int) -> None:
        with self._changed:
            self._taken -= amount
            self._changed.notify_all()

    def open(self) -> None:
        """Let everybody through."""
        with self._changed:
            self._open = True
            self._changed.notify_all()
