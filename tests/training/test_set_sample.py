"""Samples of sets: what belongs to a frame stays with it."""

from __future__ import annotations

import numpy as np

from tita_cli.training.set_sample import SetSample


def test_shuffling_moves_all_that_belongs_to_a_frame() -> None:
    numbers = np.arange(5, dtype=np.float32)
    planes = np.broadcast_to(numbers[:, None, None], (5, 4, 4))
    sample = SetSample(planes, planes[0], masks=planes, role=numbers).shuffled(np.random.default_rng(3))
    assert sample.role is not None and sample.masks is not None
    assert not np.array_equal(sample.role, numbers)
    np.testing.assert_array_equal(sample.frames[:, 0, 0], sample.role)
    np.testing.assert_array_equal(sample.masks[:, 0, 0], sample.role)
