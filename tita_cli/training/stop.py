"""A clean stop: after SIGTERM, the first Ctrl-C or a given time the step finishes and a checkpoint is written."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class StopRequest:
    """Whether the process is to stop, and the signal that asked for it, if one did."""

    def __init__(self, minutes: float | None = None) -> None:
        self.signal: int | None = None
        self._deadline = None if minutes is None else time.monotonic() + 60 * minutes

    def __call__(self) -> bool:
        return self.signal is not None or (self._deadline is not None and time.monotonic() > self._deadline)

    @property
    def interrupted(self) -> bool:
        """Whether it came from the keyboard."""
        return self.signal == signal.SIGINT


@contextmanager
def stop_on_signals(minutes: float | None = None) -> Iterator[StopRequest]:
    """Turn SIGTERM, SIGINT and SIGHUP into a request; a second SIGINT interrupts at once. Main thread only.

    ``minutes``: so long after the call it becomes a request too.
    """
    request = StopRequest(minutes)

    def ask(number: int, frame: FrameType | None) -> None:
        request.signal = number
        signal.signal(signal.SIGINT, signal.default_int_handler)

    numbers = [getattr(signal, name) for name in ("SIGTERM", "SIGINT", "SIGHUP") if hasattr(signal, name)]
    before = {n: signal.signal(n, ask) for n in numbers if signal.getsignal(n) is not signal.SIG_IGN}
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
