"""How far a fusion is, for whoever waits for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, TypeAlias

Stage: TypeAlias = Literal["read", "align", "look", "decide", "blend", "fuse"]
"""In their order: ``read``, each source is read; ``align``, they are aligned, in one part; ``look``, what the network
sees is made of each; ``decide``, the network; ``blend``, each is added to the picture. Networks for pairs: ``read``,
``align``, then ``fuse`` for each run."""

Progress: TypeAlias = Callable[[Stage, int, int], None]
"""Told the stage, how many of its parts are done, and how many there are. What it raises ends the fusion."""


def silent(stage: Stage, done: int, total: int) -> None:
    """Tells nobody."""
