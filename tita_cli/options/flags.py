"""Messages name options as Python has them, in backquotes; on the command line the flag stands there."""

from __future__ import annotations

import re

from tita_cli.options.declaration import declared, flag_of, option_classes

_OTHERS = {"overwrite": "--force", "output": "--output", "metrics": "--metrics"}
"""What functions take that is no field, or has another name there."""


def flags() -> dict[str, str]:
    """Of every option that a class declares: a command's own classes count where its module was imported."""
    return _OTHERS | {name: flag_of(name, how) for group in option_classes() for name, how in declared(group).items()}


def on_command_line(message: str) -> str:
    """``message`` with flags in place of options in backquotes: ``--range`` for `` `value_range` ``."""
    if "`" not in message:
        return message
    known = flags()
    return re.sub(r"`(\w+)`", lambda match: known.get(match[1], match[0]), message)
