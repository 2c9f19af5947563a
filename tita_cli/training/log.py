"""The log of a run: JSON lines, one record per line, each with its ``event`` and ``step``.

``step`` records hold means since the previous one: ``losses`` {task: {term: value}}, ``famo`` {task: share},
``oaf`` {task: [6 weights, 3 for sets]}, ``lr``, ``grad_norm``, ``px_per_s`` (of all sources), ``seconds``. A script
that evaluates checkpoints during the run may append ``{"event": "dev", "step": …, "metrics": {name: value}}``; the plot
shows them.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

from tita_cli.errors import InputError, OutputError
from tita_cli.files import parse_json, read_input

Record: TypeAlias = dict[str, Any]
_MAX_BYTES = 1 << 30
_MOST_STEPS = 1e15


class Log:
    """Appends records to a file and flushes each line."""

    def __init__(self, path: Path, *, after: int | None = None) -> None:
        """``after``: when resuming at this step, records of later steps are dropped; None starts a new log."""
        kept = [] if after is None or not path.exists() else [r for r in read_log(path) if r.get("step", 0) <= after]
        try:
            path.write_text("".join(_line(record) for record in kept), encoding="utf-8")
            self._file = path.open("a", encoding="utf-8")
        except OSError as error:
            raise OutputError(f"{path}: cannot write the log: {error.strerror}") from error

    def write(self, record: Mapping[str, Any]) -> None:
        try:
            self._file.write(_line(record))
            self._file.flush()
        except OSError as error:
            raise OutputError(f"{self._file.name}: cannot write the log: {error.strerror}") from error

    def close(self) -> None:
        self._file.close()


def read_log(path: Path) -> list[Record]:
    """The records of a log. An incomplete last line, as a crash leaves it, is ignored."""
    lines = read_input(path, max_bytes=_MAX_BYTES).decode(errors="replace").splitlines()
    records = []
    for number, line in enumerate(lines, start=1):
        try:
            record = parse_json(line)
        except ValueError as error:
            if number == len(lines):
                break
            raise InputError(f"{path}: line {number} is not JSON", hint="give the log.jsonl of a run folder") from error
        if not (isinstance(record, dict) and isinstance(record.get("event"), str) and _is_step(record.get("step", 0))):
            raise InputError(f"{path}: line {number} is not a record of a training log")
        records.append(record)
    return records


def _is_step(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < _MOST_STEPS


def _line(record: Mapping[str, Any]) -> str:
    return json.dumps(record, ensure_ascii=False, allow_nan=False) + "\n"


def clean(value: Any) -> Any:
    """``value`` for JSON: NaN and infinity become None, floats keep six significant digits."""
    if isinstance(value, float):
        return float(f"{value:.6g}") if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: clean(item) for key, item in value.items()}
    if isinstance(value, Iterable) and not isinstance(value, str):
        return [clean(item) for item in value]
    return value
