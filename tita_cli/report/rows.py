"""Rows of a report, from the journal of a batch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tita_cli.batch import History, Record
from tita_cli.files import path_of
from tita_cli.options.flags import on_command_line


@dataclass(frozen=True, slots=True)
class Row:
    """One result, written or failed. ``sources``, ``target``: paths of the files at that time."""

    output: str
    state: str
    sources: tuple[Path, ...]
    target: Path
    record: Record

    def describe(self) -> dict[str, Any]:
        """The data of the page apart from pictures and metrics."""
        result = self.record.get("result") or {}
        seconds = self.record.get("seconds") or {}
        return {
            "name": self.output,
            "state": self.state,
            "why": self.record.get("why", ""),
            "sources": [str(source) for source in self.sources],
            "reference": self.record.get("reference", 1),
            "size": f"{result['width']} × {result['height']}" if {"width", "height"} <= result.keys() else "",
            "depth": result.get("depth"),
            "weights": result.get("weights") or [],
            "parts": result.get("parts") or [],
            "residual": _residual(result),
            "align": result.get("align") or [],
            "seconds": round(sum(seconds.values()), 3) if seconds else None,
            "stages": seconds,
            "notes": [on_command_line(note) for note in result.get("notes") or ()],
            "engine": result.get("engine") or {},
            "error": _told(self.record.get("error")),
        }


def _told(error: Record | None) -> Record | None:
    """Message and hint with flags: most readers of the page ran the command."""
    return error and {key: on_command_line(text) if isinstance(text, str) else text for key, text in error.items()}


def make_rows(history: History, folder: Path) -> Iterator[Row]:
    """A row for every output in the journal; a killed run leaves some unfinished."""
    states = {"done": "fused", "failed": "failed", "writing": "unfinished"}
    for output, record in history:
        sources = tuple(path_of(source["path"]) for source in record.get("sources") or ())
        yield Row(output, states[record["event"]], sources, folder / output, record)


def _residual(result: Record) -> float | None:
    """The largest residual of the alignment, in pixels; None where a source was not aligned."""
    placed = result.get("align") or ()
    if not all(source.get("accepted", True) for source in placed):
        return None
    return max((float(s["residual_px"]) for s in placed if s.get("residual_px") is not None), default=None)
