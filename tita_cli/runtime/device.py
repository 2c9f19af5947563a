"""Where a network shall run, as a user asks for it, and which GPUs NVIDIA's driver sees. Light to import."""

from __future__ import annotations

import ctypes
import sys
from dataclasses import dataclass
from typing import NamedTuple

from tita_cli.options import BACKENDS, OptionError, check_choice, parse_device

_LIBRARY = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"


class DeviceRequest(NamedTuple):
    """Where a network shall run. ``provider``: one of ONNX Runtime's, or None for what fits the device."""

    backend: str = "auto"
    device: str = "auto"
    provider: str | None = None

    def check(self) -> None:
        """Raise ``UsageError`` for unknown names, or ones that contradict each other."""
        check_choice("backend", self.backend, BACKENDS)
        parse_device(self.device)
        if self.provider and self.backend == "torch":
            raise OptionError(f"`provider` {self.provider} is for ONNX Runtime", hint="leave out `backend` torch")
        provider = (self.provider or "").lower().removesuffix("executionprovider")
        other = "cuda" if provider == "cpu" else "cpu"
        if provider and self.device.startswith(other):
            raise OptionError(f"`provider` {self.provider} and `device` {self.device} contradict each other")

    @property
    def gpu(self) -> int:
        """Which GPU, from 0."""
        return int(self.device.partition(":")[2] or 0)


@dataclass(frozen=True, slots=True)
class Driver:
    """What the driver says: how many GPUs there are, its CUDA version, and why there are none."""

    gpus: int = 0
    cuda: str = ""
    problem: str = ""


def ask_driver() -> Driver:
    """Load NVIDIA's driver and count the GPUs: PyTorch or a provider would take seconds to say. Never raises."""
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
