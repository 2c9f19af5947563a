"""Local copies of files at addresses, in a folder of this process."""

from __future__ import annotations

import secrets
import tempfile
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from tita_cli.files.address import Address

_FRESH = 10.0  # seconds for which a fetched file is taken as it was, without asking again


class Cache:
    """Local copies of what was fetched or stored, the last used ones up to a number of bytes."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._fetching: dict[str, threading.Lock] = {}
        self._files: OrderedDict[str, tuple[Path, int, float]] = OrderedDict()
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    def new_name(self) -> Path:
        """Where a file may be written that nobody else knows of."""
        with self._lock:
            if self._folder is None:
                self._folder = tempfile.TemporaryDirectory(prefix="tita-", ignore_cleanup_errors=True)
            return Path(self._folder.name, secrets.token_hex(8))

    def get(self, address: Address, download: Callable[[Path], None]) -> Path:
        """A copy of ``address``, by ``download`` to the path it gets where there is no fresh one."""
        name = str(address)
        with self._lock:
            turn = self._fetching.setdefault(name, threading.Lock())
        with turn:
            found = self._files.get(name)
            if found is not None and time.monotonic() - found[2] < _FRESH and found[0].exists():
                self._files.move_to_end(name)
                return found[0]
            local = self.new_name()
            try:
                download(local)
            except BaseException:
                local.unlink(missing_ok=True)
                raise
            self.keep(address, local)
            return local

    def keep(self, address: Address, local: Path) -> None:
        """Take ``local`` in as the content of ``address``, and remove what was used longest ago."""
        with self._lock:
            before = self._files.pop(str(address), None)
            gone = [before] if before is not None else []
            self._files[str(address)] = (local, local.stat().st_size, time.monotonic())
            while sum(size for _, size, _ in self._files.values()) > self._most and len(self._files) > 1:
                name, oldest = self._files.popitem(last=False)
                self._fetching.pop(name, None)
                gone.append(oldest)
        for path, _, _ in gone:
            with suppress(OSError):  # somebody still reads it, where that keeps a file
                path.unlink()
