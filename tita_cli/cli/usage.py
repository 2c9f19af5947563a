"""What the parser of the command line refuses, said as every other error is: what, then what is wrong with it."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tita_cli.cli.arguments import PICTURE, refuse_folders
from tita_cli.errors import InputError, UsageError
from tita_cli.files import is_address
from tita_cli.options.flags import flags

_EXTRA = re.compile(r"Got unexpected extra arguments?(?:\(s\))? \((.*)\)")
_COMMAND = re.compile(r"No such command (['\"]?)(.*?)\1\.(?: |$)")

_NO_KIND = "there is none to choose: tita finds out what the pictures are"
_ANY_ORDER = "tita fuse A B -o OUT takes pictures in any order; --role 2:infrared says which is which"
_INSTEAD = {
    **dict.fromkeys(("task", "mode", "type", "kind", "method", "fusion"), _NO_KIND),
    **dict.fromkeys(("ir", "infrared", "thermal", "vis", "visible", "vi", "rgb", "input", "i"), _ANY_ORDER),
    **dict.fromkeys(("gpu", "cuda", "g"), "--device cuda"),
    "cpu": "--device cpu",
    "no-align": "--align none",
    **dict.fromkeys(("overwrite", "y", "yes"), "--force"),
}
"""What people try who know other programs."""


def refuse_single_hyphens(argv: Sequence[str]) -> None:
    """Raise UsageError for ``-output``, which would be ``-o utput``."""
    typed = argv[: argv.index("--")] if "--" in argv else argv
    single = [each for each in typed if len(each) > 2 and each[0] == "-" != each[1]]
    known = {*flags().values(), "--help", "--version"} if single else set()
    for each in single:
        if f"-{each}".partition("=")[0] in known:
            raise UsageError(f"{each}: no such option", hint=f"did you mean -{each}?")


def usage_message(error: Any, argv: Sequence[str] = ()) -> tuple[str, str]:
    """Message and hint for an exception of Typer's, or of the Click that it builds on, which has ``format_message``.

    Recognised by names and attributes: some releases of Typer carry a Click of their own. ``argv``: what was typed.
    """
    context = getattr(error, "ctx", None)
    # The parser's own exceptions know of no command.
    command = context.command_path if context is not None else " ".join(["tita", *argv[:1]])
    help_hint = f"see {command} --help"
    name = getattr(error, "option_name", None)
    text = str(error.format_message())
    if type(error).__name__ == "MissingParameter" and error.param is not None:
        return _missing(error.param, context, command)
    if type(error).__name__ == "NoSuchOption":
        return f"{name}: no such option", _instead(str(name), error.possibilities or ()) or help_hint
    if type(error).__name__ == "BadOptionUsage":
        return f"{name}: {'takes no value' if 'does not take' in text else 'needs a value'}", help_hint
    if extra := _EXTRA.match(text):
        takes_none = context is not None and all(one.param_type_name == "option" for one in context.command.params)
        reason = f"{command} takes options only" if takes_none else f"more than {command} takes"
        return f"{extra[1]}: {reason}", help_hint
    if unknown := _COMMAND.match(text):
        known = context.command.list_commands(context) if context is not None else ()
        return f"{unknown[2]}: no such command", _command_for(unknown[2], known, context) or help_hint
    return text, help_hint


def _instead(option: str, possibilities: Sequence[str]) -> str | None:
    typed = option.lstrip("-")
    if typed in _INSTEAD:
        return _INSTEAD[typed]
    near = difflib.get_close_matches(typed, [one.lstrip("-") for one in possibilities], 1)
    return f"did you mean --{near[0]}?" if near else None


def _command_for(word: str, commands: Sequence[str], context: Any) -> str | None:
    """The command that was meant: where a picture or a folder stands first, it was left out."""
    if Path(word).is_dir():
        return f"tita batch {word} fuses what belongs together in a folder"
    if Path(word).is_file() or is_address(word) or PICTURE.search(word):
        return f"tita fuse {word} … -o OUT"
    options = [name for param in context.command.params for name in param.opts] if context is not None else []
    if f"--{word}" in options:
        return f"did you mean tita --{word}?"
    near = difflib.get_close_matches(word, commands, 1)
    return f"did you mean tita {near[0]}?" if near else None


def _missing(param: Any, context: Any, command: str) -> tuple[str, str]:
    hint = f"see {command} --help"
    sources = list((context.params.get("sources") or ()) if context is not None else ())
    try:
        refuse_folders(sources)
    except InputError as folder:  # as it would be refused if nothing were missing: another command takes folders
        return folder.message, folder.hint or hint
    if param.name == "output" and len(sources) > 1 and PICTURE.search(sources[-1]) and not Path(sources[-1]).exists():
        hint = f"did you mean -o {sources[-1]}?"
    named = " or ".join(param.opts) if param.param_type_name == "option" else param.metavar
    return f"{command}: {named or param.human_readable_name} is missing", hint
