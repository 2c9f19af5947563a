"""What a fusion came to, in a line: what was written, how the sources were aligned, what was cropped."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tita_cli.fusion.result import Fusion
    from tita_cli.images import Written


def summary(fusion: Fusion, written: Written) -> str:
    """One line, as ``out.png: 640×480, 8 bits; 1 of 1 aligned to vis.png: affine, 97.4% of the frame kept``."""
    parts = [f"{written.name}: {fusion.picture.size}, {written.depth} bits"]
    failed = [placement.name for placement in fusion.placements if not placement.accepted]
    if not fusion.placements:
        parts.append("not aligned (--align none)")
    elif fusion.alignment is not None:
        parts.append(fusion.alignment)
    elif not failed:
        parts.append("the sources were aligned already")
    if failed:
        parts.append(f"{failed[0] if len(failed) == 1 else f'{len(failed)} sources'} NOT aligned")
    return "; ".join(parts)


def told_once(notes: Iterable[str]) -> list[str]:
    """``notes`` without repetitions: one that differs from an earlier one in its file or numbers only is counted."""
    first: dict[str, str] = {}
    count: dict[str, int] = {}
    for note in dict.fromkeys(notes):
        shape = shape_of(note)
        first.setdefault(shape, note)
        count[shape] = count.get(shape, 0) + 1
    return [
        f"{note} (and {count[shape] - 1} more like it)" if count[shape] > 1 else note for shape, note in first.items()
    ]


def shape_of(note: str) -> str:
    """What ``note`` has in common with notes on other files."""
    return re.sub(r"\d+(\.\d+)?", "#", note.rpartition(": ")[2])
