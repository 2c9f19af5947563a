"""What a record of the journal is made of; a journal may come with a folder from anywhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

Record: TypeAlias = dict[str, Any]
Check: TypeAlias = Callable[[Any], bool]

RESULTS = ("done", "failed", "writing")
"""Events that are about one output."""


def _is(*types: type) -> Check:
    return lambda value: isinstance(value, types) and not (isinstance(value, bool) and bool not in types)


def _list_of(check: Check) -> Check:
    return lambda value: isinstance(value, list) and all(map(check, value))


def _dict_of(check: Check) -> Check:
    return lambda value: isinstance(value, dict) and all(map(check, value.values()))


def _shape(checks: Mapping[str, Check], *needed: str) -> Check:
    """An object whose keys, where they are there, are as ``checks`` say, and in which none of ``needed`` lacks."""
    return lambda value: (
        isinstance(value, dict)
        and all(key in value for key in needed)
        and all(check(value[key]) for key, check in checks.items() if key in value)
    )


_TEXT, _NUMBER, _NONE = _is(str), _is(int, float), _is(type(None))
_FILE = _shape({"size": _is(int), "mtime_ns": _is(int), "sha256": _TEXT})
_SOURCE = _shape({"path": _TEXT, "file": lambda value: _NONE(value) or _FILE(value)}, "path")
_PLACEMENT = _shape({"residual_px": lambda value: _NONE(value) or _NUMBER(value)})
_ABOUT = {
    "output": _TEXT,
    "why": _TEXT,
    "sources": _list_of(_SOURCE),
    "reference": _is(int, type(None)),
    "options": _TEXT,
    "model": _TEXT,
    "file": _FILE,
    "error": _shape({"message": _TEXT, "hint": _is(str, type(None)), "code": _is(int)}, "message"),
    "result": _shape(
        {
            "width": _is(int),
            "height": _is(int),
            "weights": _list_of(_list_of(_list_of(_NUMBER))),
            "parts": _list_of(_NUMBER),
            "align": _list_of(_PLACEMENT),
            "notes": _list_of(_TEXT),
            "engine": _is(dict),
        }
    ),
    "seconds": _dict_of(_NUMBER),
}
_CHECKS: Mapping[str, Check] = {
    "run": _is(dict),
    "end": _is(dict),
    "worker": _is(dict),
    "writing": _shape(_ABOUT, "output"),
    "failed": _shape(_ABOUT, "output", "error"),
    "done": _shape(_ABOUT, "output"),
}


def is_record(value: Any) -> bool:
    """Whether ``value`` is a record of a kind that we know, with everything in it of the type that we write."""
    event = value.get("event") if isinstance(value, dict) else None
    return isinstance(event, str) and event in _CHECKS and _CHECKS[event](value)
