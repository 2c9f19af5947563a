"""Signals that ask to stop: Ctrl-C, SIGTERM, SIGHUP. Light to import: it is the first that runs."""

from __future__ import annotations

import atexit
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import NoReturn

from tita_cli.errors import ExitCode, OutputError

_CODES = {"SIGINT": ExitCode.INTERRUPTED, "SIGTERM": ExitCode.TERMINATED, "SIGHUP": ExitCode.HUNG_UP}
_received: list[int] = []
_codes: list[int] = []
"""With which an interrupted process leaves."""


def stop_on_signals(*, default: bool = False) -> None:
    """Let every such signal raise ``KeyboardInterrupt``, so that one path cleans up after all of them.

    A signal that our parent ignores (``nohup``, a job in the background) stays ignored. ``default``: give them back to
    the system.
    """
    for name in _CODES:
        number = getattr(signal, name, None)
        if number is None:  # no SIGHUP on Windows
            continue
        if default:
            if signal.getsignal(number) is _interrupt:
                signal.signal(number, signal.SIG_DFL)
        elif signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
            signal.signal(number, _interrupt)


def _interrupt(number: int, frame: FrameType | None) -> None:
    _received.append(number)
    raise KeyboardInterrupt


def was_interrupted() -> bool:
    """Whether a signal has asked to stop."""
    return bool(_received)


def exit_code() -> int:
    """128 and the number of the signal, as shells have it; that of Ctrl-C where none was seen."""
    name = signal.Signals(_received[0]).name if _received else "SIGINT"
    return int(_CODES[name])


def reason() -> str:
    """What stopped us, for a message."""
    code = exit_code()
    return {ExitCode.TERMINATED: "stopped by SIGTERM", ExitCode.HUNG_UP: "stopped by SIGHUP"}.get(
        ExitCode(code), "interrupted"
    )


@contextmanager
def abort_if_interrupted() -> Iterator[None]:
    """Let the interrupt be reported, which the parser would end in silence."""
    import typer

    try:
        yield
    except KeyboardInterrupt:
        raise typer.Abort from None


def leave(code: int) -> NoReturn:
    """End the process with ``code``, without waiting for a network at work.

    Native threads that compute while the interpreter is taken down abort the process, with a code of their own. And to
    take it down, object by object, takes as long as to write a picture: what is registered for the end is done, and the
    system takes the rest back. Where other threads are at work, the interpreter waits for them.
    """
    stop_on_signals(default=True)  # from here on a signal ends the process at once, and in silence
    threads = [thread for thread in threading.enumerate() if thread is not threading.main_thread()]
    if any(thread.name.startswith("tita-") for thread in threads):
        _end(code)
    if _received:
        _codes.append(code)
    if all(thread.daemon for thread in threads):
        atexit._run_exitfuncs()
        _end(code)
    sys.exit(code)


def _end(code: int) -> NoReturn:
    for stream in (sys.stdout, sys.stderr):
        with suppress(OutputError):  # what nobody can receive
            if stream is not None:
                stream.flush()
    os._exit(code)


@atexit.register  # before all others, and so the last to run
def _keep_code() -> None:
    """An interpreter in which the interrupt struck inside ``exec``, as where a dataclass is made, ends by killing
    itself with SIGINT, whatever the signal and the code were."""
    if _codes:
        _end(_codes[0])
