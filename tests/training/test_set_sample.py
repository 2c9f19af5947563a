"""Samples of sets: what belongs to a frame stays with it."""

from __future__ import annotations

import numpy as np
import torch

from tita_cli.network.pyramid import laplacian
from tita_cli.network.set_statistics import hidden_contrast, log_contrast
from tita_cli.training.set_sample import SetSample, exposures_between


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


def test_exposures_between_frames_are_those_that_the_camera_would_have_taken() -> None:
    """For a response that is a power: the scene under an exposure between two, by one factor everywhere."""
    scene = np.random.default_rng(5).uniform(0.1, 1.0, (24, 24))
    frames = np.stack([(scene * time) ** (1 / 2.2) for time in (0.8, 0.2, 0.05)]).astype(np.float32)
    more = exposures_between(frames, 7, np.random.default_rng(6))
    assert len(more) == 7
    for frame in more:
        times = frame**2.2 / scene
        assert 0.05 * 0.97 < np.median(times) < 0.8 * 1.03
        np.testing.assert_allclose(times, np.median(times), rtol=0.05)  # of 8 bits
    assert len({round(float(np.median(frame)), 3) for frame in more}) == 7
    assert len(exposures_between(frames, 3, np.random.default_rng(6))) == 3
