"""What the parser of the command line refuses, said as every other error is: what, then what is wrong with it."""

from __future__ import annotations

import difflib
import re
from typing import Any

from tita_cli.cli.arguments import refuse_folders
from tita_cli.errors import InputError

_EXTRA = re.compile(r"Got unexpected extra arguments?(?:\(s\))? \((.*)\)")
_COMMAND = re.compile(r"No such command '?\"?(.*?)'?\"?\.")


def usage_message(error: Any) -> tuple[str, str]:
    """Message and hint for an exception of Typer's, or of the Click that it builds on, which has ``format_message``.

    Recognised by names and attributes: some releases of Typer carry a Click of their own.
    """
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "tita"
    help_hint = f"see {command} --help"
    name = getattr(error, "option_name", None)
    text = str(error.format_message())
    if type(error).__name__ == "MissingParameter" and error.param is not None:
        return _missing(error.param, context, command)
    if type(error).__name__ == "NoSuchOption":
        near = difflib.get_close_matches(str(name), error.possibilities or (), 1, cutoff=0)
        return f"{name}: no such option", f"did you mean {near[0]}? See {command} --help" if near else help_hint
    if type(error).__name__ == "BadOptionUsage":
        return f"{name}: {'takes no value' if 'does not take' in text else 'needs a value'}", help_hint
    if extra := _EXTRA.match(text):
        takes_none = context is not None and all(one.param_type_name == "option" for one in context.command.params)
        reason = f"{command} takes options only" if takes_none else f"more than {command} takes"
        return f"{extra[1]}: {reason}", help_hint
    if unknown := _COMMAND.match(text):
        known = context.command.list_commands(context) if context is not None else ()
        near = difflib.get_close_matches(unknown[1], known, 1)
        return f"{unknown[1]}: no such command", f"did you mean tita {near[0]}?" if near else help_hint
    return text, help_hint


def _missing(param: Any, context: Any, command: str) -> tuple[str, str]:
    help_hint = f"see {command} --help"
    try:
        refuse_folders(context.params.get("sources") or () if context is not None else ())
    except InputError as folder:  # as it would be refused if nothing were missing: another command takes folders
        return folder.message, folder.hint or help_hint
    named = " or ".join(param.opts) if param.param_type_name == "option" else param.metavar
    return f"{command}: {named or param.human_readable_name} is missing", help_hint
