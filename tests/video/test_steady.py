"""Decisions that flicker become steady where nothing changes, and stay as they are where something does."""

from __future__ import annotations

import numpy as np
import pytest

from tita_cli.runtime.set_engine import Decision
from tita_cli.video.steady import Steady

SHAPE = (128, 128)


def decision(rng: np.random.Generator, share: np.ndarray, noise: float) -> Decision:
    """Shares of two sources on five levels, which err by ``noise``, each as a whole and in every place."""
    levels = []
    for level in range(6):
        part = share[:: 2**level, :: 2**level]
        one = np.clip(part + noise * (rng.normal(size=part.shape) + rng.normal()), 0, 1).astype(np.float32)
        levels.append(np.stack([one, 1 - one]))
    gains = tuple(np.zeros_like(level) for level in levels[:4])
    return Decision(tuple(levels), gains, np.full((16, 16), 0.3, np.float32), np.full((2, 3), 1 / 6, np.float32))


def still(rng: np.random.Generator) -> np.ndarray:
    import cv2

    smooth = cv2.GaussianBlur(rng.random((2, *SHAPE), dtype=np.float32).transpose(1, 2, 0), (0, 0), 4)
    return np.ascontiguousarray((0.5 + 4 * (smooth - 0.5)).transpose(2, 0, 1).clip(0, 1))


def seen(rng: np.random.Generator, scene: np.ndarray) -> np.ndarray:
    return (scene + rng.normal(0, 0.01, scene.shape)).astype(np.float32)


def test_flicker_is_far_less_than_halved_where_nothing_changes() -> None:
    rng = np.random.default_rng(0)
    scene, share, steady = still(rng), np.full(SHAPE, 0.5, np.float32), Steady(0.5)
    raw, settled = [], []
    for index in range(20):
        before = decision(rng, share, 0.1)
        raw.append(before.shares[0])
        settled.append(steady.settled(before, seen(rng, scene), index / 25).shares[0])
    flicker = [np.abs(np.diff(np.stack(part[8:]), axis=0)).mean() for part in (raw, settled)]
    assert flicker[1] < 0.2 * flicker[0]
    assert np.allclose(settled[-1].sum(0), 1, atol=1e-5)


def test_a_moving_target_leaves_no_trace() -> None:
    """Its share is 1 where it is and 0 elsewhere: one frame later it must be 0 where it was."""
    rng = np.random.default_rng(1)
    scene, steady = still(rng), Steady(0.5)
    for index in range(12):
        share, shown = np.zeros(SHAPE, np.float32), scene.copy()
        place = (slice(50, 66), slice(8 * index, 8 * index + 8))
        share[place], shown[1][place] = 1, 1
        settled = steady.settled(decision(rng, share, 0), seen(rng, shown), index / 25)
        assert settled.shares[0][0][place].mean() > 0.95
        behind = settled.shares[0][0][50:66, : 8 * index]
        assert behind.size == 0 or behind.mean() < 0.02


def test_shares_follow_a_moving_camera() -> None:
    rng = np.random.default_rng(2)
    wide = np.ascontiguousarray(np.tile(still(rng), (1, 1, 2)))
    share = np.tile(np.repeat(np.float32([0.2, 0.8]), 32), (128, 4)).astype(np.float32)
    steady, errors, raw = Steady(0.5), [], []
    for index in range(16):
        part = slice(3 * index, 3 * index + 128)
        fresh = decision(rng, share[:, part], 0.1)
        settled = steady.settled(fresh, seen(rng, wide[..., part]), index / 25)
        errors.append(np.abs(settled.shares[0][0] - share[:, part])[16:-16, 16:-16].mean())
        raw.append(np.abs(fresh.shares[0][0] - share[:, part])[16:-16, 16:-16].mean())
    assert np.mean(errors[8:]) < 0.7 * np.mean(raw[8:])


def test_another_scene_begins_anew() -> None:
    rng = np.random.default_rng(3)
    steady = Steady(0.5)
    for index in range(6):
        steady.settled(
            decision(rng, np.zeros(SHAPE, np.float32), 0), seen(rng, still(np.random.default_rng(7))), index / 25
        )
    settled = steady.settled(
        decision(rng, np.ones(SHAPE, np.float32), 0), seen(rng, still(np.random.default_rng(8))), 0.3
    )
    assert settled.shares[0][0].mean() > 0.9


def test_a_change_of_gain_is_no_change_of_scene() -> None:
    rng = np.random.default_rng(4)
    scene, steady = still(rng), Steady(0.5)
    for index in range(12):
        gain = 1.0 if index < 11 else 1.1
        settled = steady.settled(
            decision(rng, np.full(SHAPE, float(index == 11), np.float32), 0), seen(rng, gain * scene - 0.05), index / 25
        )
    assert settled.shares[0][0].mean() < 0.3


@pytest.mark.parametrize("seconds", [0, -1])
def test_without_it_every_frame_is_by_itself(seconds: float) -> None:
    rng = np.random.default_rng(5)
    given = decision(rng, np.zeros(SHAPE, np.float32), 0.1)
    assert Steady(seconds).settled(given, still(rng), 0.0) is given
