"""``tita config``: the defaults in force and where each came from; and how they reach the commands."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from typing import Annotated, Any

import typer

from tita_cli import config
from tita_cli.cli.console import envelope, results, say, warn
from tita_cli.cli.expand import Only, argument_choices, expand, is_plain
from tita_cli.errors import TitaError, UsageError
from tita_cli.options import Reporting
from tita_cli.options.flags import on_command_line

OWN_DEFAULT = "default"


def apply_defaults(context: typer.Context) -> None:
    """Make files and environment the defaults of the command that is about to run.

    Raises UsageError for a value that the option does not take, naming where it stands.
    """
    name = context.invoked_subcommand
    commands = _commands(context)
    if name not in commands:
        return
    settings = config.find_settings(_option_names(context), name, os.environ)
    defaults = {}
    for option, setting in settings.items():
        param = commands[name][option]
        _converted(param, setting, context)
        defaults[param.name] = _as_typed(param, setting.value)
    context.default_map = {name: defaults}
    here = sorted(option for option, setting in settings.items() if setting.origin == config.FILE_NAME)
    _origin[:] = [f"defaults of {', '.join(here)} from {config.FILE_NAME} in this folder"] if here else []


_origin: list[str] = []


def tell_origin(*, quiet: bool) -> None:
    """Say, once, which defaults the working folder has set: it may be somebody else's."""
    if _origin and not quiet:
        say(f"tita: {_origin.pop()}")


def _command_names() -> list[str]:
    from tita_cli.cli.main import COMMANDS

    return list(COMMANDS)


@expand
def command(
    context: typer.Context,
    reporting: Annotated[Reporting, Only(("json",))],
    of: Annotated[
        str | None,
        typer.Argument(
            metavar="COMMAND",
            help="Show all options of one command.",
            show_default=False,
            autocompletion=argument_choices(_command_names),
        ),
    ] = None,
) -> None:
    """Show the value of every option, unless the command line says otherwise, and where it comes from.

    Defaults are set in tita.toml, here or in the user's configuration folder, and by variables such as TITA_MODEL or
    TITA_BATCH_WORKERS.
    """  # fmt: skip
    root = context.parent or context
    names = _option_names(root)
    if of is not None and of not in names:
        raise UsageError(f"no command is called {of}", hint=f"one of {', '.join(names)}")
    effective = {name: dict(_effective(root, name)) for name in ([of] if of else names)}
    for variable, near in config.unknown_variables(names, os.environ):
        warn(f"{variable} is no setting of tita" + (f"; did you mean {near}?" if near else ""))
    files = [{"path": str(path.absolute()), "exists": path.is_file()} for path in config.config_files()]
    if reporting.json:
        with results() as stdout:
            stdout.write(envelope("config", {"files": files, "commands": effective}))
        return
    _print(effective, files, everything=of is not None)


def _commands(root: Any) -> dict[str, dict[str, Any]]:
    """The options of every command that files and variables may set, by the name that they have on the command line."""
    found: dict[str, dict[str, Any]] = {}
    for name, each in getattr(root.command, "commands", {}).items():
        declared = getattr(each.callback, "options", {})
        found[name] = {
            max(param.opts, key=len).lstrip("-"): param
            for param in each.params
            if param.name in declared and declared[param.name].config
        }
    return found


def _option_names(root: Any) -> dict[str, list[str]]:
    return {name: list(params) for name, params in _commands(root).items()}


def _as_typed(param: Any, value: Any) -> Any:
    """``value`` as the parser would get it from the command line: text, or a list of text; flags may stay flags."""
    if param.multiple:
        return [str(item) for item in (value if isinstance(value, list) else [value])]
    return value if isinstance(value, bool) else str(value)


def _converted(param: Any, setting: config.Setting, context: Any) -> Any:
    try:
        return param.process_value(context, _as_typed(param, setting.value))
    except Exception as error:
        if not isinstance(error, TitaError) and not hasattr(error, "format_message"):  # not about the value
            raise
        option, reason = max(param.opts, key=len), on_command_line(getattr(error, "message", ""))
        reason = reason.removeprefix(f"{option}: ")
        raise UsageError(f"{setting.origin}: {setting.value!r} does not suit {option}: {reason}") from error


def _effective(root: Any, name: str) -> Iterator[tuple[str, dict[str, Any]]]:
    commands = root.command.commands
    settings = config.find_settings(_option_names(root), name, os.environ)
    for option, param in _commands(root)[name].items():
        if option in settings:
            converted = _converted(param, settings[option], root)
            how = commands[name].callback.options[param.name]
            # As written, where the program counts or measures otherwise than users do.
            value, origin = converted if is_plain(how) else settings[option].value, settings[option].origin
        else:
            value, origin = param.default, OWN_DEFAULT
        yield option, {"value": value, "from": origin}


def _print(effective: dict[str, dict[str, dict[str, Any]]], files: list[dict[str, Any]], *, everything: bool) -> None:
    """A table on stdout: of one command all, else what several commands share and what is set."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    rows: dict[tuple[str, str, str], list[str]] = {}
    shared = Counter(option for known in effective.values() for option in known)
    for name, known in effective.items():
        for option, setting in known.items():
            if everything or shared[option] > 1 or setting["from"] != OWN_DEFAULT:
                value = "–" if setting["value"] is None else str(setting["value"])
                rows.setdefault((option, value, setting["from"]), []).append(name)
    table = Table("option", "value", "from", "commands")
    for (option, value, origin), names in sorted(rows.items()):
        table.add_row(
            Text(option),
            Text(value),
            Text(origin, style="" if origin == OWN_DEFAULT else "green"),
            Text(" ".join(names)),
        )
    console = Console()
    console.print(table)
    for file in files:
        console.print(Text(f"{file['path']}: {'read' if file['exists'] else 'not there'}"), soft_wrap=True)
