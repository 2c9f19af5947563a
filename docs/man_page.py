"""Write docs/tita.1, the manual page, from the parser itself: python docs/man_page.py"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import typer

from tita_cli import __version__
from tita_cli.cli.main import application
from tita_cli.errors import ExitCode

TARGET = Path(__file__).parent / "tita.1"


def roff(text: str | None) -> str:
    """Help text without rich markup, with roff's own characters escaped."""
    plain = re.sub(r"\[/?(bold|italic|dim|)\]", "", text or "").replace("\\[", "[")
    plain = " ".join(plain.split()).replace("\\", "\\e").replace("-", "\\-")
    return re.sub(r"^([.'])", r"\\&\1", plain)


def entry(param: Any) -> list[str]:
    """One argument or option."""
    is_option = param.param_type_name == "option"
    names = ", ".join([*param.opts, *getattr(param, "secondary_opts", [])]) if is_option else ""
    value = (
        "" if getattr(param, "is_flag", False) else (param.metavar or ("VALUE" if is_option else param.name.upper()))
    )
    shown = f"\\fB{roff(names)}\\fR" + (f" \\fI{roff(value)}\\fR" if value else "")
    return [".TP", shown.strip(), roff(getattr(param, "help", ""))]


def section(name: str, command: Any) -> list[str]:
    """One command."""
    lines = [f'.SH "TITA {name.upper()}"']
    for paragraph in (command.help or "").split("\n\n"):
        lines += [roff(paragraph), ".PP"]
    for param in command.params:
        if not getattr(param, "hidden", False):
            lines += entry(param)
    return lines


def page() -> str:
    """The whole manual page."""
    root = typer.main.get_command(application())
    commands: dict[str, Any] = root.commands  # type: ignore[attr-defined]
    lines = [
        '.\\" Made by docs/man_page.py',
        f'.TH TITA 1 "" "tita {__version__}"',
        ".SH NAME",
        "tita \\- fuse images of one scene into one picture",
        ".SH SYNOPSIS",
        "\\fBtita\\fR \\fICOMMAND\\fR [\\fIOPTIONS\\fR] \\fIARGUMENTS\\fR",
        ".SH DESCRIPTION",
        roff(root.help),
    ]
    for name, command in commands.items():
        lines += section(name, command)
    lines += [".SH EXIT STATUS"]
    for code in ExitCode:
        lines += [".TP", f"\\fB{int(code)}\\fR", roff(code.name.replace("_", " ").lower())]
    lines += [
        ".SH FILES",
        ".TP",
        "\\fItita.toml\\fR",
        "Defaults of options, in the folder or the user's configuration.",
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    TARGET.write_text(page(), encoding="utf-8")
