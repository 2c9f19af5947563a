"""``python -m tita_cli`` and the console script ``tita``."""

from __future__ import annotations

import os
import signal
import sys


def main() -> None:
    """Run the command line and leave with its exit code, also when interrupted while modules are still loading."""
    # Until our own handlers are set, Ctrl-C ends the process in silence, not in a traceback of an import.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from tita_cli.cli.collecting import pause
    from tita_cli.cli.interrupt import exit_code, leave, stop_on_signals

    pause()
    # NumPy's BLAS starts a thread a core as it is imported, and these wait by spinning; no matrix here is large enough.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
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
