"""Work in threads of its own: a generator some items ahead of who takes them, and all work apart from interrupts."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterable
from queue import Empty, Full, Queue
from typing import Any, TypeVar

T = TypeVar("T")

_END = object()
_PATIENCE = 2.0
"""Seconds that an ended reader waits for the thread, which may be waiting for a pipe."""
_TURN = 0.1


def apart(work: Callable[[threading.Event], T], name: str) -> T:
    """What ``work(stop)`` returns, which it does in a thread; here one only waits.

    A KeyboardInterrupt sets ``stop``, and ``work`` ends when it can; a second one is raised at once. Raised in a thread
    that takes locks of ``queue`` and ``threading``, it could come between a lock and its release.
    """
    stop, done = threading.Event(), threading.Lock()
    found: list[T] = []
    failed: list[BaseException] = []

    def run() -> None:
        try:
            found.append(work(stop))
        except BaseException as error:  # raised again where one waits
            failed.append(error)
        finally:
            done.release()

    done.acquire()
    thread = threading.Thread(target=run, name=name, daemon=True)
    try:
        thread.start()
        while not _acquired(done, stop):
            pass
    except BaseException:
        stop.set()
        raise
    if failed:
        raise failed[0]
    return found[0]


def _acquired(lock: threading.Lock, stop: threading.Event) -> bool:
    try:
        return lock.acquire(timeout=_TURN)  # not for ever, so that an interrupt is heard on every system
    except KeyboardInterrupt:
        if stop.is_set():
            raise
        stop.set()
        return False


def ahead(items: Iterable[T], depth: int, name: str, stop: threading.Event) -> Generator[T, None, None]:
    """``items``, up to ``depth`` of them made before they are asked for. What they raise is raised here.

    Ends early when ``stop`` is set, whether or not an item comes.
    """
    queue: Queue[Any] = Queue(depth)
    stopped = threading.Event()

    def put(item: object) -> None:
        while not stopped.is_set():
            try:
                queue.put(item, timeout=_TURN)
            except Full:
                continue
            break

    def work() -> None:
        try:
            for item in items:
                put(item)
                if stopped.is_set():
                    return
            put(_END)
        except BaseException as error:  # raised again where items are taken
            put(error)
        finally:
            if isinstance(items, Generator):
                items.close()

    # A daemon: it may wait for a pipe from which nothing comes any more.
    thread = threading.Thread(target=work, name=name, daemon=True)
    thread.start()
    try:
        while not stop.is_set():
            try:
                item = queue.get(timeout=_TURN)
            except Empty:
                continue
            if item is _END:
                return
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        stopped.set()
        thread.join(_PATIENCE)
