"""Exported networks for sets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch

from tita_cli.models.checkpoint import save_network
from tita_cli.network import NetworkConfig, build_network
from tita_cli.runtime import SetEngine, load_engine
from tita_cli.runtime.onnx_session import CPU


def test_a_network_for_sets_takes_any_number_and_size(tmp_path: Path) -> None:
    """The export itself compares with the network at three sizes and numbers of sources; here, that tita runs it."""
    from tita_cli.export.export import export
    from tita_cli.fusion.sets import fuse_luminances

    torch.manual_seed(0)
    sizes = {"dim": 8, "heads": 2, "extract": 1, "fuse": (1,), "reconstruct": 1}
    network = build_network(NetworkConfig.from_name("tita-lite", **sizes))
    path = tmp_path / "set.safetensors"
    save_network(path, network.state_dict(), network.config)
    told: list[tuple[str, int, int]] = []
    done = export(path, tmp_path / "set.onnx", progress=lambda *stage: told.append(stage))
    assert [stage for stage, *_ in dict.fromkeys(told)][:3] == ["load", "trace", "check"]
    assert [number for stage, number, _ in told if stage == "check"] == list(range(len(done.checks)))
    assert {check.batch for check in done.checks} == {2, 3, 5}
    images = list(np.random.default_rng(0).random((4, 90, 70), dtype=np.float32))
    fused = []
    for model in (path, tmp_path / "set.onnx"):
        engine = load_engine(str(model), device="cpu")
        assert isinstance(engine, SetEngine)
        fused.append(fuse_luminances(engine, images))
    np.testing.assert_allclose(*fused, atol=1e-5)
    docs: dict[str, Any] = {}
    page = (Path(__file__).parents[2] / "docs/how-to/onnx.md").read_text(encoding="utf-8")
    exec(page.partition("```python\n")[2].partition("```")[0], docs)  # what the page shows is what tita does
    session = onnxruntime.InferenceSession(tmp_path / "set.onnx", providers=[CPU])
    np.testing.assert_allclose(docs["fuse"](session, images), fused[0], atol=1e-5)
