"""How many threads there can be, and how OpenMP's wait for each other."""

from __future__ import annotations

import os

_SPINS = "10000"
"""About a tenth of a millisecond: longer than most waits inside a network, far shorter than a time slice."""


def shorten_spinning() -> None:
    """Let waiting threads sleep soon. To be called before PyTorch is imported; a choice in the environment stands.

    GNU's OpenMP spins for milliseconds at the end of every parallel loop. On a machine of one's own that is as fast as
    this; where another process wants the core that the last thread runs on, every loop waits for the scheduler, and
    training becomes ten times slower.
    """
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", _SPINS)


def usable_cores() -> int:
    """Cores that this process may run on, which in a container are fewer than the machine has."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS and Windows
        return os.cpu_count() or 1
