"""What a journal says of each result, found without holding the journal."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

from tita_cli.batch.disk_table import DiskTable
from tita_cli.batch.record import RESULTS, Record, is_record
from tita_cli.errors import InputError, OutputError
from tita_cli.files import open_input, parse_json

_LONGEST = 1 << 26
"""Bytes of a record; a longer line is none."""


class History:
    """The content of a journal, of which only the places of its records are kept, on the disk where they are many.

    ``run``: header of the last run, None before the first; ``runs``: their number. ``damaged``: number of lines that
    are not records; a killed run may leave one.
    """

    def __init__(self, path: Path | None = None) -> None:
        """``path``: the journal; None, or a file that is not there, for an empty one. Raises OutputError."""
        self.run: Record | None = None
        self.runs = self.damaged = 0
        self._path, self._end = path, 0
        self._file: BinaryIO | None = None
        self._open = ExitStack()
        # By result: where its last record is, and the last one that tells that its file was written or begun, or -1.
        self._places: DiskTable[tuple[int, int]] = DiskTable()
        self.read_on()

    def read_on(self) -> None:
        """Read what has been added to the journal. Raises OutputError if it cannot be read."""
        file = self._opened()
        if file is None:
            return
        file.seek(self._end)
        while line := self._line(file):
            if line.strip():
                self._take(_record(line), self._end)
            self._end += len(line)

    def last(self, output: str) -> Record | None:
        """The last record of a result: ``done``, ``failed``, or ``writing`` if a run ended in between."""
        places = self._places.get(output)
        return None if places is None else self._at(places[0])

    def written(self, output: str) -> Record | None:
        """Its last ``done`` or ``writing``, which shows whether the batch wrote the file there."""
        places = self._places.get(output)
        return None if places is None or places[1] < 0 else self._at(places[1])

    def __iter__(self) -> Iterator[tuple[str, Record]]:
        """Every result and its last record, in order."""
        for output, (place, _) in self._places.items():
            yield output, self._at(place)

    def __len__(self) -> int:
        return len(self._places)

    def _take(self, record: Record | None, place: int) -> None:
        if record is None:
            self.damaged += 1
        elif record["event"] == "run":
            self.run, self.runs = record, self.runs + 1
        elif record["event"] in RESULTS:
            output = record["output"]
            written = place if record["event"] != "failed" else (self._places.get(output) or (0, -1))[1]
            self._places[output] = (place, written)

    def _at(self, place: int) -> Record:
        file = self._opened()
        if file is not None:
            file.seek(place)
            record = _record(self._line(file))
            if record is not None and record["event"] in RESULTS:
                return record
        raise OutputError(f"{self._path}: was changed while it was in use (the journal)")

    def _opened(self) -> BinaryIO | None:
        if self._file is None and self._path is not None and os.path.lexists(self._path):
            try:
                self._file = self._open.enter_context(open_input(self._path))
            except InputError as error:
                raise OutputError(f"{error.message} (the journal)", hint=error.hint) from error
        return self._file

    def _line(self, file: BinaryIO) -> bytes:
        """The line that begins here, with its end. Of one that is too long, so much, and the rest follows as others."""
        try:
            return file.readline(_LONGEST)
        except OSError as error:
            raise OutputError(f"{self._path}: cannot be read: {error.strerror} (the journal)") from error


def _record(line: bytes) -> Record | None:
    try:
        record = parse_json(line)
    except ValueError:
        return None
    return record if is_record(record) else None
