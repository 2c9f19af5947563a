"""Addresses of files elsewhere: ``s3://bucket/key``, ``gs://``, ``https://``, ``sftp://``, whatever fsspec knows.

An :class:`Address` is a path, so that pairing, jobs and the journal treat files here and there alike; all access goes
through :mod:`tita_cli.files.remote`, which is imported when something is accessed.
"""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")  # two letters at least: c:// is a drive
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")

# The kind of path of this system; its class is known at run time only.
_Here: Any = Path if TYPE_CHECKING else type(Path())


def is_address(path: object) -> bool:
    """Whether ``path`` names a file elsewhere. ``file://`` does not."""
    if isinstance(path, Address):
        return True
    text = path if isinstance(path, str) else os.fspath(path) if isinstance(path, os.PathLike) else None
    return isinstance(text, str) and _ADDRESS.match(text) is not None and not text.startswith("file://")


def path_of(text: str | os.PathLike[str]) -> Path:
    """``text`` as an :class:`Address`, or as a path of this machine."""
    if isinstance(text, Path):
        return text
    name = os.fspath(text)
    if name.startswith("file://"):
        return Path(unquote(urlsplit(name).path))
    return Address(name) if is_address(name) else Path(name)


def resolved(path: Path) -> Path:
    """The absolute path without links, of an address itself. ``Path.resolve`` raises where links form a loop."""
    return path if isinstance(path, Address) else Path(os.path.realpath(path))


class Address(_Here):  # type: ignore[misc]
    """A path whose text keeps the two slashes behind its scheme, and that asks the server where it is asked.

    Joining, names, suffixes and parents are those of a path. What is not defined here, such as ``glob`` and ``unlink``,
    is not for addresses.
    """

    def __str__(self) -> str:
        first, *rest = self.parts or (".",)
        return f"{first}//{'/'.join(rest)}" if _SCHEME.fullmatch(first) else "/".join([first, *rest])

    def __fspath__(self) -> str:
        return str(self)

    def as_posix(self) -> str:
        return str(self)

    def is_absolute(self) -> bool:
        return True

    def absolute(self) -> Address:
        return self

    def resolve(self, strict: bool = False) -> Address:
        return self

    def stat(self, *, follow_symlinks: bool = True) -> os.stat_result:
        """Size and time of modification, in nanoseconds, -1 where the server does not tell it.

        Raises FileNotFoundError, or InputError where the server does not answer.
        """
        from tita_cli.files import remote

        found = remote.look_up(self)
        kind = stat.S_IFDIR if found.is_folder else stat.S_IFREG
        times = {"st_atime_ns": 0, "st_mtime_ns": found.changed, "st_ctime_ns": 0}
        return os.stat_result((kind | 0o644, 0, 0, 1, 0, 0, found.size, 0, found.changed // 10**9, 0), times)

    def exists(self, *, follow_symlinks: bool = True) -> bool:
        try:
            self.stat()
        except FileNotFoundError:
            return False
        return True

    def is_dir(self, *, follow_symlinks: bool = True) -> bool:
        return self.exists() and stat.S_ISDIR(self.stat().st_mode)

    def is_file(self, *, follow_symlinks: bool = True) -> bool:
        return self.exists() and stat.S_ISREG(self.stat().st_mode)

    def is_symlink(self) -> bool:
        return False
