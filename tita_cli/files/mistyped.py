"""What a name that no file has was probably meant to be."""

from __future__ import annotations

import difflib
import os
import re
import unicodedata
from itertools import islice
from pathlib import Path

_LONG_DASHES = "‐‑–—−"
_QUOTES = "'\"`´‘’‚“”„«»"
_MOST_NAMES = 5000
"""Of a folder; more are not compared."""


def meant(name: str) -> str | None:
    """A hint for ``name``, which no file has, with the file or the option that was probably meant; None for no idea."""
    if name[:1] and name[0] in _LONG_DASHES:
        return f"options begin with a hyphen, which {name[0]} is not: type it anew"
    words = name.split()
    if len(words) > 1 and all(os.path.lexists(word) for word in words):
        return "quote every name by itself, or none"
    expanded = os.path.expanduser(os.path.expandvars(name))  # noqa: PTH111
    if expanded != name and os.path.lexists(expanded):
        return f"in quotes the shell leaves {name[0]} as it is: did you mean {expanded}?"
    folder, typed = os.path.split(name)
    try:
        with os.scandir(folder or ".") as entries:
            names = [entry.name for entry in islice(entries, _MOST_NAMES)]
    except OSError:
        return None if Path(folder).is_dir() else f"there is no folder {folder}"
    found = _nearest(typed.strip(_QUOTES + ",; "), sorted(names))
    if found is None:
        return None
    quoted = '"' if " " in found and " " not in typed else ""
    return f"did you mean {quoted}{os.path.join(folder, found)}{quoted}?"  # noqa: PTH118


def _nearest(typed: str, names: list[str]) -> str | None:
    """Of ``names`` the one that differs least: in case or accents' encoding, by what follows a space, in the suffix, by
    a letter or two. Digits must agree: IMG_0002 is not meant where IMG_0003 was typed."""
    known = {_key(name): name for name in reversed(names)}
    key = _key(typed)
    if not key:
        return None
    if key in known:
        return known[key]
    for alike in (lambda one: one.startswith(f"{key} "), lambda one: Path(one).stem == Path(key).stem):
        if match := next((name for one, name in known.items() if alike(one)), None):
            return match
    close = difflib.get_close_matches(key, known, 3, cutoff=0.8)
    return next((known[one] for one in close if _digits(one) == _digits(key)), None)


def _key(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def _digits(name: str) -> list[str]:
    return re.findall(r"\d", name)
