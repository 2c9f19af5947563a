"""The PyTorch back end."""

from __future__ import annotations

from pathlib import Path

import torch

from tita_cli.engine.blocked import Blocked
from tita_cli.engine.geometry import Geometry
from tita_cli.engine.memory import raise_malloc_thresholds
from tita_cli.engine.tiles import Halves
from tita_cli.engine.torch_halves import TorchHalves
from tita_cli.engine.torch_kernels import TorchKernels
from tita_cli.engine.wish import Precision
from tita_cli.errors import DeviceError
from tita_cli.network.bf16 import has_bf16
from tita_cli.network.checkpoint import load_network


def select_device(wanted: str) -> torch.device:
    """The device for ``auto``, ``cpu``, ``cuda`` or ``cuda:N``. Raises ``DeviceError`` with the reason."""
    if wanted == "cpu" or (wanted == "auto" and not torch.cuda.is_available()):
        return torch.device("cpu")
    if not torch.cuda.is_available():
        built = torch.version.cuda
        why = (
            "PyTorch was built without CUDA"
            if built is None
            else f"PyTorch (CUDA {built}) finds no usable GPU or driver"
        )
        raise DeviceError(f"--device {wanted}: {why}", hint="tita doctor tells more; --device cpu works everywhere")
    device = torch.device("cuda" if wanted == "auto" else wanted)
    if (device.index or 0) >= torch.cuda.device_count():
        raise DeviceError(f"--device {wanted}: there are {torch.cuda.device_count()} GPUs, counted from 0")
    return device


def load_torch(path: Path, device: str, threads: int, precision: Precision = "fp32") -> Halves:
    """A model file in PyTorch. Raises ``ModelError``, ``DeviceError``, also where bf16 would have to be emulated."""
    raise_malloc_thresholds()
    place = select_device(device)
    if precision == "bf16" and not has_bf16(place):
        raise DeviceError("--precision bf16: this processor does not multiply bf16", hint="leave it at fp32")
    network = load_network(path).network
    if place.type == "cpu":
        return Blocked(TorchKernels(network, precision), Geometry.of(network), threads)
    return TorchHalves(network, place)
