"""What the commands print and where: results on stdout, everything else on stderr."""

from __future__ import annotations

import json
import re
import sys
import unicodedata
from collections.abc import Mapping
from typing import Any

from tita_cli.cli.streams import results
from tita_cli.options.flags import on_command_line

__all__ = ["complain", "counted", "envelope", "printable", "results", "say", "text_bytes", "warn"]

JSON_VERSION = 1
_PASSWORD = re.compile(r"(://[^\s/:@]+):[^\s/@]+@")


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
    sys.stderr.write(f"{printable(message)}\n")
    sys.stderr.flush()


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
