"""Engines as ``load_engine`` hands them out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from tita_cli.errors import DeviceError, ModelError, UsageError
from tita_cli.models.checkpoint import load_network
from tita_cli.runtime import load_engine


def pair(*size: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    a, b = np.random.default_rng(seed).random((2, *size), dtype=np.float32)
    return a, b


def test_an_engine_does_what_the_network_does(tiny_pair_model: Path) -> None:
    a, b = pair(37, 70)
    result = load_engine(str(tiny_pair_model), device="cpu").fuse(a, b)
    network = load_network(tiny_pair_model).network
    with torch.inference_mode():
        expected = network(torch.from_numpy(a)[None, None], torch.from_numpy(b)[None, None])
    np.testing.assert_allclose(result.fused, expected.fused[0, 0].clamp(0, 1).numpy(), atol=1e-5)
    np.testing.assert_allclose(result.weights, expected.weights[0].numpy(), atol=1e-5)


def test_bad_values_are_refused(tiny_pair_model: Path) -> None:
    with pytest.raises(UsageError):
        load_engine(str(tiny_pair_model), backend="tensorflow")
    with pytest.raises(UsageError, match="device"):
        load_engine(str(tiny_pair_model), device="gpu")
    with pytest.raises(ModelError):
        load_engine("no-such-model")
    with pytest.raises(UsageError):
        load_engine(str(tiny_pair_model), device="cpu").fuse(*pair(3, 4)[:1], pair(4, 3)[0])


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a usable GPU")
def test_cuda_that_is_not_there_is_an_error_with_its_reason(tiny_pair_model: Path) -> None:
    with pytest.raises(DeviceError, match="CUDA"):
        load_engine(str(tiny_pair_model), backend="torch", device="cuda")
