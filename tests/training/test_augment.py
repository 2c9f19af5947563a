"""Augmentation and the moves that a sample makes as a whole."""

from __future__ import annotations

import numpy as np

from tita_cli.training.augment import add_figure
from tita_cli.training.sample import Sample


def test_a_figure_is_upright_warm_and_within_range() -> None:
    flat = np.full((200, 200), 0.7, np.float32)
    seen = []
    for seed in range(40):
        warmer = add_figure(flat, np.random.default_rng(seed))
        assert warmer.dtype == np.float32
        assert warmer.min() >= flat.min()
        assert warmer.max() <= 1
        warm = warmer > 0.7 + (warmer.max() - 0.7) / 2
        rows, columns = np.flatnonzero(warm.any(1)), np.flatnonzero(warm.any(0))
        if rows[0] > 0 and rows[-1] < 199 and columns[0] > 0 and columns[-1] < 199:
            assert len(rows) >= len(columns)
        seen.append((float(warmer.max() - 0.7), float(warm.mean())))
    rises, areas = np.transpose(seen)
    assert rises.min() < 0.08
    assert areas.min() < 0.002
    assert areas.max() > 0.01


def test_a_sample_moves_and_swaps_as_a_whole() -> None:
    a, b, target, mask, hot = np.random.default_rng(0).random((5, 6, 8), np.float32)
    moved = Sample(a, b, target, mask, hot).cut(np.s_[1:5], np.s_[2:8]).turned(1, mirror=True).swapped()
    for made, plane in zip((moved.b, moved.a, moved.target, moved.hot), (a, b, target, hot), strict=True):
        np.testing.assert_array_equal(made, np.rot90(plane[1:5, 2:8])[:, ::-1])
    np.testing.assert_array_equal(moved.mask, 1 - np.rot90(mask[1:5, 2:8])[:, ::-1])
    bare = Sample(a, b).turned(2, mirror=False).swapped()
    assert bare.target is None and bare.mask is None and bare.hot is None
