"""Pairs on black ground, and the rule of their reference."""

from __future__ import annotations

import numpy as np
import pytest

from tita_cli.training.sample import FloatArray
from tita_cli.training.synthesis_ground import ground_reference, on_black


def texture(seed: int, low: float, high: float) -> FloatArray:
    rng = np.random.default_rng(seed)
    coarse = rng.random((12, 12), dtype=np.float32)
    fine = rng.random((96, 96), dtype=np.float32)
    return np.asarray(low + (high - low) * (0.7 * np.kron(coarse, np.ones((8, 8))) + 0.3 * fine), np.float32)


@pytest.mark.parametrize("seed", range(5))
def test_both_are_black_outside_of_the_thing(seed: int) -> None:
    first, second = on_black(texture(1, 0.2, 0.9), texture(2, 0.3, 0.5), np.random.default_rng(seed))
    ground = np.maximum(first, second) == 0
    assert 0.01 < ground.mean() < 0.999
    assert max(first.max(), second.max()) <= 1
    assert not ground_reference(first, second)[ground].any()


def test_where_one_shows_something_it_is_kept() -> None:
    first, second = np.zeros((2, 96, 96), np.float32)
    first[:, :40], second[:, 56:] = texture(1, 0.3, 0.9)[:, :40], texture(2, 0.2, 0.6)[:, 56:]
    reference = ground_reference(first, second)
    np.testing.assert_allclose(reference[:, :40], first[:, :40], atol=0.02)
    np.testing.assert_allclose(reference[:, 56:], second[:, 56:], atol=0.02)


def test_the_brighter_tones_carry_the_detail_of_both() -> None:
    plain, detailed = np.full((96, 96), 0.7, np.float32), texture(3, 0.1, 0.3)
    reference = ground_reference(plain, detailed)
    assert abs(reference.mean() - 0.7) < 0.03
    assert np.corrcoef(reference.ravel(), detailed.ravel())[0, 1] > 0.5
    np.testing.assert_array_equal(reference, ground_reference(detailed, plain))
