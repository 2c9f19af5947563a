"""``python -m tita_cli`` and the console script ``tita``."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line and leave with its exit code, also when interrupted while modules are still loading."""
    from tita_cli.cli.interrupt import exit_code, leave, stop_on_signals

    try:
        stop_on_signals()
        from tita_cli.cli.streams import take_streams

        take_streams()
        from tita_cli.cli.main import run

        code = run(sys.argv[1:])
    except KeyboardInterrupt:
        code = exit_code()
    leave(code)


if __name__ == "__main__":
    main()
