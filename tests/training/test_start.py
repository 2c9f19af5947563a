from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from tita_cli.errors import TrainingError
from tita_cli.network import NetworkConfig
from tita_cli.network.tita import Tita
from tita_cli.training.config import TrainingConfig
from tita_cli.training.manifest import Manifest
from tita_cli.training.start import start_as_average
from tita_cli.training.trainer import Trainer
from tita_cli.training.workers import Workers

CPU = Workers(torch.device("cpu"))
CONFIG = TrainingConfig(
    NetworkConfig(dim=24, heads=2, extract=1, fuse=(1,), reconstruct=1, drop_path=0.0),
    Manifest(()),
    steps=6,
    precision="fp32",
    device="cpu",
)  # fmt: skip


def smooth(seed: int) -> torch.Tensor:
    """Something of a picture: 1×1×48×40, in 0.1..0.9."""
    torch.manual_seed(seed)
    coarse = torch.rand(1, 1, 7, 6)
    return 0.1 + 0.8 * torch.nn.functional.interpolate(coarse, (48, 40), mode="bicubic").clamp(0, 1)


@pytest.mark.parametrize("config", [NetworkConfig(drop_path=0.0), CONFIG.network])
def test_it_paints_the_mean_of_its_sources(config: NetworkConfig) -> None:
    """Each source counts, by half, in the published size and in a small one."""
    torch.manual_seed(3)
    network = Tita(config).eval()
    a, b = smooth(1), smooth(2)
    with torch.no_grad():
        assert (network(a, b).fused - (a + b) / 2).abs().mean() > 0.2
        start_as_average(network)
        for one, other in ((a, b), (a, a), (b, a)):
            assert (network(one, other).fused - (one + other) / 2).abs().mean() < 0.1


def test_every_weight_can_learn_from_there() -> None:
    """No parameter is cut off: two steps move nearly all of them."""
    torch.manual_seed(3)
    network = Tita(CONFIG.network)
    start_as_average(network)
    optimizer = torch.optim.SGD(network.parameters(), lr=1e-3)
    for seed in (1, 3):
        optimizer.zero_grad()
        network(smooth(seed), smooth(seed + 1)).fused.square().mean().backward()
        optimizer.step()
    still = [name for name, p in network.named_parameters() if p.grad is None or not p.grad.abs().max() > 0]
    assert still == []


def test_trainer_starts_as_it_is_told() -> None:
    a, b = smooth(1), smooth(2)
    trainer = Trainer(replace(CONFIG, start="average"), ("ivf",), CPU)
    with torch.no_grad():
        assert (trainer.network(a, b).fused - (a + b) / 2).abs().mean() < 0.1
    lite = NetworkConfig.from_name("tita-lite")
    with pytest.raises(TrainingError, match="start"):
        Trainer(replace(CONFIG, start="average", network=lite), ("ivf",), CPU)
