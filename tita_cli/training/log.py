"""The log of a run: JSON lines, one record a line, each with its ``event`` and ``step``.

``step`` records hold the means since the one before: ``losses`` {task: {term: value}}, ``famo`` {task: share},
``oaf`` {task: [6 weights]}, ``lr``, ``grad_norm``, ``px_per_s``, ``seconds``. Whoever evaluates checkpoints while the
run goes on may add ``{"event": "dev", "step": …, "metrics": {name: value}}``; the plot shows them.
"""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import torch
from torch import Tensor

from tita_cli.errors import InputError, OutputError

Record: TypeAlias = dict[str, Any]


class Log:
    """Appends records to a file, each line at once."""

    def __init__(self, path: Path, *, after: int | None = None) -> None:
        """``after``: on resuming at this step, what the log says of later ones is dropped; None starts a new log."""
        kept = [] if after is None or not path.exists() else [r for r in read_log(path) if r.get("step", 0) <= after]
        try:
            path.write_text("".join(_line(record) for record in kept), encoding="utf-8")
            self._file = path.open("a", encoding="utf-8")
        except OSError as error:
            raise OutputError(f"{path}: cannot write the log: {error.strerror}") from error

    def write(self, record: Mapping[str, Any]) -> None:
        self._file.write(_line(record))
        self._file.flush()

    def close(self) -> None:
        self._file.close()


def read_log(path: Path) -> list[Record]:
    """The records of a log; a torn last line, left by a machine that went down, is passed over."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot read the log") from error
    records = []
    for number, line in enumerate(lines, start=1):
        try:
            record = json.loads(line)
        except ValueError as error:
            if number == len(lines):
                break
            raise InputError(f"{path}: line {number} is not JSON", hint="give the log.jsonl of a run folder") from error
        if not isinstance(record, dict) or "event" not in record:
            raise InputError(f"{path}: line {number} is no record of a training log")
        records.append(record)
    return records


class Means:
    """Running means of named scalars and vectors, kept where the tensors are, so that a GPU need not wait."""

    def __init__(self) -> None:
        self._sums: dict[tuple[str, ...], Tensor] = {}
        self._counts: dict[tuple[str, ...], int] = defaultdict(int)

    def __bool__(self) -> bool:
        return bool(self._sums)

    def add(self, key: tuple[str, ...], value: Tensor) -> None:
        value = value.detach()
        self._sums[key] = value.clone() if key not in self._sums else self._sums[key] + value
        self._counts[key] += 1

    def vector(self) -> Tensor:
        """All means behind each other, in the order of first mention: to be averaged over processes."""
        return torch.cat([(total / self._counts[key]).reshape(-1).float() for key, total in self._sums.items()])

    def spread(self, vector: Tensor) -> dict[tuple[str, ...], list[float]]:
        """The inverse of :meth:`vector`."""
        sizes = [total.numel() for total in self._sums.values()]
        parts = torch.split(vector.cpu(), sizes)
        return {key: [float(v) for v in part] for key, part in zip(self._sums, parts, strict=True)}


def _line(record: Mapping[str, Any]) -> str:
    return json.dumps(record, ensure_ascii=False, allow_nan=False) + "\n"


def clean(value: Any) -> Any:
    """``value`` as JSON can hold it: NaN and infinity become None, and numbers keep six figures, enough to plot."""
    if isinstance(value, float):
        return float(f"{value:.6g}") if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: clean(item) for key, item in value.items()}
    if isinstance(value, Iterable) and not isinstance(value, str):
        return [clean(item) for item in value]
    return value
