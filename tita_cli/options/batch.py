"""The options that only a batch has: ``tita batch`` and :func:`tita_cli.fuse_batch`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar, Literal, TypeAlias

from tita_cli.options import Group, Network, Writing, option

Rule: TypeAlias = Literal["folders", "names", "lenses", "pages", "exposure", "numbers", "burst", "scenes"]
"""How images belong together."""


@dataclass(frozen=True, kw_only=True)
class Pairing(Group):
    """Which images belong together."""

    PANEL: ClassVar[str] = "Pairing"

    by: Rule | None = option(None, "How images belong together.", unset="found out; an error where there is no telling")
    pair: tuple[str, ...] = option(
        (), "Words, in folder or file names, that tell the sources apart, in their order: --pair vis,ir.",
        metavar="WORD,WORD[,…]",
    )  # fmt: skip
    stack: int | None = option(None, "Images in every stack.", minimum=2, metavar="N")
    gap: float = option(2.0, "Longest pause in a burst, seconds.", minimum=0, metavar="S")
    dry_run: bool = option(False, "Show what would be done; touch nothing.", short="n", config=False)


@dataclass(frozen=True, kw_only=True)
class Workers(Network):
    """Networks side by side."""

    workers: int | None = option(
        None, "Networks that run side by side.", minimum=1, metavar="N", unset="by cores, memory and device"
    )


def parse_on(text: str) -> str:
    """``ray``, or ``ray://HEAD:PORT``. Raises ValueError."""
    if text != "ray" and not re.fullmatch(r"ray://[^\s/]+:\d+", text):
        raise ValueError(f"{text!r} is neither ray nor ray://HEAD:PORT")
    return text


@dataclass(frozen=True, kw_only=True)
class Machines(Workers):
    """Where the networks run."""

    on: str | None = option(
        None, "Fuse on a Ray cluster: ray is the one that this machine belongs to, or one of its own.",
        metavar="ray|ray://HEAD:PORT", parse=parse_on, unset="this machine", decides=False,
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Resuming(Writing):
    """What becomes of results and failures of earlier runs."""

    retry_failed: bool = option(False, "Try again what failed before.")
    fail_fast: bool = option(False, "Stop at the first failure.")
