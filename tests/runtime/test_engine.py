"""Engines as ``load_engine`` hands them out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from tita_cli.errors import DeviceError, ModelError, UsageError
from tita_cli.models.checkpoint import load_network
from tita_cli.network import pair_variants
from tita_cli.runtime import load_engine

VARIANTS = pair_variants()


def pair(*size: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    a, b = np.random.default_rng(seed).random((2, *size), dtype=np.float32)
    return a, b


@pytest.mark.parametrize("variant", VARIANTS)
def test_an_engine_does_what_the_network_does(model_files: dict[str, Path], variant: str) -> None:
    a, b = pair(37, 70)
    result = load_engine(str(model_files[variant]), device="cpu").fuse(a, b)
    network = load_network(model_files[variant]).network
    with torch.inference_mode():
        expected = network(torch.from_numpy(a)[None, None], torch.from_numpy(b)[None, None])
    np.testing.assert_allclose(result.fused, expected.fused[0, 0].clamp(0, 1).numpy(), atol=1e-5)
    np.testing.assert_allclose(result.weights, expected.weights[0].numpy(), atol=1e-5)
    assert (result.gate is None) == (variant == "tita")


def test_bad_values_are_refused(model_files: dict[str, Path]) -> None:
    with pytest.raises(UsageError):
        load_engine(str(model_files["tita"]), backend="tensorflow")
    with pytest.raises(UsageError, match="device"):
        load_engine(str(model_files["tita"]), device="gpu")
    with pytest.raises(ModelError):
        load_engine("no-such-model")
    with pytest.raises(UsageError):
        load_engine(str(model_files["tita"]), device="cpu").fuse(*pair(3, 4)[:1], pair(4, 3)[0])


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a usable GPU")
def test_cuda_that_is_not_there_is_an_error_with_its_reason(model_files: dict[str, Path]) -> None:
    with pytest.raises(DeviceError, match="CUDA"):
        load_engine(str(model_files["tita"]), backend="torch", device="cuda")
