"""Samples of sets: what belongs to a frame stays with it."""

from __future__ import annotations

import numpy as np
import torch

from tita_cli.network.pyramid import laplacian
from tita_cli.network.set_statistics import hidden_contrast, log_contrast
from tita_cli.training.set_sample import SetSample


def test_shuffling_moves_all_that_belongs_to_a_frame() -> None:
    numbers = np.arange(5, dtype=np.float32)
    planes = np.broadcast_to(numbers[:, None, None], (5, 4, 4))
    sample = SetSample(planes, planes[0], masks=planes, role=numbers).shuffled(np.random.default_rng(3))
    assert sample.role is not None and sample.masks is not None
    assert not np.array_equal(sample.role, numbers)
    np.testing.assert_array_equal(sample.frames[:, 0, 0], sample.role)
    np.testing.assert_array_equal(sample.masks[:, 0, 0], sample.role)


def test_what_is_hidden_is_the_contrast_of_the_finest_bands() -> None:
    """Of an image that is not reduced, what the network computes by itself; of a reduced one, what it lost."""
    images = torch.rand(3, 1, 64, 96, generator=torch.Generator().manual_seed(2))
    torch.testing.assert_close(hidden_contrast(images, 1), log_contrast(laplacian(images, 4))[:, :2])
    assert hidden_contrast(images, 2).shape == (3, 2, 8, 12)
    assert float(hidden_contrast(images, 2)[:, 0].min()) > float(hidden_contrast(torch.full_like(images, 0.5), 2).max())
