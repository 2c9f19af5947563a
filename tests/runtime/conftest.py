"""Tiny networks of every variant as model files, and their steps in PyTorch, which need no export."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tita_cli.export.folding import FoldedMerge, fold_stages
from tita_cli.models.checkpoint import save_network
from tita_cli.network import NetworkConfig, build_network, pair_variants
from tita_cli.network.pair import PairNetwork


def tiny(variant: str) -> NetworkConfig:
    """The smallest network that has every kind of layer and window, shifted ones included."""
    return NetworkConfig.from_name(variant, dim=8, heads=2, extract=2, fuse=(2,), reconstruct=2)


@pytest.fixture(scope="session")
def model_files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """{variant: a safetensors file with random weights}."""
    folder = tmp_path_factory.mktemp("models")
    files = {}
    for seed, variant in enumerate(pair_variants()):
        torch.manual_seed(seed)
        config = tiny(variant)
        files[variant] = folder / f"{variant}.safetensors"
        save_network(files[variant], build_network(config).state_dict(), config)
    return files


class TorchSteps:
    """As ``tita_cli.runtime.onnx_cpu.OnnxSteps``: the modules that are exported, before they are."""

    def __init__(self, network: PairNetwork) -> None:
        self._network, self._blocks, self._merge = network, fold_stages(network), FoldedMerge(network.oaf)

    @torch.inference_mode()
    def run(self, name: str, *inputs: np.ndarray) -> list[np.ndarray]:
        x = [torch.from_numpy(np.array(array, np.float32)) for array in inputs]
        net = self._network
        if name == "shallow":
            results: Any = net.shallow(*x)
        elif name == "weigh":
            results = net.weigh(*x)
        elif name == "merge":
            results = self._merge(*x)
        elif name == "head":
            results = net.head(x[0], x[1], tuple(x[2:-2]), *x[-2:])
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
