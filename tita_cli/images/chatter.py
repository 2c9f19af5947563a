"""Lines that a library writes to the process's streams, kept from them."""

from __future__ import annotations

import io
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from threading import Lock

_TURN = Lock()  # streams belong to the whole process


@contextmanager
def without_lines(pattern: re.Pattern[str]) -> Iterator[None]:
    """Drop lines of stdout and stderr that begin as ``pattern`` says, while the block runs, from C or from Python.

    What others write in that time, other threads of a batch among them, comes out at its end.
    """
    printed, stdout = io.StringIO(), sys.stdout
    with _TURN, tempfile.TemporaryFile() as file:
        saved: dict[int, int] = {}
        try:
            for stream in (1, 2):
                with suppress(OSError):  # closed: nothing can be written there
                    saved[stream] = os.dup(stream)
                    os.dup2(file.fileno(), stream)
            with redirect_stdout(printed):
                yield
        finally:
            for stream, old in saved.items():
                os.dup2(old, stream)
                os.close(old)
            file.seek(0)
            # To stderr: which of the two a line was for is not known, and stdout may be a picture.
            with suppress(OSError):
                os.write(2, _others(file.read().decode("utf-8", "surrogateescape"), pattern).encode(errors="replace"))
            if stdout is not None:
                stdout.write(_others(printed.getvalue(), pattern))


def _others(text: str, pattern: re.Pattern[str]) -> str:
    return "".join(line for line in text.splitlines(keepends=True) if not pattern.match(line))
