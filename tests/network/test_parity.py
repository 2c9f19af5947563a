"""The published network's exact outputs on random weights in the authors' layout."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tita_cli.models.checkpoint import load_network
from tita_cli.network.attention import from_windows, to_windows

DATA = Path(__file__).parents[1] / "data"
SHARED = Path(__file__).parents[2].parent / "shared" / "parity"


def _expected(path: Path) -> dict[str, torch.Tensor]:
    with np.load(path) as file:
        return {name: torch.from_numpy(file[name]) for name in file.files}


@pytest.fixture(scope="module")
def small() -> tuple[Any, dict[str, torch.Tensor]]:
    return load_network(DATA / "official_small.pth").network, _expected(DATA / "official_small.npz")


def test_small_network_equals_the_published_one(small: tuple[Any, dict[str, torch.Tensor]]) -> None:
    network, z = small
    with torch.inference_mode():
        out = network(z["a"], z["b"])
    torch.testing.assert_close(out.fused, z["fused"], atol=1e-5, rtol=0)
    torch.testing.assert_close(out.weights, z["oaf_weights"], atol=1e-6, rtol=0)


def test_first_cross_block_equals_the_published_one(small: tuple[Any, dict[str, torch.Tensor]]) -> None:
    network, z = small
    h, w = z["a"].shape[-2:]
    a, b = (to_windows(z[name].reshape(1, h, w, -1)) for name in ("block0_in_x", "block0_in_y"))
    with torch.inference_mode():
        out = network.cross[0].blocks[0](a, b, None, 1)
    for got, name in zip(out, ("block0_out_x", "block0_out_y"), strict=True):
        torch.testing.assert_close(from_windows(got, h, w).reshape(1, h * w, -1), z[name], atol=1e-5, rtol=0)


def test_oaf_terms_equal_the_published_ones(small: tuple[Any, dict[str, torch.Tensor]]) -> None:
    network, z = small
    with torch.inference_mode():
        terms = network.oaf.operations_a(z["oaf_a_in"])
    for name in ("high", "add", "mul"):
        torch.testing.assert_close(getattr(terms, name), z[f"oaf_a_{name}"], atol=1e-5, rtol=0)


@pytest.mark.skipif(not (SHARED / "official_full.pth.gz").exists(), reason="the full fixture is not on this machine")
def test_paper_configuration_equals_the_published_one(tmp_path: Path) -> None:
    path = tmp_path / "full.pth"
    path.write_bytes(gzip.decompress((SHARED / "official_full.pth.gz").read_bytes()))
    network, config, _ = load_network(path)
    assert (config.dim, config.heads, config.extract, config.fuse, config.reconstruct) == (60, 6, 4, (4, 4), 4)
    z = _expected(SHARED / "official_full.npz")
    with torch.inference_mode():
        out = network(z["a"], z["b"])
    torch.testing.assert_close(out.fused, z["fused"], atol=1e-4, rtol=0)
    torch.testing.assert_close(out.weights, z["oaf_weights"], atol=1e-5, rtol=0)
