"""The application: its commands, and the one place where errors become a line on stderr and an exit code."""

from __future__ import annotations

import functools
import importlib
import inspect
import logging
import os
import sys
import warnings
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import typer

from tita_cli import __version__
from tita_cli import config as settings
from tita_cli.cli import config
from tita_cli.cli.arguments import readable
from tita_cli.cli.collecting import go_on
from tita_cli.cli.console import complain
from tita_cli.cli.interrupt import abort_if_interrupted, exit_code, reason, was_interrupted
from tita_cli.cli.usage import refuse_single_hyphens, usage_message
from tita_cli.errors import ExitCode, ReaderGoneError, explained

HELP = "Fuse images of one scene into one picture: infrared + visible, exposure brackets, focus stacks, and more."
COMMANDS = {
    "fuse": "fuse",
    "demo": "demo",
    "batch": "batch",
    "video": "video",
    "watch": "watch",
    "align": "align",
    "calibrate": "calibrate",
    "report": "report",
    "convert": "convert",
    "export": "export",
    "models": "models",
    "doctor": "doctor",
    "eval": "evaluate",
    "show": "show",
    "train": "train",
    "config": "config",
}
"""Names of the commands, in the order of the help, and the modules of ``tita_cli.cli`` that they are in."""


def application(*names: str) -> typer.Typer:
    """The application with the commands ``names``, or all. Importing and describing all takes longer than to fuse a
    small pair."""
    app = typer.Typer(
        name="tita",
        help=HELP,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode="rich",
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_root)
    for name in names or COMMANDS:
        _add(app, name, importlib.import_module(f"tita_cli.cli.{COMMANDS[name]}").command)
    return app


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"tita {__version__}")
        raise typer.Exit


def _root(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Options before the command."""
    config.apply_defaults(context)


def _add(app: typer.Typer, name: str, command: Callable[..., Any]) -> None:
    """Register a command; its docstring's paragraphs flow, instead of breaking where the source breaks."""

    @functools.wraps(command)
    def interruptible(**options: Any) -> Any:
        with abort_if_interrupted():
            config.tell_origin(quiet=bool(options.get("quiet")))
            if name != "fuse":  # which does so once its own modules are there
                go_on()
            return command(**options)

    text = inspect.getdoc(command) or ""
    app.command(name, help="\n\n".join(" ".join(part.split()) for part in text.split("\n\n")))(interruptible)


def _needed(argv: Sequence[str]) -> tuple[str, ...]:
    """The command that ``argv`` runs; all where it is not plain, or where files name options of any command."""
    alone = bool(argv) and argv[0] in COMMANDS and argv[0] != "config"
    return (argv[0],) if alone and not any(map(os.path.lexists, settings.config_files())) else ()


def run(argv: Sequence[str]) -> int:
    """Run the command line ``argv`` (without the program's name) and return the exit code.

    A failure prints one line that says what is wrong, and one with the way out where there is one. ``TITA_DEBUG=1``
    adds the traceback.
    """
    _silence_libraries()
    try:
        # Not standalone: usage errors reach us as exceptions, so that they too are one line.
        app = application(*_needed(argv))
        refuse_single_hyphens(argv)
        code = app(args=readable(argv), prog_name="tita", standalone_mode=False)
        sys.stdout.flush()
    except (KeyboardInterrupt, typer.Abort):
        complain(reason())
        return exit_code()
    except ReaderGoneError:
        return int(ExitCode.UNWRITABLE_OUTPUT)
    except Exception as error:
        return _tell(error, argv)
    return int(code) if isinstance(code, int) else 0


def _tell(error: Exception, argv: Sequence[str]) -> int:
    """Say what is wrong, and return the exit code."""
    explain = getattr(error, "format_message", None)  # typer's usage errors, whichever click it carries
    if explain is not None:
        if type(error).__name__ == "NoArgsIsHelpError":  # a bare `tita`: the whole help is its message
            typer.echo(str(explain()), err=True)
        else:
            message, hint = usage_message(error, argv)
            complain(message, hint=hint)
        return int(getattr(error, "exit_code", ExitCode.USAGE))
    _traceback_if_asked()
    known = explained(error)
    if known is None and was_interrupted():  # an interrupt can come between a lock of a library and its release
        complain(reason())
        return exit_code()
    if known is None:
        complain(f"internal error: {type(error).__name__}: {error}", hint="TITA_DEBUG=1 shows where; please report it")
        return int(ExitCode.INTERNAL)
    complain(known.message, hint=known.hint)
    return int(known.exit_code)


def _silence_libraries() -> None:
    """Decoders log and warn about every oddity of a file; what matters of it, tita says itself, in one line."""
    if not os.environ.get("TITA_DEBUG"):
        logging.getLogger().addHandler(logging.NullHandler())
        warnings.simplefilter("ignore")


def _traceback_if_asked() -> None:
    if os.environ.get("TITA_DEBUG"):
        import traceback

        traceback.print_exc()
