"""Write docs/reference/cli.md from the parser itself: python docs/cli_reference.py"""

from __future__ import annotations

import html
import re
from pathlib import Path
from typing import Any

import typer

from tita_cli.cli.main import application

PLACEHOLDERS = {int: "N", float: "X", Path: "PATH"}
TARGET = Path(__file__).parent / "reference" / "cli.md"


def plain(text: str | None) -> str:
    """Help text without rich markup, on one line, safe in a table."""
    text = re.sub(r"\[/?(bold|italic|dim|)\]", "", text or "").replace("\\[", "[")
    return " ".join(text.split()).replace("|", "\\|")


def code(text: str) -> str:
    """Code in a cell of a table, a bar in it as an entity: the site would show the backslash of an escaped one."""
    return f"<code>{html.escape(text).replace('|', '&#124;')}</code>" if "|" in text else f"`{text}`"


def describe(param: Any) -> tuple[str, str]:
    """Name column and meaning column of one parameter."""
    kind = getattr(param, "bare_type", str)
    metavar = "" if getattr(param, "is_flag", False) else f" {param.metavar or PLACEHOLDERS.get(kind, 'TEXT')}"
    names = ", ".join([*param.opts, *getattr(param, "secondary_opts", [])]) if param.param_type_name == "option" else ""
    name = code(f"{names}{metavar}" if names else param.metavar or param.name.upper())
    meaning = plain(getattr(param, "help", ""))
    default = param.default
    if names and default not in (None, False, [], ()) and not callable(default) and "default:" not in meaning:
        meaning += f" Default: {code(str(default))}."
    return name, meaning


def section(name: str, command: Any) -> str:
    """One command: what it does, then its options by panel, in the order of the help."""
    panels: dict[str, list[tuple[str, str]]] = {}
    for param in command.params:
        if not getattr(param, "hidden", False):
            default = "Arguments" if param.param_type_name == "argument" else "Options"
            panels.setdefault(getattr(param, "rich_help_panel", None) or default, []).append(describe(param))
    lines = [f"## tita {name}", "", re.sub(r"\[/?(bold|italic|dim|)\]", "", command.help or "").strip(), ""]
    for panel, rows in panels.items():
        lines += [f"| {panel} | |", "|---|---|", *(f"| {left} | {right} |" for left, right in rows), ""]
    return "\n".join(lines)


def reference() -> str:
    """The whole page."""
    root = typer.main.get_command(application())
    commands: dict[str, Any] = root.commands  # type: ignore[attr-defined]
    head = [
        "# Commands",
        "",
        "Generated from the parser by `python docs/cli_reference.py`; a test keeps it true.",
        "What a command returns: [exit codes](exit-codes.md).",
        "",
    ]
    return "\n".join(head) + "\n" + "\n".join(section(name, command) for name, command in sorted(commands.items()))


if __name__ == "__main__":
    TARGET.write_text(reference(), encoding="utf-8")
