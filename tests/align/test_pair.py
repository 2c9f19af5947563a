"""Pairs whose motion is known: found where it can be, refused where it cannot, left alone where there is none."""

from __future__ import annotations

from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from tita_cli.align import align_pictures
from tita_cli.align.geometry import FRAME, corner_error, translating
from tita_cli.align.pair import _elsewhere
from tita_cli.align.structure import View
from tita_cli.errors import MismatchError, UsageError

Scenes = SimpleNamespace


def _exposed(plane: np.ndarray, stops: float) -> np.ndarray:
    return np.clip(plane * 2.0**stops, 0.0, 1.0) ** np.float32(0.8)


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("other", ["exposure", "focus", "infrared"])
def test_a_registered_pair_keeps_its_pixels(scenes: Scenes, seed: int, other: str) -> None:
    plane = scenes.scene(seed)
    source = {
        "exposure": _exposed(plane, 1.0),
        "focus": cv2.GaussianBlur(plane, (0, 0), 2.0),
        "infrared": scenes.scene(seed, kind="ir"),
    }[other]
    pictures = [scenes.picture(plane), scenes.picture(source)]
    alignment = align_pictures(pictures)
    assert [placement.model for placement in alignment.placements] == ["none", "none"]
    assert all(placement.accepted for placement in alignment.placements)
    assert all(out.pixels is given.pixels for out, given in zip(alignment.pictures, pictures, strict=True))
    assert not alignment.notes


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize(("other", "limit"), [("exposure", 0.5), ("focus", 1.0), ("infrared", 4.0)])
def test_a_homography_is_found(scenes: Scenes, seed: int, other: str, limit: float) -> None:
    plane = scenes.scene(seed)
    reference, source, truth = scenes.moved(
        plane, scenes.scene(seed, kind="ir") if other == "infrared" else plane, scenes.motion(seed)
    )
    source = {"exposure": _exposed(source, 1.0), "focus": cv2.GaussianBlur(source, (0, 0), 1.5)}.get(other, source)
    found = align_pictures([scenes.picture(reference), scenes.picture(source)], border="fill").placements[1]
    size = source.shape[1], source.shape[0]
    assert found.accepted
    assert corner_error(found.matrix, truth, size) * FRAME / size[0] < limit


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_frame_that_moved_far_is_found_without_the_search_between_modalities(
    scenes: Scenes, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    unwanted = "tita_cli.align.pair.estimate_across"
    monkeypatch.setattr(unwanted, lambda *_, **__: pytest.fail("slow, and meant for other pairs"))
    grain = cv2.GaussianBlur(np.random.default_rng(seed).random((480, 640), dtype=np.float32), (0, 0), 2.0)
    plane = np.clip(0.5 + 4.0 * (grain - 0.5), 0.0, 1.0)  # too fine for the small pictures of a pyramid
    reference, source, truth = scenes.moved(plane, _exposed(plane, -2.0), translating(62.0, -35.0))
    found = align_pictures([scenes.picture(reference), scenes.picture(source)], border="fill").placements[1]
    assert found.accepted
    assert corner_error(found.matrix, truth, (source.shape[1], source.shape[0])) * FRAME / source.shape[1] < 1.0


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_fixed_pattern_of_a_sensor_is_no_motion(scenes: Scenes, seed: int) -> None:
    """Most of the frame is dark, where the sensor's pattern is all there is to be seen; it stays where it is."""
    size = (640, 480)
    scene = scenes.scene(seed, size=size)
    scene[:, 260:] = 0.1
    pattern = np.random.default_rng(seed).normal(0.0, 0.02, scene.shape)
    truth = translating(-4.0, 2.5)
    moved = cv2.warpPerspective(scene, truth, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    reference, source = (np.clip(plane + pattern, 0.0, 1.0).astype(np.float32) for plane in (moved, scene))
    found = align_pictures([scenes.picture(reference), scenes.picture(source)], mode="similarity").placements[1]
    assert found.accepted
    assert np.abs(found.matrix[:2, 2] - truth[:2, 2]).max() < 1.0


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_unrelated_pictures_are_refused_and_stay(scenes: Scenes, seed: int) -> None:
    pictures = [scenes.picture(scenes.scene(seed), "one"), scenes.picture(scenes.scene(seed + 50, kind="ir"), "two")]
    alignment = align_pictures(pictures)
    assert not alignment.placements[1].accepted
    assert alignment.pictures[1].pixels is pictures[1].pixels
    assert len(alignment.notes) == 1
    assert "two" in alignment.notes[0]
    with pytest.raises(MismatchError, match="two"):
        align_pictures(pictures, mode="strict")


def test_pictures_without_structure_are_refused(scenes: Scenes) -> None:
    flat = np.full((320, 400), 0.5, np.float32)
    for pair in ([flat, scenes.scene(1)], [scenes.scene(1), flat], [flat, flat]):
        assert not align_pictures([scenes.picture(plane) for plane in pair]).placements[1].accepted


def test_a_small_thermal_picture_inside_a_large_photograph(scenes: Scenes) -> None:
    """A 160×120 picture that shows the middle 60 % of a 2-megapixel one."""
    large = scenes.scene(5, size=(1600, 1200))
    inside = scenes.scene(5, kind="ir", size=(1600, 1200))[240:960, 320:1280]
    small = cv2.resize(inside, (160, 120), interpolation=cv2.INTER_AREA)
    found = align_pictures([scenes.picture(large), scenes.picture(small)], border="fill").placements[1]
    truth = np.array([[6.0, 0, 320 + 2.5], [0, 6.0, 240 + 2.5], [0, 0, 1]])
    assert found.accepted
    assert corner_error(found.matrix, truth, (160, 120)) * FRAME / 1600 < 4.0


def test_only_the_model_that_was_asked_for(scenes: Scenes) -> None:
    plane = scenes.scene(1)
    shift = np.array([[1.0, 0, 7.0], [0, 1.0, -4.0], [0, 0, 1.0]])
    reference, source, truth = scenes.moved(plane, plane, shift)
    pictures = [scenes.picture(reference), scenes.picture(source)]
    found = align_pictures(pictures, mode="translation").placements[1]
    assert found.model == "translation"
    np.testing.assert_allclose(found.matrix, truth, atol=0.1)
    assert (
        align_pictures(pictures).placements[1].model == "translation"
    )  # auto takes the simplest that explains the pair


def test_pictures_that_fit_neither_in_size_nor_in_content(scenes: Scenes) -> None:
    pictures = [scenes.picture(scenes.scene(1)), scenes.picture(scenes.scene(51, size=(300, 200)), "two")]
    with pytest.raises(MismatchError, match="two is 300×200"):
        align_pictures(pictures)


def test_what_makes_no_sense(scenes: Scenes) -> None:
    one = scenes.picture(scenes.scene(1))
    with pytest.raises(UsageError):
        align_pictures([])
    with pytest.raises(UsageError, match="no source 3"):
        align_pictures([one, one], reference=2)


def test_edges_that_agree_in_sign_do_not_decide_between_modalities(
    scenes: Scenes, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tita_cli.align import pair
    from tita_cli.align.structure import View

    plane = scenes.scene(2)
    one, two = (View.of(scenes.picture(picture), 640) for picture in (plane, np.roll(plane, 4, axis=1)))
    found = pair.PairEstimator().estimate(one, two)
    assert found.same_kind and found.accepted and found.model == "translation"
    monkeypatch.setattr(pair, "_correlation", lambda *given: 0.4)
    assert not pair.PairEstimator().estimate(one, two).same_kind


def test_a_large_motion_is_no_model_none(scenes: Scenes) -> None:
    plane = scenes.scene(5)
    turn = cv2.getRotationMatrix2D((200, 160), 35, 1.0)
    source = cv2.warpAffine(plane, turn, (400, 320), borderMode=cv2.BORDER_REFLECT_101)
    found = align_pictures([scenes.picture(plane), scenes.picture(source)], border="fill").placements[1]
    assert found.accepted
    assert (found.model == "none") == bool(np.allclose(found.matrix, np.eye(3)))
    assert corner_error(found.matrix, np.linalg.inv(np.vstack([turn, [0, 0, 1]])), (400, 320)) < 3.0


def _page(seed: int) -> np.ndarray:
    """240×160: ruled lines 12 pixels apart, with words between them."""
    rng = np.random.default_rng(seed)
    plane = np.full((160, 240), 0.6, np.float32)
    for top in range(0, 156, 12):
        plane[top] = 0.1
        words = (rng.random((1, 40)) < 0.5).astype(np.float32)
        plane[top + 4 : top + 9] -= 0.4 * cv2.resize(words, (240, 1), interpolation=cv2.INTER_NEAREST)
    return cv2.GaussianBlur(plane, (0, 0), 0.8)


@pytest.mark.parametrize("seed", [1, 2])
def test_a_pattern_that_repeats_is_not_matched_a_period_off(seed: int) -> None:
    page = _page(seed)
    one, two = View(page, (240, 160)), View(np.roll(page, 24, axis=0), (240, 160))
    assert _elsewhere(one, two, translating(0.0, -24.0)) is None
    for wrong in (-12.0, -36.0):
        found = _elsewhere(one, two, translating(0.0, wrong))
        assert found is not None
        np.testing.assert_allclose(found[:2, 2], (0.0, -24.0), atol=3.0)
