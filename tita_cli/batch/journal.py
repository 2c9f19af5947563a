"""The journal of an output folder: one JSON object per line, append-only."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import threading
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from tita_cli.batch.history import History
from tita_cli.errors import OutputError, UsageError
from tita_cli.files import Address
from tita_cli.images.atomic import atomic_output

FILE_NAME = "tita-batch.jsonl"
LOCK_NAME = ".tita-batch.lock"
FORMAT = 1
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)
_SYNCED = ("writing", "end")
"""A file must not be on the disk after a power failure, and the record that it is ours not: both are put there."""


def read_journal(folder: Path) -> History:
    """The history of ``folder``, empty if there is no journal. Raises OutputError if it cannot be read."""
    path = journal_folder(folder) / FILE_NAME
    _refuse_link(path)
    return History(path)


def journal_folder(folder: Path) -> Path:
    """Where the journal of the output folder ``folder`` lies: in it, or, of an address, in a folder of this machine.

    A store has no files that grow. So the journal is written here, and a copy is stored at the address after every run;
    it is taken where it is longer than ours, because a run on another machine has gone on. Raises OutputError.
    """
    if not isinstance(folder, Address):
        return folder
    from platformdirs import user_state_path

    from tita_cli.files import remote

    digest = hashlib.sha256(str(folder).encode()).hexdigest()[:12]
    home = user_state_path("tita", appauthor=False) / "batches" / f"{folder.name}-{digest}"
    copy, own = folder / FILE_NAME, home / FILE_NAME
    if remote.is_there(copy) and (not own.exists() or copy.stat().st_size > own.stat().st_size):
        try:
            home.mkdir(parents=True, exist_ok=True)
            with atomic_output(own, overwrite=True) as file, remote.opened(copy) as journal:
                shutil.copyfileobj(journal, file)
        except OSError as error:
            raise OutputError(f"{home}: cannot be written: {error.strerror}") from error
    return home


def _refuse_link(path: Path) -> None:
    """A folder of unknown origin may hold a link under the name of one of our own files."""
    if path.is_symlink():
        raise OutputError(f"{path}: is a link; tita does not write through it", hint="remove it, or choose another -o")


def encode(record: Mapping[str, Any]) -> bytes:
    """One line of JSON in UTF-8; a path that is not valid Unicode is escaped."""
    try:
        return json.dumps(record, ensure_ascii=False, allow_nan=False).encode() + b"\n"
    except UnicodeEncodeError:
        return json.dumps(record, allow_nan=False).encode() + b"\n"


class Journal:
    """An open journal. Holds the lock of the folder, which the system releases however the process ends.

    Records may be appended from any thread. Each is one write to a file opened for appending, so that a kill leaves at
    worst an incomplete last line, which the next run terminates.
    """

    def __init__(self, folder: Path) -> None:
        """Create ``folder`` if necessary and lock it. Raises UsageError if another run holds the lock, OutputError.

        Of an address: its folder on this machine, see :func:`journal_folder`.
        """
        from filelock import FileLock, Timeout

        self._address = folder / FILE_NAME if isinstance(folder, Address) else None
        folder = journal_folder(folder)
        self.path = folder / FILE_NAME
        for name in (FILE_NAME, LOCK_NAME):
            _refuse_link(folder / name)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._lock = FileLock(folder / LOCK_NAME, timeout=0)
            self._lock.acquire()
        except Timeout as error:
            raise UsageError(
                f"{folder}: another run is writing here{_holder(folder)}",
                hint="wait for it, or choose another `output`",
            ) from error
        except OSError as error:
            raise OutputError(
                f"{folder}: cannot be written: {error.strerror}", hint="choose another `output`"
            ) from error
        self._writing = threading.Lock()
        try:
            self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND | _NO_LINK, 0o666)
            self._end_last_line()
            self._links = os.fstat(self._file).st_nlink
        except OSError as error:
            self._lock.release()
            raise OutputError(f"{self.path}: cannot write the journal: {error.strerror}") from error

    def append(self, *records: Mapping[str, Any]) -> None:
        """Write records, at once. Raises OutputError if that fails."""
        line = b"".join(map(encode, records))
        try:
            with self._writing:
                written = os.write(self._file, line)
                while written < len(line):  # an almost full disk may take only a part
                    written += os.write(self._file, line[written:])
            if self._links and not os.fstat(self._file).st_nlink:
                raise OutputError(
                    f"{self.path}: was removed while the batch was writing it (the journal)",
                    hint="run it again with `overwrite`: which results are its own, is not known any longer",
                )
            if any(record["event"] in _SYNCED for record in records):
                os.fsync(self._file)
        except OSError as error:
            raise OutputError(f"{self.path}: cannot write the journal: {error.strerror}") from error

    def store_copy(self) -> None:
        """Where the output folder is at an address, store the journal there too. Raises OutputError."""
        if self._address is not None:
            from tita_cli.files.remote import storing

            with storing(self._address) as copy, self.path.open("rb") as journal:
                shutil.copyfileobj(journal, copy)

    def close(self) -> None:
        os.close(self._file)
        self._lock.release()

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _end_last_line(self) -> None:
        end = os.lseek(self._file, 0, os.SEEK_END)
        if end:
            os.lseek(self._file, end - 1, os.SEEK_SET)
            if os.read(self._file, 1) != b"\n":
                os.write(self._file, b"\n")


def _holder(folder: Path) -> str:
    """The process of that run, if it has written its first record."""
    run = read_journal(folder).run
    return f" (process {run.get('pid')} on {run.get('host')})" if run else ""
