"""Tiny networks of both variants as model files."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tita_cli.network import NetworkConfig, build_network
from tita_cli.network.checkpoint import save_network

VARIANTS = ("tita", "tita-lite")


def tiny(variant: str) -> NetworkConfig:
    """The smallest network that has every kind of layer and window, shifted ones included."""
    return NetworkConfig.from_name(variant, dim=8, heads=2, extract=2, fuse=(2,), reconstruct=2)


@pytest.fixture(scope="session")
def model_files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """{variant: a safetensors file with random weights}."""
    folder = tmp_path_factory.mktemp("models")
    files = {}
    for seed, variant in enumerate(VARIANTS):
        torch.manual_seed(seed)
        config = tiny(variant)
        files[variant] = folder / f"{variant}.safetensors"
        save_network(files[variant], build_network(config).state_dict(), config)
    return files
