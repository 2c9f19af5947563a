"""The result of pairing: groups of images to be fused, and the files left over, each with its reason."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Protocol

from tita_cli.errors import MismatchError
from tita_cli.files import split_page


@dataclass(frozen=True, slots=True)
class Group:
    """Images of one scene, in the order in which they are fused.

    ``name``: of the result, relative to the output folder, with ``/`` between folders and without a suffix, unless a
    manifest gives one. ``reference``: index of the reference source, None where any will do. ``why``: the evidence
    that the images belong together, in words.
    """

    name: str
    sources: tuple[Path, ...]
    why: str
    reference: int | None = None

    def describe(self) -> dict[str, Any]:
        """As JSON; a manifest takes it as a line."""
        return {
            "output": self.name,
            "sources": [str(source) for source in self.sources],
            "reference": None if self.reference is None else self.reference + 1,
            "why": self.why,
        }


NO_IMAGE = "not an image by its suffix"


@dataclass(frozen=True, slots=True)
class Leftover:
    """A file that is in no group."""

    path: Path
    reason: str

    def describe(self) -> dict[str, Any]:
        return {"path": str(self.path), "reason": self.reason}


class Grouping(Protocol):
    """What belongs together: found by a search, as a :class:`Plan`, or listed in a manifest."""

    @property
    def rule(self) -> str:
        """By what it was grouped."""
        ...

    @property
    def groups(self) -> Iterable[Group]:
        """The groups, which may be read as they are asked for."""
        ...

    @property
    def leftovers(self) -> Sequence[Leftover]:
        """What is in no group."""
        ...


@dataclass(frozen=True, slots=True)
class Plan:
    """The result of pairing, sorted by name and path, so that it does not depend on the order of a folder's listing."""

    rule: str
    groups: tuple[Group, ...]
    leftovers: tuple[Leftover, ...] = ()

    @property
    def images(self) -> int:
        """Number of files in the groups."""
        return len({split_page(source)[0] for group in self.groups for source in group.sources})


def make_plan(rule: str, groups: Iterable[Group], leftovers: Iterable[Leftover] = ()) -> Plan:
    """A sorted ``Plan``. Raises MismatchError where two groups have the same name."""
    ordered = sorted(groups, key=lambda group: (group.name, group.sources))
    for first, second in pairwise(ordered):
        if first.name == second.name:
            raise same_name(first, second)
    return Plan(rule, tuple(ordered), tuple(sorted(leftovers, key=lambda leftover: leftover.path)))


def same_name(first: Group, second: Group) -> MismatchError:
    """Two groups of one name."""
    return MismatchError(
        f"two groups have the name {first.name}: {listing(first.sources)}; {listing(second.sources)}",
        hint="choose one rule with `by`, or give the names in a manifest",
    )


def listing(paths: Sequence[Path], most: int = 6) -> str:
    """File names for a message: all of them, or the first ``most``."""
    shown = ", ".join(str(path) for path in paths[:most])
    return shown if len(paths) <= most else f"{shown} and {len(paths) - most} more"
