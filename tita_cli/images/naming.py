"""File names as keys to sort by."""

from __future__ import annotations

import re
from typing import TypeAlias

Natural: TypeAlias = tuple[tuple[int, int | str], ...]


def natural(text: str) -> Natural:
    """Sort key by which ``x2`` comes before ``x10``."""
    parts = re.findall(r"[0-9]+|[^0-9]+", text)
    return tuple((0, int(part)) if part[0] in "0123456789" else (1, part) for part in parts)
