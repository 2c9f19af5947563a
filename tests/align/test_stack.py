"""Stacks: the order in which they are looked at, what is kept of them, and their borders."""

from __future__ import annotations

import gc
from types import SimpleNamespace

import cv2
import imagecodecs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tita_cli.align import align_pictures, find_frame
from tita_cli.align.estimator import Estimate
from tita_cli.align.geometry import corner_error, translating
from tita_cli.align.structure import View
from tita_cli.align.warp import common_area, filled
from tita_cli.errors import MismatchError, UsageError
from tita_cli.images.picture import Metadata, Picture
from tita_cli.images.profile import to_profile

Scenes = SimpleNamespace


def _stack(scenes: Scenes, count: int) -> list[np.ndarray]:
    """Frames of a scene that moves on by 3 pixels each."""
    wide = scenes.scene(7, size=(520, 320))
    return [np.ascontiguousarray(wide[:, 3 * i : 3 * i + 440]) for i in range(count)]


def test_every_frame_of_a_stack_goes_to_the_reference(scenes: Scenes) -> None:
    alignment = align_pictures([scenes.picture(plane) for plane in _stack(scenes, 5)], reference=2)
    for index, placement in enumerate(alignment.placements):
        truth = np.array([[1.0, 0, 3.0 * (index - 2)], [0, 1.0, 0], [0, 0, 1.0]])
        assert corner_error(placement.matrix, truth, placement.size) < 0.2
    assert {picture.size for picture in alignment.pictures} == {"428×320"}
    middle = alignment.pictures[2].pixels[8:-8, 8:-8]
    for picture in alignment.pictures:
        np.testing.assert_allclose(picture.pixels[8:-8, 8:-8], middle, atol=0.05)


def test_a_stack_of_any_length_is_held_as_three_pictures(scenes: Scenes) -> None:
    gc.collect()
    before = sum(type(thing) is View for thing in gc.get_objects())
    frames = _stack(scenes, 8)
    most = 0

    def read(index: int) -> Picture:
        nonlocal most
        gc.collect()
        most = max(most, sum(type(thing) is View for thing in gc.get_objects()) - before)
        return scenes.picture(frames[index])

    find_frame(len(frames), read)
    assert 1 <= most <= 2  # and the one that is made of what was read


class _Told:
    """An estimator that knows by how much every view is off, and what it was asked."""

    def __init__(self, shifts: dict[str, float], refused: set[tuple[str, str]]) -> None:
        self.shifts, self.refused = shifts, refused
        self.asked: list[tuple[str, str]] = []

    def view(self, picture: Picture) -> View:
        view = View(picture.pixels[..., 0], (picture.width, picture.height))
        view.name = picture.name  # type: ignore[attr-defined]
        return view

    def estimate(self, reference: View, source: View, *, guess: np.ndarray | None = None, **_: object) -> Estimate:
        pair = reference.name, source.name  # type: ignore[attr-defined]
        self.asked.append(pair)
        shift = self.shifts[pair[1]] - self.shifts[pair[0]]
        return Estimate("translation", translating(shift, 0.0), float(pair not in self.refused), 0.0, True)

    def measure(self, reference: View, source: View, matrix: np.ndarray) -> Estimate:
        return Estimate("homography", matrix, 1.0, 0.0, True)

    def refine(self, reference: View, source: View, found: Estimate) -> Estimate:
        return found


def test_the_estimator_of_pairs_can_be_replaced(scenes: Scenes) -> None:
    names = ["a", "b", "c", "d"]
    pictures = [scenes.picture(plane, name) for plane, name in zip(_stack(scenes, 4), names, strict=True)]
    estimator = _Told({"a": 0.0, "b": 1.0, "c": 5.0, "d": 7.0}, refused={("b", "d")})
    frame = find_frame(4, pictures.__getitem__, reference=1, estimator=estimator)
    assert [placement.matrix[0, 2] for placement in frame.placements] == [-1.0, 0.0, 4.0, 6.0]
    # Outwards from the reference; what is refused is reached through its neighbour on the same side.
    assert estimator.asked == [("b", "c"), ("b", "d"), ("c", "d"), ("b", "d"), ("b", "a")]


def _moved_pair(scenes: Scenes) -> list:
    one, *_, two = _stack(scenes, 6)
    return [scenes.picture(one * 0.5 + 0.5), scenes.picture(two * 0.5 + 0.5)]


