"""Messages name options as Python has them, in backquotes; on the command line the flag stands there."""

from __future__ import annotations

import re
from functools import cache

from tita_cli.options import FuseOptions, Reporting, declared, flag_of
from tita_cli.options.batch import Pairing, Resuming, Workers

_OTHERS = {"overwrite": "--force", "output": "--output", "metrics": "--metrics"}
"""What functions take that is no field, or has another name there."""


@cache
def _flags() -> dict[str, str]:
    groups = (FuseOptions, Pairing, Workers, Resuming, Reporting)
    return _OTHERS | {name: flag_of(name, how) for group in groups for name, how in declared(group).items()}


def on_command_line(message: str) -> str:
    """``message`` with flags in place of options in backquotes: ``--range`` for `` `value_range` ``."""
    if "`" not in message:
        return message
    return re.sub(r"`(\w+)`", lambda match: _flags().get(match[1], match[0]), message)
