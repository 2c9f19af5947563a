"""The PyTorch back end."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from tita_cli.engine.memory import raise_malloc_thresholds
from tita_cli.errors import DeviceError
from tita_cli.network.checkpoint import load_network

if TYPE_CHECKING:
    from tita_cli.images.picture import FloatArray


def select_device(wanted: str) -> torch.device:
    """The device for ``auto``, ``cpu``, ``cuda`` or ``cuda:N``. Raises ``DeviceError`` with the reason."""
    if wanted == "cpu" or (wanted == "auto" and not torch.cuda.is_available()):
        return torch.device("cpu")
    if wanted != "auto" and wanted.partition(":")[0] != "cuda":
        raise DeviceError(f"unknown device {wanted!r}", hint="auto, cpu, cuda or cuda:N")
    if not torch.cuda.is_available():
        built = torch.version.cuda
        why = (
            "PyTorch was built without CUDA"
            if built is None
            else f"PyTorch (CUDA {built}) finds no usable GPU or driver"
        )
        raise DeviceError(f"--device {wanted}: {why}", hint="tita doctor tells more; --device cpu works everywhere")
    return torch.device("cuda" if wanted == "auto" else wanted)


class TorchBackend:
    """A network in PyTorch on one device."""

    def __init__(self, path: Path, *, device: str = "auto", threads: int | None = None) -> None:
        raise_malloc_thresholds()
        if threads is not None:
            torch.set_num_threads(threads)
        self.device = select_device(device)
        checkpoint = load_network(path)
        self.config = checkpoint.config
        self.network = checkpoint.network.to(self.device)

    @torch.inference_mode()
    def whole(self, a: FloatArray, b: FloatArray) -> tuple[FloatArray, FloatArray | None, FloatArray]:
        """Fuse H×W in one piece."""
        pair = (torch.from_numpy(image).to(self.device)[None, None] for image in (a, b))
        out = self.network(*pair)

        def plane(x: torch.Tensor | None) -> FloatArray | None:
            return None if x is None else np.ascontiguousarray(x[0, 0].cpu().numpy())

        fused = plane(out.fused)
        assert fused is not None
        return fused, plane(out.gate), out.weights[0].cpu().numpy()

    def describe(self) -> dict[str, Any]:
        return {
            "variant": self.config.variant,
            "backend": "torch",
            "device": str(self.device),
            "precision": "fp32",
            "threads": torch.get_num_threads(),
        }