def test_what_a_transparent_reference_fills_is_transparent() -> None:
    pixels, valid = np.full((4, 6, 1), 0.7, np.float32), np.ones((4, 6), bool)
    valid[:, :3] = False
    alpha = np.ones((4, 6), np.float32)
    alpha[:, :2] = 0
    done = filled(Picture(pixels), Picture(np.zeros_like(pixels), alpha=alpha), valid)
    assert done.alpha is not None
    np.testing.assert_array_equal(done.alpha, alpha)
    assert filled(Picture(pixels), Picture(np.zeros_like(pixels)), valid).alpha is None


def test_what_fills_has_the_colours_of_the_picture() -> None:
    primaries = [0.64, 0.33, 1, 0.30, 0.60, 1, 0.15, 0.06, 1]  # sRGB's
    linear = imagecodecs.cms_profile("rgb", whitepoint=(0.3127, 0.3290, 1.0), primaries=primaries, gamma=1.0)
    color = np.full((4, 6, 3), 0.2, np.float32)
    reference = Picture(color, depth=16, metadata=Metadata(icc=linear))
    done = filled(Picture(np.ones_like(color), depth=16), reference, np.zeros((4, 6), bool))
    assert done.metadata.icc is None
    np.testing.assert_allclose(done.pixels, to_profile(reference, None).pixels)
    assert done.pixels.min() > 0.4  # linear 0.2 is sRGB 0.48


def test_pictures_of_other_sizes_need_alignment() -> None:
    pictures = [Picture(np.zeros((100, width, 1), np.float32)) for width in (100, 120)]
    with pytest.raises(MismatchError, match="is 120×100 but"):
        align_pictures(pictures)
    with pytest.raises(UsageError):
        align_pictures(pictures, mode="none")


def test_crop_leaves_no_black_wedge(scenes: Scenes) -> None:
    alignment = align_pictures(_moved_pair(scenes), border="crop")
    assert alignment.placements[1].model == "translation"
    for picture in alignment.pictures:
        assert picture.size == "425×320"
        assert picture.pixels.min() >= 0.5  # the scene has nothing darker


def test_fill_takes_the_reference_where_the_source_shows_nothing(scenes: Scenes) -> None:
    pictures = _moved_pair(scenes)
    alignment = align_pictures(pictures, border="fill")
    one, two = (picture.pixels for picture in alignment.pictures)
    assert one.shape == two.shape == pictures[0].pixels.shape
    np.testing.assert_array_equal(one[:, :14], two[:, :14])
    assert two.min() >= 0.5
    assert alignment.pictures[1].alpha is None


def test_mask_makes_that_transparent(scenes: Scenes) -> None:
    for picture in align_pictures(_moved_pair(scenes), border="mask").pictures:
        assert picture.alpha is not None
        assert (picture.alpha[:, :14] == 0).all()
        assert (picture.alpha[:, 16:] == 1).all()


def test_a_frame_that_cannot_be_placed_is_reached_by_way_of_its_neighbour(scenes: Scenes) -> None:
    """The ends of the stack share a fifth of what they show, neighbours most of it."""
    wide = scenes.scene(11, size=(900, 320))
    frames = [np.ascontiguousarray(wide[:, 110 * i : 110 * i + 400]) for i in range(4)]
    pictures = [scenes.picture(plane, f"frame {i}") for i, plane in enumerate(frames)]
    placements = align_pictures(pictures, border="fill").placements
    for index, placement in enumerate(placements):
        truth = np.array([[1.0, 0, 110.0 * index], [0, 1.0, 0], [0, 0, 1.0]])
        assert placement.accepted
        assert corner_error(placement.matrix, truth, placement.size) < 3.0
        assert placement.residual is not None


@settings(deadline=None, max_examples=60)
@given(hnp.arrays(bool, st.tuples(st.integers(3, 40), st.integers(3, 40)), elements=st.booleans()))
def test_the_common_area_is_valid_everywhere(mask: np.ndarray) -> None:
    area = common_area(mask)
    if area is None:
        assert not mask.any()
    else:
        assert area.cut(mask).all()
        assert area.width * area.height > 0


@pytest.mark.parametrize("angle", [0.5, 3.0, 10.0])
def test_the_common_area_of_a_turned_frame_is_nearly_the_largest(angle: float) -> None:
    size = 640, 480
    turn = cv2.getRotationMatrix2D((319.5, 239.5), angle, 1.0)
    mask = cv2.warpAffine(np.ones((480, 640), np.uint8), turn, size, flags=cv2.INTER_NEAREST) > 0
    area = common_area(mask)
    assert area is not None
    assert area.cut(mask).all()
    # The sides of the largest upright rectangle inside one of 640×480 that is turned by a small angle.
    s, c = np.sin(np.deg2rad(angle)), np.cos(np.deg2rad(angle))
    largest = (640 * c - 480 * s) * (480 * c - 640 * s) / (c * c - s * s) ** 2
    assert area.width * area.height > 0.97 * largest
