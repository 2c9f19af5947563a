"""What the commands print and where: results on stdout, everything else on stderr."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, BinaryIO

JSON_VERSION = 1


def complain(message: str, *, hint: str | None = None) -> None:
    """Print ``tita: error: …`` as one line on stderr, and a second line with the hint."""
    sys.stderr.write(f"tita: error: {printable(message)}\n")
    if hint:
        sys.stderr.write(f"tita: hint: {printable(hint)}\n")
    sys.stderr.flush()


def warn(message: str) -> None:
    """Print ``tita: warning: …`` as one line on stderr."""
    sys.stderr.write(f"tita: warning: {printable(message)}\n")
    sys.stderr.flush()


def say(message: str) -> None:
    """Print a plain line on stderr."""
    sys.stderr.write(message + "\n")
    sys.stderr.flush()


def printable(text: str) -> str:
    """A file name may hold a newline or an escape sequence; a message must not."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


@contextmanager
def results() -> Iterator[BinaryIO]:
    """Hand out the real stdout as a binary stream, and point descriptor 1 at stderr meanwhile.

    Native libraries print to descriptor 1 when it pleases them; inside this block that cannot corrupt a piped image or
    JSON document. Python's ``sys.stdout`` is guarded by the same move.
    """
    sys.stdout.flush()
    try:
        saved = os.dup(1)
    except OSError:  # started with stdout closed: there is no result to protect
        with open(os.devnull, "wb") as nowhere:  # noqa: PTH123
            yield nowhere
        return
    os.dup2(2, 1)
    try:
        with os.fdopen(saved, "wb", closefd=False) as stream:
            yield stream
            stream.flush()
    finally:
        sys.stdout.flush()
        os.dup2(saved, 1)
        os.close(saved)


def envelope(command: str, body: Mapping[str, Any]) -> bytes:
    """One JSON document for a command's result: ``{"tita": version, "format": 1, "command": …, …}``, one line."""
    from tita_cli import __version__

    document = {"tita": __version__, "format": JSON_VERSION, "command": command, **body}
    # A file name that is not UTF-8 reaches us with surrogates: as escapes they are valid JSON.
    return json.dumps(document, ensure_ascii=False, allow_nan=False).encode(errors="backslashreplace") + b"\n"
