"""Defaults of options, from ``tita.toml`` and from the environment, each with where it came from.

The order, strongest first: the command line, ``TITA_COMMAND_OPTION``, ``TITA_OPTION``, ``tita.toml`` in the current
folder, ``tita.toml`` in the user's configuration folder, tita's own default. In a file, ``[command]`` tables go before
the keys outside of them.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from tita_cli.errors import UsageError
from tita_cli.files import read_toml

FILE_NAME = "tita.toml"
PREFIX = "TITA_"
# Variables that are no options.
RESERVED = frozenset({"TITA_DEBUG"})

Options: TypeAlias = Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class Setting:
    """A value as it was written down, and where: text from the environment, any TOML value from a file."""

    value: Any
    origin: str


def config_files() -> list[Path]:
    """Where ``tita.toml`` is looked for, strongest first; they need not exist."""
    from platformdirs import user_config_path

    return [Path(FILE_NAME), user_config_path("tita", appauthor=False) / FILE_NAME]


def find_settings(options: Options, command: str, environ: Mapping[str, str]) -> dict[str, Setting]:
    """What files and environment say about the options of ``command``, by option.

    ``options``: for every command, the names of its options, as on the command line without the dashes. Raises
    InputError for a file that cannot be read, UsageError for one that holds what is no option.
    """
    found: dict[str, Setting] = {}
    for path in config_files():
        table = _read(path, options)
        section = table.get(command)  # an option where a command and an option share a name
        for source in (section if isinstance(section, dict) else {}, table):
            for key, value in source.items():
                if _name(key) in options[command] and not isinstance(value, dict):
                    found.setdefault(_name(key), Setting(value, str(path)))
    for option in options[command]:
        for variable in (variable_name(command, option), variable_name(option)):
            if environ.get(variable):
                found[option] = Setting(environ[variable], variable)
                break
    return found


def unknown_variables(options: Options, environ: Mapping[str, str]) -> Iterator[tuple[str, str | None]]:
    """Variables that begin as ours and mean nothing, each with the one that was perhaps meant."""
    known = set(RESERVED)
    for command, names in options.items():
        known |= {variable for name in names for variable in (variable_name(name), variable_name(command, name))}
    for variable in sorted(environ):
        if variable.startswith(PREFIX) and variable not in known:
            yield variable, next(iter(difflib.get_close_matches(variable, known, 1)), None)


def variable_name(*words: str) -> str:
    """``TITA_BATCH_RETRY_FAILED`` for ``batch`` and ``retry-failed``."""
    return PREFIX + "_".join(words).upper().replace("-", "_")


def _name(key: str) -> str:
    """Files may say ``retry_failed``, too."""
    return key.replace("_", "-")


def _read(path: Path, options: Options) -> dict[str, Any]:
    if not os.path.lexists(path):
        return {}
    table = read_toml(path)
    anywhere = {name for names in options.values() for name in names}
    for key, value in table.items():
        if isinstance(value, dict):
            _expect(key, options, f"{path}: no command is called {key}")
            for inner in value:
                _expect(_name(inner), options[key], f"{path}: tita {key} has no option {inner}")
        else:
            _expect(_name(key), anywhere, f"{path}: no command has an option {key}")
    return table


def _expect(name: str, known: Any, message: str) -> None:
    if name not in known:
        near = difflib.get_close_matches(name, known, 1)
        raise UsageError(
            message, hint=f"did you mean {near[0]}?" if near else "tita config COMMAND lists what may be set"
        )
