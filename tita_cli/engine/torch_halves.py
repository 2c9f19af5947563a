"""A network's halves as plain PyTorch operations on whole maps: what runs on a GPU."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from torch import Tensor

from tita_cli.engine.box import Box
from tita_cli.engine.geometry import Geometry
from tita_cli.engine.memory import free_memory
from tita_cli.engine.tiles import OutOfMemoryError
from tita_cli.engine.windows import TOKENS, WINDOW
from tita_cli.errors import DeviceError

if TYPE_CHECKING:
    from tita_cli.engine.afar import DoubleArray
    from tita_cli.images.picture import FloatArray
    from tita_cli.network.lite import TitaLite
    from tita_cli.network.tita import Tita

_HEAD_BYTES = 800
"""What the light head takes for a pixel: some 200 planes."""


class TorchHalves:
    """See :class:`tita_cli.engine.tiles.Halves`."""

    def __init__(self, network: Tita | TitaLite, device: torch.device) -> None:
        self._device = device
        with self._running():
            self._network = network.to(device)
            torch.zeros(1, device=device).add_(1).item()  # a GPU that this build has no kernels for says so here
        self.geometry = Geometry.of(network)

    def encode(self, a: FloatArray, b: FloatArray, keep: Box) -> tuple[Tensor, Tensor]:
        with self._running():
            x, y = self._network.encode(self._batch(a), self._batch(b))
            rows, cols = keep.scaled(WINDOW).slices
            return x[..., rows, cols], y[..., rows, cols]

    def pool(self, features: tuple[Tensor, Tensor]) -> DoubleArray:
        with self._running():
            sums = [f.sum((0, 2, 3), dtype=torch.float64) for f in features]
            return cast("DoubleArray", torch.cat(sums).cpu().numpy())

    def weigh(self, pooled: FloatArray) -> FloatArray:
        with self._running():
            guidance = self._network.weigh(torch.from_numpy(pooled).to(self._device)[None])
            return cast("FloatArray", guidance[0].cpu().numpy())

    def decode(
        self, a: FloatArray, b: FloatArray, features: tuple[Tensor, Tensor], guidance: FloatArray
    ) -> tuple[FloatArray, FloatArray | None]:
        with self._running():
            shares = torch.from_numpy(guidance).to(self._device)[None]
            out = self._network.decode(self._batch(a), self._batch(b), *features, shares)
            return _plane(out.fused), None if out.gate is None else _plane(out.gate)

    def bytes_for(self, pixels: int) -> int:
        # The scores of both attentions of a cross block, and some twenty maps beside them.
        config, g = self._network.config, self.geometry
        token = 4 * (3 * config.heads * TOKENS + 24 * config.dim)
        return pixels * (token // g.patch**2 + (_HEAD_BYTES if g.has_gate else 0))

    def free_memory(self) -> int:
        if self._device.type == "cpu":
            return free_memory() // 2
        return int(torch.cuda.mem_get_info(self._device)[0] * 0.8)

    def keep_within(self, budget: int) -> None:
        """Nothing: all of a tile is worked on at once."""

    def describe(self) -> dict[str, Any]:
        return {"backend": "torch", "device": str(self._device), "precision": "fp32"}

    def _batch(self, image: FloatArray) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(image)).to(self._device)[None, None]

    @contextmanager
    def _running(self) -> Iterator[None]:
        try:
            with torch.inference_mode():
                yield
        except torch.cuda.OutOfMemoryError as error:
            torch.cuda.empty_cache()
            raise OutOfMemoryError(f"{self._device}: out of memory", hint="--memory, or --device cpu") from error
        except RuntimeError as error:
            if self._device.type == "cpu":
                raise
            reason = (str(error).splitlines() or ["it does not work"])[0][:200]
            raise DeviceError(f"{self._device}: {reason}", hint="--device cpu works everywhere") from error


def _plane(x: Tensor) -> FloatArray:
    return cast("FloatArray", x[0, 0].cpu().numpy())
