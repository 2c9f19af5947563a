"""Lines that a library writes to the process's streams, kept from them."""

from __future__ import annotations

import io
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stdout, suppress
from threading import Lock
from typing import BinaryIO, TextIO

_LOCK = Lock()  # streams belong to the whole process
_inside: list[_Redirected] = []  # one, while any thread is in a block


@contextmanager
def without_lines(pattern: re.Pattern[str]) -> Iterator[None]:
    """Drop lines of stdout and stderr that begin as ``pattern`` says, while the block runs, from C or from Python.

    What others write in that time, other threads of a batch among them, comes out at its end. Threads may be in blocks
    at the same time: the end is that of the last one then, and what any of their patterns means is dropped.
    """
    with _LOCK:
        if not _inside:
            _inside.append(_Redirected())
        _inside[0].enter(pattern)
    try:
        yield
    finally:
        with _LOCK:
            if _inside[0].leave():
                _inside.pop()


class _Redirected:
    """Streams that lead into a file, from the first thread that enters to the last one that leaves."""

    def __init__(self) -> None:
        self._threads, self._patterns = 0, set[re.Pattern[str]]()
        self._stack = ExitStack()
        self._file: BinaryIO = self._stack.enter_context(tempfile.TemporaryFile())  # noqa: SIM115
        self._printed, self._stdout = io.StringIO(), sys.stdout
        self._saved: dict[int, int] = {}
        for stream in (1, 2):
            with suppress(OSError):  # closed: nothing can be written there
                self._saved[stream] = os.dup(stream)
                os.dup2(self._file.fileno(), stream)
        self._stack.enter_context(redirect_stdout(self._printed))

    def enter(self, pattern: re.Pattern[str]) -> None:
        self._threads += 1
        self._patterns.add(pattern)

    def leave(self) -> bool:
        """Whether it was the last one, and everything is as it was."""
        self._threads -= 1
        if self._threads:
            return False
        for stream, old in self._saved.items():
            os.dup2(old, stream)
            os.close(old)
        self._file.seek(0)
        said = self._file.read().decode("utf-8", "surrogateescape")
        self._stack.close()
        # To stderr: which of the two a line was for is not known, and stdout may be a picture.
        with suppress(OSError):
            os.write(2, self._others(said).encode(errors="replace"))
        stdout: TextIO | None = self._stdout
        if stdout is not None:
            stdout.write(self._others(self._printed.getvalue()))
        return True

    def _others(self, text: str) -> str:
        lines = text.splitlines(keepends=True)
        return "".join(line for line in lines if not any(pattern.match(line) for pattern in self._patterns))
