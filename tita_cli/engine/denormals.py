"""Denormal numbers, too small for a float32's full precision, count as zero in the engine's own threads.

They tell nothing of a picture, and are slow to calculate with on Intel's processors (bench/denormals.py). Set thread by
thread (MXCSR's FTZ and DAZ bits), since a program that calls tita may need them in its own.
"""

from __future__ import annotations

import ctypes
import platform
import sys

_MXCSR = 7
"""Its place in glibc's ``fenv_t`` on x86-64, eight words of 32 bits."""
_FTZ_DAZ = 1 << 15 | 1 << 6


def flush_denormals() -> None:
    """Let the calling thread take denormal numbers for zero (Linux on x86-64 with glibc; elsewhere nothing happens)."""
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
