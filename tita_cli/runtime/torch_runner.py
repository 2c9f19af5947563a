"""A network in PyTorch as it is, on whole maps: on a GPU, and on the CPU for files that were not exported."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from torch import Tensor

from tita_cli.errors import DeviceError, first_line
from tita_cli.models.checkpoint import load_network
from tita_cli.network.spec import WINDOW
from tita_cli.runtime.memory import free_memory, raise_malloc_thresholds
from tita_cli.runtime.rectangle import Rectangle
from tita_cli.runtime.tiles import OutOfMemoryError

if TYPE_CHECKING:
    from tita_cli.images.picture import FloatArray
    from tita_cli.network.tita import Tita
    from tita_cli.network.tita_lite import TitaLite
    from tita_cli.runtime.tiles import DoubleArray


def select_device(wanted: str) -> torch.device:
    """The device for ``cpu``, ``cuda`` or ``cuda:N``. Raises ``DeviceError`` with the reason."""
    if wanted == "cpu":
        return torch.device("cpu")
    if not torch.cuda.is_available():
        built = torch.version.cuda
        why = f"PyTorch (CUDA {built}) finds no usable GPU or driver" if built else "PyTorch was built without CUDA"
        raise DeviceError(f"`device` {wanted}: {why}", hint="tita doctor tells more; `device` cpu works everywhere")
    device = torch.device(wanted)
    if (device.index or 0) >= torch.cuda.device_count():
        raise DeviceError(f"`device` {wanted}: there are {torch.cuda.device_count()} GPUs, counted from 0")
    return device


def load_torch(path: Path, device: str, threads: int) -> TorchRunner | TorchSetRunner:
    """A model file in PyTorch. Raises ``ModelError``, ``DeviceError``."""
    raise_malloc_thresholds()
    network = load_network(path).network
    if network.spec.kind == "set":
        return TorchSetRunner(cast("TitaLite", network), select_device(device), threads)
    return TorchRunner(network, select_device(device), threads)


class _Placed:
    """A network on a device. ``threads``: PyTorch's own, set for the whole process."""

    _network: Any

    def __init__(self, network: Tita | TitaLite, device: torch.device, threads: int | None = None) -> None:
        self._device = device
        if threads is not None and device.type == "cpu":
            torch.set_num_threads(threads)
        with self._running():
            self._network = network.to(device)
            torch.zeros(1, device=device).add_(1).item()  # a GPU that this build has no kernels for says so here
        self.spec = network.spec

    def describe(self) -> dict[str, Any]:
        return {"backend": "torch", "device": str(self._device), "precision": "fp32"}

    def _tensor(self, array: FloatArray) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(array)).to(self._device)

    @contextmanager
    def _running(self) -> Iterator[None]:
        try:
            with torch.inference_mode():
                yield
        except torch.cuda.OutOfMemoryError as error:
            torch.cuda.empty_cache()
            raise OutOfMemoryError(f"{self._device}: out of memory", hint="`memory`, or `device` cpu") from error
        except RuntimeError as error:
            if self._device.type == "cpu":
                raise
            raise DeviceError(f"{self._device}: {first_line(error)}", hint="`device` cpu works everywhere") from error


class TorchSetRunner(_Placed):
    """See :class:`tita_cli.runtime.set_engine.SetRunner`."""

    _network: TitaLite

    def run(self, images: FloatArray, hidden: FloatArray, role: FloatArray, /) -> list[FloatArray]:
        with self._running():
            out = self._network(*(self._tensor(x)[None] for x in (images, hidden, role)))
            return [np.asarray(x[0].cpu().numpy()) for x in (*out.shares, *out.gains, out.direct, out.weights)]

    def describe(self) -> dict[str, Any]:
        return {**super().describe(), "mode": "whole"}


class TorchRunner(_Placed):
    """See :class:`tita_cli.runtime.tiles.Runner`."""

    _network: Tita

    def encode(self, images: Sequence[FloatArray], keep: Rectangle) -> list[Tensor]:
        with self._running():
            place = keep.scaled(WINDOW).slices
            a, b = map(self._batch, images)
            return [f[(..., *place)] for f in self._network.encode(a, b)]

    def pool(self, features: list[Tensor]) -> DoubleArray:
        with self._running():
            sums = [f.sum((0, 2, 3), dtype=torch.float64) for f in features]
            return cast("DoubleArray", torch.cat(sums).cpu().numpy())

    def weigh(self, pooled: FloatArray) -> FloatArray:
        with self._running():
            return cast("FloatArray", self._network.oaf.weigh(self._tensor(pooled)[None])[0].cpu().numpy())

    def decode(self, features: list[Tensor], weights: FloatArray) -> FloatArray:
        with self._running():
            x, y = features
            fused = self._network.decode(x, y, self._tensor(weights)[None])
            return cast("FloatArray", fused[0, 0].cpu().numpy())

    def bytes_for(self, pixels: int) -> int:
        # The scores of both attentions of a cross block, and some twenty maps beside them.
        config = self._network.config
        return pixels * 4 * (3 * config.heads * WINDOW**2 + 24 * config.dim)

    def free_memory(self) -> int:
        if self._device.type == "cpu":
            return free_memory() // 2
        return int(torch.cuda.mem_get_info(self._device)[0] * 0.8)

    def keep_within(self, budget: int) -> None:
        """Nothing: all of a tile is worked on at once."""

    def _batch(self, image: FloatArray) -> Tensor:
        return self._tensor(image)[None, None]
