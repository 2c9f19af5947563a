"""Recognise a file as the one used before: by size and SHA-256, with its modification time as a shortcut."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from tita_cli.errors import InputError, parsing
from tita_cli.files import file_of, open_input

_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """Size in bytes, modification time in nanoseconds (below 0 where it is not known), SHA-256 of the content."""

    size: int
    changed: int
    sha256: str

    def describe(self) -> dict[str, Any]:
        return {"size": self.size, "mtime_ns": self.changed, "sha256": self.sha256}


def take_fingerprint(path: Path) -> Fingerprint:
    """Read all of the file that ``path`` is or names a picture of. Raises InputError if it cannot be read."""
    path = file_of(path)
    with open_input(path), parsing(str(path)):
        stat = path.stat()
    hashed = _known_sha256 if stat.st_mtime_ns >= 0 else _sha256
    return Fingerprint(stat.st_size, stat.st_mtime_ns, hashed(path, stat.st_size, stat.st_mtime_ns))


def _sha256(path: Path, size: int, changed: int) -> str:
    digest = hashlib.sha256()
    with open_input(path) as file, parsing(str(path)):
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


_known_sha256 = lru_cache(maxsize=8)(_sha256)  # the pictures of one file follow one another


def is_unchanged(path: Path, known: Any) -> bool:
    """Whether ``path`` is the file that ``known`` describes; None describes a file that could not be read.

    Equal size and time count as unchanged, as in make and rsync; otherwise the content decides.
    """
    path = file_of(path)
    try:
        stat = path.stat()
    except (OSError, InputError):
        return known is None
    if not isinstance(known, dict) or stat.st_size != known.get("size"):
        return False
    if stat.st_mtime_ns == known.get("mtime_ns") and stat.st_mtime_ns >= 0:
        return True
    try:
        return take_fingerprint(path).sha256 == known.get("sha256")
    except InputError:
        return False
