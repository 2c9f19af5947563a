"""The steps of a network for pairs in PyTorch, which need no export."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from tita_cli.export.folding import FoldedMerge, fold_stages
from tita_cli.network.tita import Tita


class TorchSteps:
    """As ``tita_cli.runtime.onnx_cpu.OnnxSteps``: the modules that are exported, before they are."""

    def __init__(self, network: Tita) -> None:
        self._network, self._blocks, self._merge = network, fold_stages(network), FoldedMerge(network.oaf)

    @torch.inference_mode()
    def run(self, name: str, *inputs: np.ndarray) -> list[np.ndarray]:
        x = [torch.from_numpy(np.array(array, np.float32)) for array in inputs]
        net = self._network
        if name == "shallow":
            results: Any = net.shallow(*x)
        elif name == "weigh":
            results = net.oaf.weigh(*x)
        elif name == "merge":
            results = self._merge(*x)
        elif name == "head":
            results = net.head(*x)
        else:
            stage, _, number = name.rpartition(".")
            maps = 2 if stage == "cross" else 1
            block: Any = self._blocks[stage][int(number)]  # type: ignore[index]
            results = block(*x[:maps], x[maps] if len(x) > maps else None)
        return [result.numpy() for result in (results if isinstance(results, tuple) else (results,))]

    def describe(self) -> dict[str, Any]:
        return {"backend": "fake"}


@pytest.fixture(scope="session")
def torch_steps() -> type[TorchSteps]:
    return TorchSteps
