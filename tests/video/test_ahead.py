"""Work in threads, and what an interrupt does to it."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator

import pytest

from tita_cli.video.ahead import ahead, apart


def counted(begun: threading.Event | None = None) -> Iterator[int]:
    for number in range(1 << 30):
        if begun is not None and number == 20:
            begun.set()
        yield number


def test_an_interrupt_ends_the_work_in_its_own_time() -> None:
    """Many times, at any moment: it never comes between a lock and its release."""
    before = threading.active_count()
    for round_ in range(20):
        begun = threading.Event()

        def work(stop: threading.Event, begun: threading.Event = begun) -> int:
            inner = ahead(counted(begun), 3, "tita-inner", stop)
            return sum(1 for _ in ahead(inner, 3, "tita-outer", stop))

        def interrupt(begun: threading.Event = begun, wait: float = round_ / 5000) -> None:
            begun.wait()
            time.sleep(wait)
            signal.raise_signal(signal.SIGINT)

        threading.Thread(target=interrupt).start()
        assert apart(work, "tita-work") > 10
    end = time.monotonic() + 10
    while threading.active_count() > before and time.monotonic() < end:
        time.sleep(0.05)
    assert threading.active_count() == before


def test_a_second_interrupt_does_not_wait() -> None:
    let_go = threading.Event()

    def work(stop: threading.Event) -> None:
        stop.wait()
        threading.Thread(target=signal.raise_signal, args=(signal.SIGINT,)).start()
        let_go.wait(30)

    threading.Timer(0.05, signal.raise_signal, (signal.SIGINT,)).start()
    with pytest.raises(KeyboardInterrupt):
        apart(work, "tita-work")
    let_go.set()


def test_what_the_work_raises_is_raised() -> None:
    with pytest.raises(ZeroDivisionError):
        apart(lambda stop: 1 // 0, "tita-work")


def test_waits_for_nothing_once_stopped() -> None:
    stop, never = threading.Event(), threading.Event()

    def silent() -> Iterator[int]:
        never.wait(30)
        yield 1

    threading.Timer(0.05, stop.set).start()
    begun = time.monotonic()
    assert list(ahead(silent(), 1, "tita-silent", stop)) == []
    assert time.monotonic() - begun < 20
    never.set()
