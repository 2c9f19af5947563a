"""NVIDIA's driver, asked directly whether there is a GPU: PyTorch or a provider would take seconds to say."""

from __future__ import annotations

import ctypes
import sys
from dataclasses import dataclass

_LIBRARY = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"


@dataclass(frozen=True, slots=True)
class Driver:
    """What the driver says: how many GPUs there are, the CUDA version it can do, and why there are none."""

    gpus: int = 0
    cuda: str = ""
    problem: str = ""


def ask_driver() -> Driver:
    """Load the driver's library and count the GPUs. Never raises."""
    try:
        library = ctypes.CDLL(_LIBRARY)
    except OSError:
        return Driver(problem=f"no CUDA: the NVIDIA driver's {_LIBRARY} cannot be loaded")
    code = library.cuInit(0)
    if code:
        return Driver(problem=f"no CUDA: the NVIDIA driver does not start (cuInit: error {code})")
    version, count = ctypes.c_int(), ctypes.c_int()
    library.cuDriverGetVersion(ctypes.byref(version))
    library.cuDeviceGetCount(ctypes.byref(count))
    cuda = f"{version.value // 1000}.{version.value % 1000 // 10}"
    return Driver(count.value, cuda, "" if count.value else "no CUDA: the NVIDIA driver sees no GPU")
