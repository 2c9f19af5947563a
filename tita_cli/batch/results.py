"""What lies where the results of a batch are to be: its own, damaged, of others, or in the way."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from tita_cli.batch.disk_table import DiskTable
from tita_cli.batch.fingerprint import is_unchanged, take_fingerprint
from tita_cli.batch.history import History
from tita_cli.batch.jobs import Job
from tita_cli.batch.record import Record
from tita_cli.errors import DamagedError, MismatchError, OutputError, TitaError
from tita_cli.files import is_address, resolved

_ANY_SIZE = 1 << 60


def is_damaged_picture(path: Path) -> bool:
    """Whether a file can be read and holds no whole picture: cut short, of zeros, empty."""
    from tita_cli.images import read_picture

    try:
        read_picture(path, max_pixels=_ANY_SIZE)
    except DamagedError:
        return True
    except TitaError:
        return False
    return False


class Results:
    """What lies where the results are to be."""

    def __init__(self, history: History, is_damaged: Callable[[Path], bool]) -> None:
        self._history = history
        self._is_damaged = is_damaged
        self._owners: DiskTable[str] = DiskTable()

    def is_damaged(self, job: Job, record: Record) -> bool:
        """Whether the file at the target is what this batch wrote once, and something broke it."""
        return not is_unchanged(job.target, record.get("file")) and self._is_damaged(job.target)

    def is_ours(self, job: Job) -> bool:
        """Whether the file at the target is what this batch wrote, not edited since."""
        record = self._history.written(job.output)
        if record is None:
            return False
        if record["event"] == "writing":  # recorded only after the target was known to be free or ours
            return True
        known = record.get("file") or {}
        same = job.target.stat().st_size == known.get("size")
        if same and take_fingerprint(job.target).sha256 == known.get("sha256"):
            return True
        return self._is_damaged(job.target)

    def obstacle(self, job: Job) -> TitaError | None:
        """Why nothing can, or may, be written at the target, where that is known before."""
        target, folder = job.target, job.folder
        if is_address(target):  # no links
            return None
        try:
            found = target.lstat()
        except (FileNotFoundError, NotADirectoryError):
            found = None
        except OSError as error:
            return OutputError(f"{target}: cannot be written: {(error.strerror or '').lower()}")
        if found is not None:
            if stat.S_ISLNK(found.st_mode):
                return OutputError(f"{target}: is a link; a batch does not write through it", hint="remove the link")
            # One file by two names, where a file system does not tell upper from lower case.
            owner = self._owner(f"{found.st_dev} {found.st_ino}", job.output) if found.st_ino else job.output
            if owner != job.output:
                return MismatchError(
                    f"{target}: is the same file as {owner}", hint="give them different names in a manifest"
                )
        between = PurePosixPath(job.output).parents[:-1]
        if any((folder / part).is_symlink() for part in between) and not _is_below(target.parent, folder):
            return OutputError(f"{target}: a link in its path leads out of {folder}", hint="remove the link")
        return None

    def _owner(self, file: str, output: str) -> str:
        """The first result that lies in ``file``."""
        return output if self._owners.add(file, output) else self._owners.get(file) or output


def _is_below(path: Path, folder: Path) -> bool:
    """Whether ``path`` lies in ``folder`` when all links are followed."""
    return resolved(path).is_relative_to(resolved(folder))


def exists(path: Path) -> bool:
    """As ``os.path.exists``, which raises nothing, whatever is in the way."""
    return path.exists() if is_address(path) else os.path.exists(path)  # noqa: PTH110
