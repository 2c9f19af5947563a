"""The engine in bf16: a little off, never far, and refused where it would be emulated."""

from __future__ import annotations

import numpy as np
import pytest

from tita_cli.engine import load_engine
from tita_cli.engine.blocked import Blocked
from tita_cli.engine.geometry import Geometry
from tita_cli.engine.models import find_model
from tita_cli.engine.tiles import run
from tita_cli.engine.torch_kernels import TorchKernels
from tita_cli.errors import DeviceError
from tita_cli.network.checkpoint import load_network


@pytest.mark.parametrize("variant", ["tita", "tita-lite"])
def test_bf16_is_off_by_less_than_a_grey_level_in_the_mean(variant: str) -> None:
    network = load_network(find_model(variant, suffix=".safetensors")).network
    a, b = np.random.default_rng(4).random((2, 9, 13), dtype=np.float32).repeat(8, 1).repeat(8, 2)
    made = {}
    for precision in ("fp32", "bf16"):
        kernels = TorchKernels(network, precision)
        runner = Blocked(kernels, Geometry.of(network), threads=2)
        assert runner.describe()["precision"] == precision
        made[precision] = run(runner, a, b, None).fused
        for block in (*kernels._extract_a, *kernels._extract_b, *kernels._cross, *kernels._reconstruct[:-1]):
            assert not block.bank.repeated, "only the block in work needs its weights many times over"
    off = np.abs(made["bf16"] - made["fp32"])
    assert 0 < off.mean() < 1 / 255
    assert off.max() < 0.1


def test_bf16_is_refused_where_it_would_be_emulated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tita_cli.engine.torch_backend.has_bf16", lambda device: False)
    with pytest.raises(DeviceError, match="does not multiply bf16"):
        load_engine("tita-lite", precision="bf16")
