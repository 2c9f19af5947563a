"""What an option declares, and the base of the dataclasses whose fields are options. Light to import."""

from __future__ import annotations

import difflib
import inspect
import math
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cache
from numbers import Integral, Real
from types import NoneType, UnionType
from typing import Any, ClassVar, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from tita_cli.errors import UsageError


def check_choice(name: str, value: Any, choices: tuple[Any, ...]) -> None:
    """Raise OptionError if ``value`` of the field ``name`` is none of ``choices``."""
    if value not in choices:
        raise OptionError(f"`{name}`: {_no_choice(value, choices)}")


def _no_choice(value: Any, choices: tuple[Any, ...]) -> str:
    return f"{value!r} is not one of {', '.join(map(str, choices))}"


class OptionError(UsageError):
    """A wrong value, or values that exclude each other."""


@dataclass(frozen=True, slots=True)
class Option:
    """What a field declares beside its type and default.

    ``flag``: its long name on the command line, where that is not the field's. ``parse``: text to value, for types that
    are not plain; raises ValueError with the reason. ``unset``: what None means, for the help. ``aliases``: other
    spellings of choices. ``counts``: numbers of sources, from 1 for users and from 0 in the program.
    ``per_source``: may be told of single sources, see ``PerSource``. ``config``: whether tita.toml and variables
    may set it: not what replaces or names files. ``recorded``: whether the provenance in a picture holds it.
    ``decides``: whether it changes the picture, so that ``tita batch`` fuses again. ``takes``: what a program may give
    where the command line has text.
    """

    help: str
    panel: str
    type: Any = str
    choices: tuple[Any, ...] = ()
    flag: str = ""
    short: str = ""
    metavar: str | None = None
    parse: Callable[[str], Any] | None = None
    minimum: int | None = None
    maximum: int | None = None
    unset: str = ""
    aliases: Mapping[str, Any] = field(default_factory=dict)
    counts: bool = False
    many: bool = False
    per_source: bool = False
    config: bool = True
    recorded: bool = False
    decides: bool = True
    takes: tuple[type, ...] = (str, os.PathLike)

    def read(self, text: str) -> Any:
        """The value that ``text`` stands for, an entry of a ``PerSource`` where it may be told of single sources.

        Raises ValueError with the reason.
        """
        if self.per_source:
            from tita_cli.options.per_source import PerSource

            return PerSource.reader(self._read)(text)
        return self._read(text)

    def checked(self, value: Any) -> Any:
        """``value`` as a program gives it, a number or a switch; raises ValueError where it is none, or out of bounds.

        What has a form of its own for text, such as 2G, may be given as such text.
        """
        if self.type is bool and value not in (True, False):
            raise ValueError(f"{value!r} is neither True nor False")
        if self.type is str and self.parse is None and not isinstance(value, self.takes):
            raise ValueError(f"{value!r} is no text")
        if self.type not in (int, float):
            return value
        if self.parse is not None:
            return self.parse(str(value)) if isinstance(value, (str, int, float)) else value
        if isinstance(value, bool) or not isinstance(value, Integral if self.type is int else Real):
            raise ValueError(f"{value!r} is not a {_kind(self.type)}")
        _check_bounds(self.type(value), self.minimum, self.maximum)
        return value

    def _read(self, text: str) -> Any:
        if self.parse is not None:
            return self.parse(text)
        if self.choices:
            known = {str(choice): choice for choice in self.choices} | dict(self.aliases)
            written = text if text in known else text.lower()
            if written not in known:
                raise ValueError(_no_choice(text, self.choices))
            return known[written]
        if self.counts:
            return source_number(text)
        if self.type not in (int, float):
            return self.type(text)
        value = _number(text, self.type)
        _check_bounds(value, self.minimum, self.maximum)
        return value


def option(default: Any, help: str, **how: Any) -> Any:
    """A field of an options class: its default, and what :class:`Option` has."""
    return field(default=default, metadata={"option": (help, how)})


