"""Values that are told of single sources: ``1:29375,30063``, ``ir.tif:full``, or of all that they can mean."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import PurePath
from typing import Any, Generic, Literal, TypeAlias, TypeVar, get_args

from tita_cli.options.declaration import OptionError

Value = TypeVar("Value")
Which: TypeAlias = int | str | None
Role: TypeAlias = Literal["infrared", "visible"]

ROLES: tuple[Role, ...] = get_args(Role)


@dataclass(frozen=True, slots=True)
class PerSource(Generic[Value]):
    """What was told of sources, in the order told; of two entries about one source the later one counts.

    ``entries``: which source, and the value. A source is an index from 0; or a name: of a file, with or without its
    folder or suffix, a pattern such as ``*_T.jpg``, or a role; or None: all sources that the value can mean.
    """

    entries: tuple[tuple[Which, Value], ...] = ()

    @classmethod
    def of(cls, given: Any) -> PerSource[Value]:
        """From a value for all, or a mapping from sources to values."""
        if isinstance(given, PerSource):
            return given
        return cls(tuple(given.items()) if isinstance(given, Mapping) else ((None, given),))

    @classmethod
    def reader(cls, read: Callable[[str], Value]) -> Callable[[str], tuple[Which, Value]]:
        """What reads an entry as the command line has it: ``VALUE``, ``N:VALUE`` (from 1) or ``NAME:VALUE``."""

        def entry(text: str) -> tuple[Which, Value]:
            which, colon, value = text.rpartition(":")
            if not colon:
                return None, read(text)
            return int(which) - 1 if which.isdecimal() and int(which) > 0 else which, read(value)

        return entry

    def told(self, field: str, names: Sequence[str]) -> list[Value | None]:
        """The value told of each of the sources with these ``names``; None where nothing was.

        Raises OptionError for an entry of the option ``field`` that is about none of them. Entries about a role that is
        no file's name are left to :meth:`meant`.
        """
        found: list[Value | None] = [None] * len(names)
        for which, value in self.entries:
            if which is None:
                continue
            matching = [
                i for i, name in enumerate(names) if (which == i if isinstance(which, int) else _is(which, name))
            ]
            if not matching and which not in ROLES:
                said = f"source {which + 1}" if isinstance(which, int) else f"source called {which}"
                raise OptionError(f"`{field}`: there is no {said}, there are {len(names)} sources: {', '.join(names)}")
            for index in matching:
                found[index] = value
        return found

    def meant(self, role: Role | None) -> Value | None:
        """What was told of the ``role`` of a source; None for nothing."""
        return next((value for which, value in reversed(self.entries) if which is not None and which == role), None)

    @property
    def general(self) -> Value | None:
        """What was told of no source in particular."""
        return next((value for which, value in reversed(self.entries) if which is None), None)

    @property
    def needs_roles(self) -> bool:
        """Whether it is about a role."""
        return any(which in ROLES for which, _ in self.entries)

    def text(self, write: Callable[[Value], str] = str) -> str:
        """All entries as the command line has them, after one another."""
        written = []
        for which, value in self.entries:
            name = which + 1 if isinstance(which, int) else None if which is None else PurePath(which).name
            written.append(write(value) if name is None else f"{name}:{write(value)}")
        return " ".join(written)

    def plain(self) -> list[list[Any]]:
        """The entries as JSON has them."""
        return [[which, value] for which, value in self.entries]


def _is(which: str, name: str) -> bool:
    path = PurePath(name)
    return which in (name, path.name, path.stem) or fnmatchcase(path.name, which)
