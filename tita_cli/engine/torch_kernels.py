"""The network's steps for ``tita_cli.engine.blocked`` in PyTorch, on the CPU."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor

from tita_cli.engine.folded import FoldedCross, FoldedSwin
from tita_cli.engine.kernels import CrossKernel, SwinKernel
from tita_cli.engine.stages import Stages
from tita_cli.engine.workspace import Workspace, Workspaces
from tita_cli.network.lite import TitaLite

if TYPE_CHECKING:
    from tita_cli.engine.detail import Detail
    from tita_cli.images.picture import FloatArray
    from tita_cli.network.tita import Tita


class TorchKernels:
    """See :class:`tita_cli.engine.blocked.Kernels`."""

    def __init__(self, network: Tita | TitaLite) -> None:
        self._network = network
        with torch.inference_mode():
            stages = Stages(network)
            self._extract_a = [SwinKernel(cast(FoldedSwin, block)) for block in stages.extract_a]
            self._extract_b = [SwinKernel(cast(FoldedSwin, block)) for block in stages.extract_b]
            self._cross = [CrossKernel(cast(FoldedCross, block)) for block in stages.cross]
            self._reconstruct = [SwinKernel(cast(FoldedSwin, block)) for block in stages.reconstruct]
            self._merge = stages.merge
        self._local = threading.local()

    def start_thread(self) -> None:
        """One operation at a time on each of our threads: their own split would only make them wait for each other."""
        torch.set_num_threads(1)

    def _workspace(self, x: FloatArray) -> Workspace:
        spaces = getattr(self._local, "spaces", None)
        if spaces is None:
            spaces = self._local.spaces = Workspaces()
        return cast(Workspace, spaces(x.shape[0], x.shape[1], self._network.config.heads))

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
        kernels[block](torch.from_numpy(x), kind, self._workspace(x))
        return (x,)

    @torch.inference_mode()
    def cross(self, block: int, kind: int, x: FloatArray, y: FloatArray) -> tuple[FloatArray, FloatArray]:
        self._cross[block](torch.from_numpy(x), torch.from_numpy(y), kind, self._workspace(x))
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
        return {"backend": "torch"}


def _batch(array: FloatArray) -> Tensor:
    return torch.from_numpy(array)[None]


def _array(batch: Tensor) -> FloatArray:
    return cast("FloatArray", batch[0].numpy())
