"""Words by which people name the sources of a pair, in the order A, B of the network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from tita_cli.errors import UsageError

Slot: TypeAlias = tuple[str, ...]

VISIBLE: Slot = ("vis", "visible", "vi", "rgb", "color", "colour")
# Each family distinguishes the sources of one kind of pair; a slot holds the words for one source. Digits are not
# words: they number the images of a stack, which is for the rule ``numbers``.
FAMILIES: tuple[tuple[Slot, ...], ...] = (
    (VISIBLE, ("ir", "infrared", "thermal", "therm", "tir", "lwir", "mwir", "swir", "nir")),
    (VISIBLE, ("po", "polar", "dolp")),
    (("mri", "mr"), ("ct",)),
    (("mri", "mr"), ("pet", "spect")),
    (("over", "overexposed", "oe", "bright"), ("mid", "middle", "normal"), ("under", "underexposed", "ue", "dark")),
    (("far", "background", "bg"), ("near", "foreground", "fg")),
    tuple((letter,) for letter in "abcdefgh"),
)


@dataclass(frozen=True, slots=True)
class Roles:
    """The sources of a group, in order; each is a slot of words, compared without regard to case.

    ``named``: the user gave the words, so that a single letter next to a digit counts too.
    """

    slots: tuple[Slot, ...]
    named: bool = False

    @property
    def names(self) -> str:
        return " + ".join("/".join(slot) for slot in self.slots)

    def find(self, word: str) -> int | None:
        """Which source ``word`` stands for, or None."""
        folded = word.casefold()
        return next((index for index, slot in enumerate(self.slots) if folded in slot), None)


def named_roles(words: Sequence[str]) -> Roles:
    """Roles as the user names them, one word each. Raises UsageError for fewer than two, an empty one, or one twice."""
    folded = [word.casefold() for word in words]
    if len(folded) < 2 or len(set(folded)) < len(folded) or "" in folded:
        raise UsageError(f"`pair` takes two or more different names, not: {', '.join(words)}", hint="`pair` vis,ir")
    return Roles(tuple((word,) for word in folded), named=True)
