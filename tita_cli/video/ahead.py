"""Let a generator work in a thread of its own, some items ahead of who takes them."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterable
from queue import Empty, Full, Queue
from typing import Any, TypeVar

T = TypeVar("T")

_END = object()
_PATIENCE = 2.0
"""Seconds that an ended reader waits for the thread, which may be waiting for a pipe."""
_TURN = 0.1


def ahead(items: Iterable[T], depth: int, name: str) -> Generator[T, None, None]:
    """``items``, up to ``depth`` of them made before they are asked for. What they raise is raised here."""
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
        while True:
            try:
                item = queue.get(timeout=_TURN)  # not for ever, so that an interrupt is heard on every system
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
