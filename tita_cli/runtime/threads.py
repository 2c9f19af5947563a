"""How many threads there can be, how OpenMP's wait for each other, and how they calculate with denormal numbers."""

from __future__ import annotations

import ctypes
import os
import platform
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

_Item = TypeVar("_Item")

_SPINS = "10000"
"""About a tenth of a millisecond: longer than most waits inside a network, far shorter than a time slice."""
_FTZ_DAZ = 1 << 15 | 1 << 6
_MOST_AT_ONCE = 8
_MXCSR = 7
"""Its place in glibc's ``fenv_t`` on x86-64, eight words of 32 bits."""


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


def each(work: Callable[[_Item], object], items: Iterable[_Item], threads: int) -> None:
    """Do ``work`` on every one of ``items``, in ``threads`` at most. For work that releases the interpreter's lock.

    No more than eight are used: each needs memory for what it works on. Raises what ``work`` raises.
    """
    items = list(items)
    threads = min(threads, len(items), _MOST_AT_ONCE)
    if threads < 2:
        for item in items:
            work(item)
        return
    with ThreadPoolExecutor(threads, "tita-each") as pool:
        for _ in pool.map(work, items):
            pass


def flush_denormals() -> None:
    """Let the calling thread take denormal numbers for zero (Linux on x86-64 with glibc; elsewhere nothing happens).

    They tell nothing of an image, and are slow to calculate with on Intel's processors (bench/denormals.py). It is set
    for each of our own threads (MXCSR's bits FTZ and DAZ), since a program that calls tita may need them in its own.
    """
    if sys.platform != "linux" or platform.machine() != "x86_64":
        return
    try:
        libm = ctypes.CDLL("libm.so.6")
    except OSError:
        return  # another C library, whose structure is not known
    environment = (ctypes.c_uint32 * 8)()
    if libm.fegetenv(environment) == 0:
        environment[_MXCSR] |= _FTZ_DAZ
        libm.fesetenv(environment)
