"""What the commands print and where: results on stdout, everything else on stderr."""

from __future__ import annotations

import json
import os
import re
import sys
import textwrap
import unicodedata
from collections.abc import Mapping
from typing import IO, Any, BinaryIO

from tita_cli.cli.streams import results
from tita_cli.options.flags import on_command_line

__all__ = [
    "columns", "complain", "counted", "envelope", "folded", "printable", "put", "results", "say", "text_bytes", "warn",
]  # fmt: skip

JSON_VERSION = 1
NARROW = 60
"""Columns of a terminal below which tables become lists."""
_PASSWORD = re.compile(r"(://[^\s/:@]+):[^\s/@]+@")


def complain(message: str, *, hint: str | None = None) -> None:
    """Print ``tita: error: …`` as one line on stderr, and a second line with the hint."""
    say(f"tita: error: {message}")
    if hint:
        say(f"tita: hint: {hint}")


def warn(message: str) -> None:
    """Print ``tita: warning: …`` as one line on stderr."""
    say(f"tita: warning: {message}")


def say(message: str, *, whole: bool = False) -> None:
    """Print a plain line on stderr. ``whole``: never broken, because it is to be copied or read by a program."""
    text = printable(message)
    sys.stderr.write(f"{text if whole else folded(text, sys.stderr)}\n")
    sys.stderr.flush()


def put(stdout: BinaryIO, text: str, *, hang: int = 2) -> None:
    """Write printable ``text`` on the stream that ``results()`` gave."""
    stdout.write(text_bytes(folded(text, stdout, hang=hang)))


def columns(stream: IO[Any]) -> int | None:
    """How wide the terminal is that ``stream`` writes to, or COLUMNS; None where it is none, or does not say."""
    try:
        if not stream.isatty():
            return None
        stated = os.environ.get("COLUMNS", "")  # as rich's tables and the help go by
        return (int(stated) if stated.isdecimal() else os.get_terminal_size(stream.fileno()).columns) or None
    except OSError:  # io.UnsupportedOperation among them
        return None


def folded(text: str, stream: IO[Any], *, hang: int = 2) -> str:
    """``text`` with lines that the terminal behind ``stream`` would break inside words broken between them.

    They go on ``hang`` columns further in. Words are never broken, paths among them; where there is no terminal, no
    line is.
    """
    width = columns(stream)
    if width is None:
        return text
    return "\n".join(_wrapped(line, width, hang if width >= NARROW else 2) for line in text.split("\n"))


def _wrapped(line: str, width: int, hang: int) -> str:
    if len(line) <= width:
        return line
    words = line.lstrip(" ")
    indent = len(line) - len(words)
    return textwrap.fill(
        words, width, initial_indent=" " * indent, subsequent_indent=" " * max(hang, indent),
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip


def printable(text: str) -> str:
    """``text`` with flags for options in backquotes, and without what names may hold: control characters, passwords."""
    shown = on_command_line(text)
    shown = "".join(c if c.isprintable() or unicodedata.category(c) == "Zs" else repr(c)[1:-1] for c in shown)
    return _PASSWORD.sub(r"\1:…@", shown)


def counted(number: int, noun: str) -> str:
    """``1 file``, ``2 files``."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def text_bytes(text: str) -> bytes:
    """``text`` in the encoding of stdout, with a question mark for what that lacks."""
    return text.encode(sys.stdout.encoding or "utf-8", "replace")


def envelope(command: str, body: Mapping[str, Any]) -> bytes:
    """One JSON document for a command's result: ``{"tita": version, "format": 1, "command": …, …}``, one line."""
    from tita_cli import __version__

    document = {"tita": __version__, "format": JSON_VERSION, "command": command, **body}
    # A file name that is not UTF-8 reaches us with surrogates: as escapes they are valid JSON.
    return json.dumps(document, ensure_ascii=False, allow_nan=False).encode(errors="backslashreplace") + b"\n"
