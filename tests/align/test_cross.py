"""Pairs of two modalities: found, recognised, refused; turned and mirrored frames; fits of known matches."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tita_cli.align import cross, find_frame
from tita_cli.align.cross import estimate_across, estimate_turned, measure_across
from tita_cli.align.displacements import basis, matrix_of, parameters_of
from tita_cli.align.features import features, sharpness
from tita_cli.align.fitting import disagreement, fit, starts
from tita_cli.align.geometry import FRAME, corner_error, corners, transform, translating
from tita_cli.align.matching import Matches
from tita_cli.align.pair import PairEstimator
from tita_cli.align.structure import View
from tita_cli.align.turned import turned_by, turned_starts

Scenes = SimpleNamespace
SIZE = (160, 120)  # of the features


def _matches(parameters: np.ndarray, *, outliers: float = 0.0, seed: int = 0) -> Matches:
    """Patches with a clear peak where ``parameters`` displace them, some of them anywhere."""
    rng = np.random.default_rng(seed)
    centres = np.stack(np.meshgrid(np.arange(16.0, 150, 16), np.arange(16.0, 110, 16)), -1).reshape(-1, 2)
    at = basis(centres, SIZE) @ parameters
    wild = rng.random(len(centres)) < outliers
    at[wild] = rng.uniform(-12, 12, (int(wild.sum()), 2))
    grid = np.arange(-12, 13)
    y, x = (np.exp(-0.5 * (grid - at[:, k, None]) ** 2) for k in (1, 0))
    chances = y[:, :, None] * x[:, None, :] + 1e-6
    return Matches(centres, (chances / chances.sum(axis=(1, 2), keepdims=True)).astype(np.float32), 12, 0.25)


def test_features_ignore_the_sign_of_contrast(scenes: Scenes) -> None:
    plane = scenes.scene(1, size=(128, 96))
    one, two = features(plane), features(1.0 - plane)
    assert one.shape == (48, 64, 16)
    np.testing.assert_allclose(one, two, atol=1e-3)
    assert sharpness() > 1.0


def test_a_blank_picture_has_no_features_at_its_border() -> None:
    found = features(np.full((96, 128), 0.8, np.float32))
    np.testing.assert_allclose(found, np.broadcast_to(found[24, 32], found.shape), atol=1e-3)


@pytest.mark.parametrize("ways", [(1, 1), (1, 0), (0, 1)])
def test_halves_that_disagree_make_a_motion_uncertain(ways: tuple[int, int]) -> None:
    one, other = (_matches(np.array([x, 0.0, 0, 0, 0, 0, 0, 0])) for x in (3.0, -3.0))
    alike = fit(one, SIZE, np.zeros(8), np.zeros(8))
    assert np.abs(disagreement(one, SIZE, alike, np.zeros(8))).max() < 0.05
    second = (np.floor(one.centres / 48).astype(int) @ ways % 2 == 1)[:, None, None]
    mixed = Matches(one.centres, np.where(second, one.chances, other.chances), one.reach, one.independent)
    either = fit(mixed, SIZE, np.zeros(8), np.zeros(8))
    assert disagreement(mixed, SIZE, either, np.zeros(8))[0, 0] > 1.5


@pytest.mark.parametrize("seed", [1, 4])
def test_what_shows_only_a_part_of_the_scene_is_not_wrong_and_accepted(scenes: Scenes, seed: int) -> None:
    scene = scenes.scene(seed)
    reference, source, truth = scenes.moved(scene, scene, scenes.motion(seed))
    height, width = source.shape
    clipped = np.ones_like(source)
    part = slice(height // 3, height // 2), slice(width // 2, 5 * width // 8)
    clipped[part] = source[part]
    found = PairEstimator().estimate(*(View.of(scenes.picture(plane), 640) for plane in (reference, clipped)))
    assert not found.accepted or corner_error(found.matrix, truth, (width, height)) * FRAME / width < 5.0


def test_a_motion_is_fitted_though_half_of_the_patches_match_anywhere() -> None:
    truth = np.array([4.0, -3.0, 2.0, -1.5, 0.4, -0.3, 0.5, 0.2])
    matches = _matches(truth, outliers=0.5)
    best = max(
        (fit(matches, SIZE, start, np.zeros(8), "homography") for start in starts(matches, SIZE)),
        key=lambda one: one.evidence,
    )
    off = basis(corners(SIZE), SIZE) @ (best.parameters - truth)
    assert np.hypot(*off.T).mean() < 0.8
    assert best.spread(SIZE) < 3.0
    assert best.evidence > 20.0


def test_the_score_is_for_the_simplest_motion_that_explains_the_matches() -> None:
    for model, truth in (("none", np.zeros(8)), ("translation", np.array([3.0, -2.0, 0, 0, 0, 0, 0, 0]))):
        matches = _matches(truth)
        fits = [fit(matches, SIZE, truth, np.zeros(8), other) for other in ("none", "translation", "homography")]
        assert max(fits, key=lambda one: one.score).model == model


def test_parameters_and_matrices() -> None:
    parameters = np.array([1.0, -2.0, 1.5, 0.5, 0.2, -0.1, 0.3, -0.2])
    np.testing.assert_allclose(parameters_of(matrix_of(parameters, SIZE), SIZE), parameters, atol=0.05)


@pytest.mark.parametrize("seed", [2, 3])
def test_infrared_is_moved_onto_visible(scenes: Scenes, seed: int) -> None:
    reference, source, truth = scenes.moved(scenes.scene(seed), scenes.scene(seed, kind="ir"), scenes.motion(seed))
    one, two = (View.of(scenes.picture(plane), 640) for plane in (reference, source))
    found = estimate_across(one, two, np.eye(3), "homography")
    size = source.shape[1], source.shape[0]
    assert found.accepted
    assert corner_error(found.matrix, truth, size) * FRAME / size[0] < 3.0
    measured = measure_across(one, two, truth)
    assert measured.accepted
    assert measured.residual is not None and measured.residual < 1.5
    assert not measure_across(one, two, translating(25.0, 9.0) @ truth).accepted


@pytest.mark.parametrize(
    ("quarters", "mirror", "words"), [(1, False, "turned by"), (2, False, "turned by 180°"), (0, True, "mirrored")]
)
def test_a_turned_or_mirrored_frame_is_found_and_named(scenes: Scenes, quarters: int, mirror: bool, words: str) -> None:
    plane, other = scenes.scene(4), scenes.scene(4, kind="ir")
    source = np.rot90(other[:, ::-1] if mirror else other, quarters)
    pictures = [scenes.picture(plane, "one"), scenes.picture(source, "two")]
    frame = find_frame(2, pictures.__getitem__)
    assert frame.placements[1].accepted
    assert any("two" in note and words in note for note in frame.notes)
    placed = frame.place(1, pictures[1], lambda: pictures[0]).pixels[..., 0]
    kept = frame.area
    inner = other[kept.top : kept.top + kept.height, kept.left : kept.left + kept.width]
    assert np.abs(placed - inner).mean() < 0.02


def test_turned_starts_lay_corner_on_corner() -> None:
    for matrix in turned_starts((40, 30), (80, 60)):
        moved = transform(matrix, corners((40, 30)))
        low, high = moved.min(axis=0), moved.max(axis=0)
        np.testing.assert_allclose([*low, *high], [0.5, 0.5, 78.5, 58.5], atol=1.0)
        assert turned_by(matrix) is not None
    assert len({turned_by(matrix) for matrix in turned_starts((40, 30), (80, 60))}) == 7
    assert turned_by(np.eye(3)) is None


def test_how_a_frame_is_turned_is_said_of_the_frame() -> None:
    clockwise = np.array([[0, -1, 29], [1, 0, 0], [0, 0, 1.0]])  # reference → source: what np.rot90(…, -1) does
    assert turned_by(np.linalg.inv(clockwise)) == "turned by 90° clockwise"
    assert turned_by(clockwise) == "turned by 90° counter-clockwise"


def test_what_fits_as_it_lies_is_not_sought_turned(scenes: Scenes) -> None:
    one, two = (View.of(scenes.picture(scenes.scene(4, kind=kind)), 640) for kind in ("visible", "ir"))
    assert estimate_turned(one, two, np.eye(3)) is None
    other = View.of(scenes.picture(scenes.scene(54, kind="ir")), 640)
    found = estimate_turned(one, other, np.eye(3))
    assert found is None or not found.accepted


def test_a_simple_motion_is_no_better_known_than_the_richest(scenes: Scenes) -> None:
    one, two = (View.of(scenes.picture(scenes.scene(3, kind=kind)), 640) for kind in ("visible", "ir"))
    simple, rich = (estimate_across(one, two, np.eye(3), "homography", exact=exact) for exact in (False, True))
    assert simple.model == "none"
    assert simple.confidence <= rich.confidence + 0.01


def test_a_disturbed_start_that_ends_in_a_higher_peak_is_followed(
    scenes: Scenes, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = (View.of(scenes.picture(scenes.scene(3, kind=kind)), 640) for kind in ("visible", "ir"))
    right = estimate_across(one, two, np.eye(3), "homography", exact=True)
    converged, ends = cross._Pair._converged, []

    def first_elsewhere(pair: Any, canvas: Any, matrix: Any, models: Any, near: Any) -> Any:
        end = converged(pair, canvas, matrix, models, near)
        if not ends:  # as from a lower peak beside it
            beside = translating(9.0, -9.0) @ end.richest
            end = end._replace(found=replace(end.found, matrix=beside), score=end.score - 9.0)
        ends.append(end)
        return end

    monkeypatch.setattr(cross._Pair, "_converged", first_elsewhere)
    found = estimate_across(one, two, np.eye(3), "homography", exact=True)
    assert len(ends) == 3
    assert corner_error(found.matrix, right.matrix, two.full) < 2.0