def _declared(group: Any) -> Mapping[str, Option]:
    """The options of an options class by field, in the order of declaration."""
    hints = get_type_hints(group)
    found = {}
    for each in fields(group):
        text, how = each.metadata["option"]
        owner = next(base for base in group.__mro__ if each.name in inspect.get_annotations(base))
        found[each.name] = Option(text, owner.PANEL, **{**_of_type(hints[each.name]), "flag": each.name, **how})
    return found


declared: Callable[[Any], Mapping[str, Option]] = cache(_declared)


def _of_type(hint: Any) -> dict[str, Any]:
    """Type, choices and multiplicity from a type hint; None aside."""
    if get_origin(hint) in (Union, UnionType):
        (hint, *others) = (one for one in get_args(hint) if one is not NoneType)
        if others:
            return {"takes": tuple(get_origin(one) or one for one in (hint, *others))}
    if get_origin(hint) is Literal:
        return {"choices": get_args(hint)}
    if get_origin(hint) is tuple:
        return {"type": get_args(hint)[0], "many": True}
    return {"type": hint}


def _number(text: str, kind: type[int] | type[float]) -> int | float:
    """Raises ValueError."""
    try:
        value = kind(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ValueError(f"{text!r} is not a {_kind(kind)}")
    return value


def _kind(kind: type[int] | type[float]) -> str:
    return "whole number" if kind is int else "number"


def _check_bounds(value: float, minimum: int | None, maximum: int | None) -> None:
    """Raise ValueError for a number below ``minimum`` or above ``maximum``."""
    if minimum is not None and value < minimum:
        raise ValueError(f"{value} is too small, {minimum} is the least")
    if maximum is not None and value > maximum:
        raise ValueError(f"{value} is too large, {maximum} is the most")


def source_number(text: str) -> int:
    """Users count sources from 1."""
    if not text.isdecimal() or int(text) < 1:
        raise ValueError(f"{text!r} is not the number of a source, counted from 1")
    return int(text) - 1


def flag_of(name: str, how: Option) -> str:
    """``--max-pixels`` for the field ``max_pixels``."""
    return "--" + (how.flag or name).replace("_", "-")


_groups: list[type[Group]] = []


def option_classes() -> tuple[type[Group], ...]:
    """Those of the modules that were imported: what commands share, and the own ones of a command that runs."""
    return tuple(_groups)


Changed = TypeVar("Changed", bound="Group")


class Group:
    """A base of options classes, which checks choices and names."""

    PANEL: ClassVar[str] = "Options"

    def __init_subclass__(cls) -> None:
        _groups.append(cls)

    def __post_init__(self) -> None:
        for name, how in declared(type(self)).items():
            value = getattr(self, name)
            if how.per_source:
                from tita_cli.options.per_source import PerSource

                told: PerSource[Any] = PerSource.of(value)
                if how.parse is not None:
                    read = ((which, how.parse(one) if isinstance(one, str) else one) for which, one in told.entries)
                    told = PerSource(tuple(read))
                object.__setattr__(self, name, told)  # a plain value or a mapping is as good
                for _, one in told.entries if how.choices else ():
                    check_choice(name, one, how.choices)
            elif how.choices and value is not None:
                check_choice(name, value, how.choices)
            elif value is not None and not how.many:
                try:
                    object.__setattr__(self, name, how.checked(value))
                except OptionError:
                    raise
                except ValueError as error:
                    raise OptionError(f"`{name}`: {error}") from error

    def changed(self: Changed, **changes: Any) -> Changed:
        """A copy with other values. Raises OptionError for a name that is no option, or a value that is no choice."""
        known = declared(type(self))
        for name in changes:
            if name not in known:
                near = difflib.get_close_matches(name, known, 1)
                raise OptionError(f"no option is called {name}", hint=f"did you mean {near[0]}?" if near else None)
        return replace(self, **changes)  # type: ignore[type-var]

    def values(self, *, only: Callable[[Option], bool] = lambda how: True) -> dict[str, Any]:
        """Values by field, of the options that ``only`` accepts."""
        return {name: getattr(self, name) for name, how in declared(type(self)).items() if only(how)}
