"""The options that only a batch has: ``tita batch`` and :func:`tita_cli.fuse_batch`."""

from __future__ import annotations

import re
import string
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


NAME_FIELDS = ("name", "folder", "stem", "role")
"""What a template of names may hold."""


def parse_name(text: str) -> str:
    """A template such as ``{folder}/{stem}_fused``. Raises ValueError for what it may not hold."""
    try:
        parts = [part[1:] for part in string.Formatter().parse(text) if part[1] is not None]
    except ValueError as error:
        raise ValueError(f"{text!r} is no template of a name: {error}") from None
    for field, *more in parts:
        if field not in NAME_FIELDS or any(more):
            known = ", ".join(f"{{{name}}}" for name in NAME_FIELDS)
            raise ValueError(f"{text!r}: {{{field}}} is none of {known}")
    if not parts:
        raise ValueError(f"{text!r} has nothing to tell results apart, such as {{stem}}")
    return text


@dataclass(frozen=True, kw_only=True)
class Resuming(Writing):
    """Names of the results, and what becomes of results and failures of earlier runs."""

    name: str | None = option(
        None, "Names of the results, as {folder}/{stem}_{role}: stem and role (visible, infrared) of the reference, "
        "folder and name as they are without this.", metavar="TEMPLATE", parse=parse_name,
        unset="{name}, the sources' path without what tells them apart", decides=False,
    )  # fmt: skip
    retry_failed: bool = option(False, "Try again what failed before.")
    fail_fast: bool = option(False, "Stop at the first failure.")
