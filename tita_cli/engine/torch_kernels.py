"""The network's steps for ``tita_cli.engine.blocked`` in PyTorch, on the CPU."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor

from tita_cli.engine.folded import FoldedCross, FoldedSwin
from tita_cli.engine.kernels import Bank, CrossKernel, SwinKernel
from tita_cli.engine.stages import Stages
from tita_cli.engine.wish import Precision
from tita_cli.engine.workspace import Workspace, Workspaces
from tita_cli.network.lite import TitaLite

if TYPE_CHECKING:
    from tita_cli.engine.detail import Detail
    from tita_cli.images.picture import FloatArray
    from tita_cli.network.tita import Tita


CHUNKS: dict[Precision, int] = {"fp32": 16, "bf16": 96}
"""Windows to a chunk: fewer, and the calls cost more than the cache saves."""


class TorchKernels:
    """See :class:`tita_cli.engine.blocked.Kernels`."""

    def __init__(self, network: Tita | TitaLite, precision: Precision = "fp32") -> None:
        self._network, self._precision = network, precision
        self._dtype = torch.bfloat16 if precision == "bf16" else torch.float32
        self.chunk = CHUNKS[precision]
        with torch.inference_mode():
            stages = Stages(network)
            self._extract_a = [SwinKernel(cast(FoldedSwin, block), self._dtype) for block in stages.extract_a]
            self._extract_b = [SwinKernel(cast(FoldedSwin, block), self._dtype) for block in stages.extract_b]
            self._cross = [CrossKernel(cast(FoldedCross, block), self._dtype) for block in stages.cross]
            self._reconstruct = [SwinKernel(cast(FoldedSwin, block), self._dtype) for block in stages.reconstruct]
            self._merge = stages.merge.to(self._dtype)
        self._local = threading.local()
        self._at_work: Bank | None = None

    def start_thread(self) -> None:
        """One operation at a time on each of our threads: their own split would only make them wait for each other."""
        torch.set_num_threads(1)

    def _workspace(self, x: FloatArray) -> Workspace:
        spaces = getattr(self._local, "spaces", None)
        if spaces is None:
            spaces = self._local.spaces = Workspaces(self._dtype)
        return cast(Workspace, spaces(x.shape[0], x.shape[1], self._network.config.heads))

    def _turn_to(self, bank: Bank) -> None:
        """A block is done with all windows before the next begins."""
        last, self._at_work = self._at_work, bank
        if last is not None and last is not bank:
            last.rest()

    @torch.inference_mode()
    def shallow(self, image: FloatArray, seen: FloatArray | None) -> FloatArray:
        if isinstance(self._network, TitaLite) and seen is not None:
            return _array(self._network.lift(_batch(image[None]), _batch(seen)))
        return _array(self._network.shallow(_batch(image[None])))

    def extract_a(self, block: int, kind: int, x: FloatArray) -> tuple[FloatArray]:
        return self._swin(self._extract_a, block, kind, x)

    def extract_b(self, block: int, kind: int, x: FloatArray) -> tuple[FloatArray]:
        return self._swin(self._extract_b, block, kind, x)

    def reconstruct(self, block: int, kind: int, x: FloatArray) -> tuple[FloatArray]:
        return self._swin(self._reconstruct, block, kind, x)

    @torch.inference_mode()
    def _swin(self, kernels: Sequence[SwinKernel], block: int, kind: int, x: FloatArray) -> tuple[FloatArray]:
        self._turn_to(kernels[block].bank)
        windows = torch.from_numpy(x)
        own = windows.to(self._dtype)  # the same memory in fp32
        kernels[block](own, kind, self._workspace(x))
        windows.copy_(own)
        return (x,)

    @torch.inference_mode()
    def cross(self, block: int, kind: int, x: FloatArray, y: FloatArray) -> tuple[FloatArray, FloatArray]:
        self._turn_to(self._cross[block].bank)
        windows = torch.from_numpy(x), torch.from_numpy(y)
        own = [each.to(self._dtype) for each in windows]
        self._cross[block](own[0], own[1], kind, self._workspace(x))
        for each, new in zip(windows, own, strict=True):
            each.copy_(new)
        return x, y

    @torch.inference_mode()
    def weigh(self, pooled: FloatArray) -> FloatArray:
        return _array(self._network.weigh(_batch(pooled)))

    @torch.inference_mode()
    def merge(self, x: FloatArray, y: FloatArray, guidance: FloatArray) -> FloatArray:
        return _array(self._merge.once(_batch(x), _batch(y), _batch(guidance)))

    @torch.inference_mode()
    def paint(
        self, a: FloatArray, b: FloatArray, z: FloatArray, seen: Detail | None, guidance: FloatArray
    ) -> tuple[FloatArray, FloatArray | None]:
        sources, shares = (_batch(a[None]), _batch(b[None]), _batch(z)), _batch(guidance)
        if isinstance(self._network, TitaLite) and seen is not None:
            logits, residual = self._network.head(*sources, _batch(seen.bands), _batch(seen.activity), shares)
            return _array(logits)[0], _array(residual)[0]
        return _array(self._network.paint(*sources, shares).fused)[0], None

    def describe(self) -> dict[str, Any]:
        return {"backend": "torch", "precision": self._precision}


def _batch(array: FloatArray) -> Tensor:
    return torch.from_numpy(array)[None]


def _array(batch: Tensor) -> FloatArray:
    return cast("FloatArray", batch[0].numpy())
