"""Synthetic infrared pictures for photographs."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from tita_cli.network.set_statistics import edge_agreement
from tita_cli.training.synthesis_thermal import miss_exposure, thermal_picture


def _still(size: int = 96) -> np.ndarray:
    import cv2

    noise = np.random.default_rng(1).random((size // 8, size // 8), dtype=np.float32)
    return np.rint(255 * cv2.resize(noise, (size, size), interpolation=cv2.INTER_LINEAR)).astype(np.uint8)


@pytest.mark.parametrize("segmented", [True, False])
def test_edges_go_either_way_and_values_stay_in_range(segmented: bool) -> None:
    still = _still()
    regions = np.arange(36, dtype=np.uint16).reshape(6, 6).repeat(16, 0).repeat(16, 1) if segmented else None
    seen = torch.from_numpy(still.astype(np.float32) / 255)[None, None]
    found = []
    for seed in range(12):
        infrared = thermal_picture(still, regions, np.random.default_rng(seed))
        assert infrared.shape == still.shape
        assert infrared.dtype == np.float32
        assert 0 <= infrared.min() < infrared.max() <= 1
        both = torch.cat((seen, torch.from_numpy(infrared)[None, None]), 1)
        found.append(edge_agreement(F.avg_pool2d(both, 16))[0, 0].item())
    assert -0.6 < np.mean(found) < 0.3
    assert np.mean(np.array(found) < 0.8) > 0.8


def test_a_region_has_one_temperature() -> None:
    still = np.full((64, 64), 128, np.uint8)
    regions = (np.arange(64) >= 32).astype(np.uint8)[None].repeat(64, 0)
    steps = []
    for seed in range(8):
        infrared = thermal_picture(still, regions, np.random.default_rng(seed))
        across = np.abs(np.diff(infrared, axis=1)).mean(0)
        steps.append(across[28:35].max() / np.median(across))
    assert np.median(steps) > 5


def test_a_missed_exposure_scales_light() -> None:
    dark, bright = (miss_exposure(np.full((2, 2), 0.5, np.float32), np.random.default_rng(seed)) for seed in (3, 0))
    assert dark.max() <= 1
    assert bright.max() <= 1
    assert dark.max() != bright.max()
