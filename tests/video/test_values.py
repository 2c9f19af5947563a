"""One range for a clip, that follows slow changes."""

from __future__ import annotations

import numpy as np

from tita_cli.images.value_range import ValueRange
from tita_cli.video.frame import Layout
from tita_cli.video.values import Values

COUNTS = Layout(64, 64, "gray16le", 16, False, True, 0, {})
LIMITED = Layout(64, 64, "yuv420p", 8, True, False, 0, {})


def counts(low: float, high: float) -> np.ndarray:
    return np.linspace(low, high, 64 * 64).reshape(64, 64).astype(np.uint16)


def of_counts(low: float, high: float, *, follows: bool, inverted: bool = False) -> Values:
    return Values(COUNTS, ValueRange(low / 65535, high / 65535), follows=follows, inverted=inverted)


def test_limited_range_is_stretched_to_black_and_white() -> None:
    values = Values(LIMITED, None, follows=False, inverted=False)
    codes = np.array([[0, 16, 126, 235, 255]], np.uint8)
    np.testing.assert_allclose(values.luminance(codes, 0), [[0, 0, 110 / 219, 1, 1]], atol=1e-6)


def test_black_hot_is_turned_around() -> None:
    values = of_counts(1000, 3000, follows=False, inverted=True)
    np.testing.assert_allclose(
        values.luminance(np.array([[1000, 1500, 3000]], np.uint16), 0), [[1, 0.75, 0]], atol=1e-3
    )


def test_a_warm_thing_that_passes_does_not_change_the_rest() -> None:
    """By itself, each frame's own range would make the background darker by a fifth."""
    values = of_counts(1000, 2000, follows=True)
    before = values.luminance(counts(1000, 2000), 0.0)[10, 10]
    for index in range(5):
        warmer = counts(1000, 2000)
        warmer[40:44] = 2250
        now = values.luminance(warmer, 0.04 * (index + 1))[10, 10]
    assert abs(now - before) < 0.02


def test_a_slow_change_is_followed_and_another_gain_taken_at_once() -> None:
    values = of_counts(1000, 2000, follows=True)
    for index in range(200):
        shown = values.luminance(counts(1400, 2400), 0.1 * index)
    assert shown.min() < 0.02 and 0.95 < shown.mean() / 0.5 < 1.05
    shown = values.luminance(counts(20000, 30000), 20.1)
    assert shown.min() < 0.02 and shown.max() > 0.98


def test_a_range_that_was_told_stays() -> None:
    values = of_counts(1000, 2000, follows=False)
    assert values.luminance(counts(20000, 30000), 0.0).min() == 1
