"""The process's own streams: stdout, on which results must arrive; stderr, on which messages may get lost."""

from __future__ import annotations

import errno
import io
import os
import select
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, TextIO, cast

from tita_cli.errors import STORAGE_ERRORS, OutputError, ReaderGoneError

STDOUT = ("-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1")
"""Names that users have for stdout, as an output."""


class _Descriptor(io.FileIO):
    """A descriptor that we were started with, and leave open; waited for where it is not ready."""

    def __init__(self, number: int) -> None:
        super().__init__(number, "wb", closefd=False)

    def write(self, data: object) -> int:
        while (written := super().write(data)) is None:  # type: ignore[arg-type]
            select.select([], [self], [])
        return written


class _Results(_Descriptor):
    """What cannot be written is an error, once: of the rest the process rids itself in silence."""

    _failed = False

    def write(self, data: object) -> int:
        if not self._failed:
            try:
                return super().write(data)
            except OSError as error:
                self._failed = True
                if error.errno == errno.EPIPE:
                    raise ReaderGoneError("<stdout>: its reader is gone") from error
                reason = "it is closed" if error.errno == errno.EBADF else STORAGE_ERRORS.get(error.errno or 0)
                raise OutputError(f"<stdout>: cannot be written: {reason or error.strerror}") from error
        return memoryview(data).nbytes  # type: ignore[arg-type]


class _Messages(_Descriptor):
    """A message that nobody can receive is no reason to stop."""

    def write(self, data: object) -> int:
        try:
            return super().write(data)
        except OSError:
            return memoryview(data).nbytes  # type: ignore[arg-type]


def take_streams() -> None:
    """Put our own streams in place of ``sys.stdout`` and ``sys.stderr``, for libraries as well.

    A descriptor of the three that is closed is opened on the null device, in the direction in which it cannot be used:
    else the next picture to be written would get its number, and with it what libraries print there.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDONLY if number else os.O_WRONLY), True)
    if sys.stdin is None:
        raw = io.FileIO(0, "rb", closefd=False)
        raw.name = "<stdin>"
        sys.stdin = io.TextIOWrapper(io.BufferedReader(raw))
    sys.stdout = _text(_Results(1), sys.stdout, errors="replace")
    sys.stderr = _text(_Messages(2), sys.stderr, errors="backslashreplace")


def _text(raw: _Descriptor, before: TextIO | None, *, errors: str) -> TextIO:
    if before is not None and sys.platform == "win32" and before.isatty():  # it does not go by bytes
        return before
    encoding = "utf-8" if before is None else before.encoding
    # Messages appear as they come; results may wait, unless somebody watches.
    at_once = isinstance(raw, _Messages) or raw.isatty()
    return io.TextIOWrapper(io.BufferedWriter(raw), encoding=encoding, errors=errors, line_buffering=at_once)


@contextmanager
def results() -> Iterator[BinaryIO]:
    """Hand out the real stdout as a binary stream, and point descriptor 1 at stderr meanwhile.

    Native libraries print to descriptor 1 when it pleases them; inside this block that cannot corrupt a piped image or
    JSON document. Python's ``sys.stdout`` is guarded by the same move. Writing raises OutputError.
    """
    sys.stdout.flush()
    saved = os.dup(1)
    os.dup2(2, 1)
    try:
        with io.BufferedWriter(_Results(saved)) as stream:
            yield cast("BinaryIO", stream)
    finally:
        sys.stdout.flush()
        os.dup2(saved, 1)
        os.close(saved)
