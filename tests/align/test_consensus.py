"""The motion that tracked points agree on."""

from __future__ import annotations

import numpy as np
import pytest

from tita_cli.align.consensus import agree
from tita_cli.align.geometry import corners, transform
from tita_cli.align.tracks import Tracks

SIZE = (640, 360)


def _tracks(radial: float, *, elsewhere: bool = False, seed: int = 0) -> Tracks:
    """Points all over a frame, moved apart from its centre by ``radial`` pixels at half its width, the more (cubic) the
    farther out; ``elsewhere``: a quarter of the frame moves to the right by as much."""
    rng = np.random.default_rng(seed)
    points = rng.uniform((5, 5), np.array(SIZE) - 5, (600, 2))
    towards = (points - np.array(SIZE) / 2) / (SIZE[0] / 2)
    off = radial * towards * (towards**2).sum(axis=1, keepdims=True)
    if elsewhere:
        off = np.where(points[:, :1] > 0.75 * SIZE[0], (radial, 0.0), (0.0, 0.0))
    return Tracks(points + off + rng.normal(0.0, 0.1, points.shape), points, SIZE, len(points))


@pytest.mark.parametrize("radial", [8.0, -12.0])
def test_a_lens_that_changes_its_distortion_is_met_over_the_whole_frame(radial: float) -> None:
    found = agree(_tracks(radial), "homography")
    assert found is not None
    assert found.parameters[2] / radial > 0.25  # the middle alone hardly grows
    assert found.residual > 0.5


def test_a_part_that_moves_by_itself_decides_nothing() -> None:
    found = agree(_tracks(15.0, elsewhere=True), "homography")
    assert found is not None
    assert found.distance < 0.2
    assert found.residual < 0.2


def test_clouds_that_drift_the_more_the_higher_they_are_do_not_bend_the_motion_of_the_town() -> None:
    rng = np.random.default_rng(2)
    points = rng.uniform((5, 5), np.array(SIZE) - 5, (600, 2))
    height = np.clip(1.0 - points[:, 1:] / (0.45 * SIZE[1]), 0.0, None)
    off = height * (-7.0, -2.0) * (points[:, :1] < 0.8 * SIZE[0])
    noisy = points + off + rng.normal(0.0, 0.1, points.shape)
    found = agree(Tracks(noisy, points, SIZE, len(points)), "homography")
    assert found is not None
    moved = transform(found.matrix, corners(SIZE)) - corners(SIZE)
    assert np.hypot(*moved.T).max() < 0.6
