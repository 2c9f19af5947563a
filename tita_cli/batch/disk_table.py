"""A mapping that lies on the disk where it is large, in a database of SQLite's without a name."""

from __future__ import annotations

import json
import sqlite3
import threading
import weakref
from collections.abc import Iterator
from typing import Any, Generic, TypeVar

from tita_cli.errors import OutputError

V = TypeVar("V")

_CACHE = 8192
"""KiB of a table that are kept in memory."""
_PAGE = 500
"""Rows that are read at a time."""


class DiskTable(Generic[V]):
    """Texts to values that JSON can hold, in the order of the texts' code points. For any thread.

    Gone with the object, or with the process however it ends. Methods raise OutputError where the folder for temporary
    files is full.
    """

    def __init__(self) -> None:
        # An empty name: https://www.sqlite.org/inmemorydb.html, "Temporary Databases".
        self._database = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        weakref.finalize(self, self._database.close)
        self._turn = threading.Lock()
        self._length = 0
        for order in (
            f"PRAGMA cache_size = -{_CACHE}",
            "PRAGMA journal_mode = OFF",
            "CREATE TABLE rows (key BLOB PRIMARY KEY, value TEXT) WITHOUT ROWID",
            "BEGIN",
        ):
            self._do(order)

    def add(self, key: str, value: V) -> bool:
        """Put a new row; False, and nothing changes, where ``key`` has one."""
        return self._put("INSERT OR IGNORE", key, value)

    def __setitem__(self, key: str, value: V) -> None:
        if not self.add(key, value):
            self._put("REPLACE", key, value)

    def get(self, key: str) -> V | None:
        """The value of ``key``, None where it has none."""
        rows = self._do("SELECT value FROM rows WHERE key = ?", _bytes(key))
        return json.loads(rows[0][0]) if rows else None

    def __contains__(self, key: str) -> bool:
        return bool(self._do("SELECT 1 FROM rows WHERE key = ?", _bytes(key)))

    def __len__(self) -> int:
        return self._length

    def items(self) -> Iterator[tuple[str, V]]:
        """All rows in order. Rows may change meanwhile."""
        rows = self._do("SELECT key, value FROM rows ORDER BY key LIMIT ?", _PAGE)
        while rows:
            for key, value in rows:
                yield bytes(key).decode("utf-8", "surrogatepass"), json.loads(value)
            rows = self._do("SELECT key, value FROM rows WHERE key > ? ORDER BY key LIMIT ?", rows[-1][0], _PAGE)

    def _put(self, order: str, key: str, value: V) -> bool:
        with self._turn:
            put = self._run(f"{order} INTO rows VALUES (?, ?)", _bytes(key), json.dumps(value)).rowcount
            self._length += put if order != "REPLACE" else 0
        return put > 0

    def _do(self, order: str, *values: Any) -> list[Any]:
        with self._turn:
            return self._run(order, *values).fetchall()

    def _run(self, order: str, *values: Any) -> sqlite3.Cursor:
        try:
            return self._database.execute(order, values)
        except sqlite3.Error as error:
            raise OutputError(
                f"the list of what is to do cannot be kept: {error}", hint="SQLITE_TMPDIR names a folder with more room"
            ) from error


def _bytes(key: str) -> bytes:
    """UTF-8, whose bytes have the order of the code points; names of files may hold surrogates."""
    return key.encode("utf-8", "surrogatepass")
