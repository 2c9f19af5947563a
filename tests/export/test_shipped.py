"""The exported files that ship: the network of the weights beside them, and one picture on both back ends."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tita_cli.models.find import file_hash, shipped_models
from tita_cli.models.onnx_file import OnnxFile
from tita_cli.runtime import SetEngine, load_engine


@pytest.mark.parametrize("name", ["tita", "tita-lite"])
def test_shipped_files_hold_the_same_network(name: str) -> None:
    """Whoever replaces a .safetensors file must run weights/refresh.py."""
    model = shipped_models()[name]
    weights, exported = model.file(".safetensors"), model.file(".onnx")
    assert weights is not None
    assert exported is not None, f"weights/SHA256SUMS lacks {name}.onnx"
    assert OnnxFile(exported).about["weights_sha256"] == file_hash(weights)


@pytest.mark.parametrize(("h", "w", "memory"), [(45, 70, None), (60, 300, 700 << 20)])
def test_the_published_network_gives_one_picture_on_both_back_ends(h: int, w: int, memory: int | None) -> None:
    a, b = np.random.default_rng(h * w).random((2, h, w), dtype=np.float32)
    results = [
        load_engine("tita", backend=backend, device="cpu", threads=1, memory=memory).fuse(a, b)
        for backend in ("torch", "onnx")
    ]
    assert results[0].fused.std() > 0.01
    for field in ("fused", "weights"):
        np.testing.assert_allclose(getattr(results[0], field), getattr(results[1], field), atol=1e-4)


def test_the_shipped_model_gives_one_picture_on_both_back_ends() -> None:
    from tita_cli.fusion.sets import fuse_luminances

    images = list(np.random.default_rng(4).random((3, 90, 130), dtype=np.float32))
    engines = [load_engine("tita-lite", backend=backend, device="cpu", threads=1) for backend in ("torch", "onnx")]
    fused = [fuse_luminances(engine, images) for engine in engines if isinstance(engine, SetEngine)]
    assert fused[0].std() > 0.01
    np.testing.assert_allclose(*fused, atol=1e-4)


def test_on_the_cpu_the_shipped_model_needs_no_torch(picture_file: Callable[..., Path], tmp_path: Path) -> None:
    first, second = picture_file("a.png", seed=1), picture_file("b.png", seed=2)
    code = (
        "import sys; from tita_cli.cli.main import run\n"
        "code = run(['fuse', *sys.argv[1:], '--device', 'cpu', '-v'])\n"
        "print(code, 'torch' in sys.modules, 'onnx' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(first), str(second), "-o", str(tmp_path / "out.png")],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.stdout.split() == ["0", "False", "False"]
    assert "backend onnx" in done.stderr
