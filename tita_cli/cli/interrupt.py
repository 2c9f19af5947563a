"""Ctrl-C while threads of native libraries are at work."""

from __future__ import annotations

import atexit
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import typer

from tita_cli.errors import ExitCode


@contextmanager
def abort_if_interrupted() -> Iterator[None]:
    """Let the interrupt be reported, which the parser would end in silence; and do not wait for a network at work."""
    try:
        yield
    except KeyboardInterrupt:
        atexit.register(_leave_threads_behind)
        raise typer.Abort from None


def _leave_threads_behind() -> None:
    """Native threads that compute while the interpreter is taken down abort the process, with a code of their own."""
    pipeline = sys.modules.get("tita_cli.batch.pipeline")
    if pipeline and any(thread.name == pipeline.THREAD_NAME for thread in threading.enumerate()):
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(int(ExitCode.INTERRUPTED))
