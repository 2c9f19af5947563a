"""Stacks: the order in which they are looked at, what is kept of them, and their borders."""

from __future__ import annotations

from itertools import combinations
from types import SimpleNamespace

import cv2
import imagecodecs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from tita_cli.align import align_pictures, find_frame
from tita_cli.align.estimator import Estimate
from tita_cli.align.geometry import corner_error, scaling, translating
from tita_cli.align.pair import PairEstimator
from tita_cli.align.sequence import capture_order, choose_reference
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


def test_a_stack_of_any_length_takes_the_memory_of_three_frames(scenes: Scenes) -> None:
    class Measured(PairEstimator):
        bytes = 0

        def view(self, picture: Picture, pixels: int | None = None) -> View:
            view = super().view(picture, pixels)
            self.bytes += view.plane.nbytes
            return view

    wide = scenes.scene(7, size=(1300, 900))
    color = Picture(np.repeat(wide[..., None], 3, axis=2))
    estimator = Measured()
    find_frame(30, lambda _: color, estimator=_OnlyViews(estimator))
    assert estimator.bytes <= 3 * color.pixels.nbytes


class _OnlyViews:
    """Makes views as another estimator does, and finds nothing."""

    def __init__(self, estimator: PairEstimator) -> None:
        self._estimator = estimator

    def view(self, picture: Picture, pixels: int | None = None) -> View:
        return self._estimator.view(picture, pixels)

    def estimate(self, reference: View, source: View, **_: object) -> Estimate:
        return Estimate("translation", np.eye(3), 1.0, 0.0, True)

    def near(self, reference: View, source: View, guess: np.ndarray, **_: object) -> Estimate | None:
        return None

    def measure(self, reference: View, source: View, matrix: np.ndarray) -> Estimate:
        raise NotImplementedError

    def refine(self, reference: View, source: View, found: Estimate) -> Estimate:
        raise NotImplementedError


class _Told(_OnlyViews):
    """An estimator that knows by how much every view is off, and what it was asked."""

    def __init__(self, shifts: dict[str, float], refused: set[str] = frozenset(), wrong: set = frozenset()) -> None:
        self.shifts, self.refused, self.wrong = shifts, refused, wrong
        self.asked: list[tuple[str, str]] = []
        self.wide: list[bool] = []

    def view(self, picture: Picture, pixels: int | None = None) -> View:
        view = View(picture.pixels[..., 0], (picture.width, picture.height))
        view.name = picture.name  # type: ignore[attr-defined]
        return view

    def estimate(self, reference: View, source: View, *, wide: bool = True, **_: object) -> Estimate:
        self.wide.append(wide)
        pair = reference.name, source.name  # type: ignore[attr-defined]
        self.asked.append(pair)
        shift = self.shifts[pair[1]] - self.shifts[pair[0]] + (20.0 if pair in self.wrong else 0.0)
        return Estimate("translation", translating(shift, 0.0), float(not self.refused & set(pair)), 0.1, True)

    def near(self, reference: View, source: View, guess: np.ndarray, **_: object) -> Estimate | None:
        return self.estimate(reference, source)


class _OneWay(_OnlyViews):
    """An estimator that finds a pair, twice as large in the wider picture, with the narrower one for reference only."""

    def __init__(self) -> None:
        super().__init__(PairEstimator())
        self.asked = 0

    def estimate(self, reference: View, source: View, **_: object) -> Estimate:
        self.asked += 1
        found = reference.full < source.full
        return Estimate("similarity", scaling(0.5) @ translating(-10.0, -20.0), float(found), 0.25, False)


@pytest.mark.parametrize("reference", [0, 1])
def test_a_pair_of_unlike_sizes_is_sought_from_either(reference: int, scenes: Scenes) -> None:
    wide, narrow = scenes.picture(scenes.scene(3, size=(400, 300))), scenes.picture(scenes.scene(3, size=(160, 120)))
    estimator = _OneWay()
    frame = find_frame(2, [wide, narrow].__getitem__, reference=reference, estimator=estimator)
    placement = frame.placements[1 - reference]
    onto_narrow = scaling(0.5) @ translating(-10.0, -20.0)
    assert placement.accepted and placement.model == "similarity"
    np.testing.assert_allclose(placement.matrix, onto_narrow if reference else np.linalg.inv(onto_narrow), atol=1e-9)
    assert placement.residual == pytest.approx(0.25 if reference else 0.5)
    assert estimator.asked == (1 if reference else 2)


def test_a_pair_of_one_size_is_refused_at_once(scenes: Scenes) -> None:
    same = scenes.picture(scenes.scene(3, size=(160, 120)))
    estimator = _OneWay()
    assert not find_frame(2, lambda _: same, estimator=estimator).placements[1].accepted
    assert estimator.asked == 1


def _named(scenes: Scenes, names: str) -> list[Picture]:
    return [scenes.picture(plane, name) for plane, name in zip(_stack(scenes, len(names)), names, strict=True)]


def test_neighbours_are_compared_with_neighbours(scenes: Scenes) -> None:
    pictures = _named(scenes, "badc")
    estimator = _Told({"a": 0.0, "b": 1.0, "c": 5.0, "d": 7.0})
    frame = find_frame(4, pictures.__getitem__, reference=0, estimator=estimator)
    np.testing.assert_allclose([placement.matrix[0, 2] for placement in frame.placements], [0.0, -1.0, 6.0, 4.0])
    assert estimator.asked == [("a", "b"), ("b", "c"), ("c", "d"), ("a", "c"), ("b", "d")]  # by name


def test_an_estimate_that_contradicts_the_others_does_not_count(scenes: Scenes) -> None:
    pictures = _named(scenes, "abcdefg")
    shifts = {name: 4.0 * index for index, name in enumerate("abcdefg")}
    frame = find_frame(7, pictures.__getitem__, estimator=_Told(shifts, wrong={("c", "d")}))
    for index, placement in enumerate(frame.placements):
        assert placement.matrix[0, 2] == pytest.approx(4.0 * index, abs=0.3)


def test_an_outlier_is_left_out(scenes: Scenes) -> None:
    pictures = _named(scenes, "abcde")
    estimator = _Told({"a": 0.0, "b": 3.0, "c": 6.0, "d": 9.0, "e": 12.0}, refused={"c"})
    frame = find_frame(5, pictures.__getitem__, estimator=estimator)
    assert frame.left_out == (2,)
    assert [placement.matrix[0, 2] for placement in frame.placements] == pytest.approx([0.0, 3.0, 0.0, 9.0, 12.0])
    assert frame.notes == ("c: cannot be aligned to a with confidence (0.00): left out",)
    assert frame.placements[2].describe()["model"] == "not aligned"
    with pytest.raises(MismatchError, match="c: cannot"):
        find_frame(5, pictures.__getitem__, mode="strict", estimator=estimator)


def test_frames_that_do_not_fit_at_all_stay(scenes: Scenes) -> None:
    frame = find_frame(3, _named(scenes, "abc").__getitem__, estimator=_Told(dict.fromkeys("abc", 0.0), set("abc")))
    assert frame.left_out == ()
    assert len(frame.notes) == 2


def test_many_pictures_that_do_not_fit_are_given_up_early(scenes: Scenes) -> None:
    names = "abcdefghij"
    estimator = _Told(dict.fromkeys(names, 0.0), set(names))
    frame = find_frame(10, _named(scenes, names).__getitem__, estimator=estimator)
    assert estimator.wide == [True, True] + [False] * 15  # two pairs, seven more neighbours, eight second ones
    assert frame.left_out == ()
    assert len(frame.notes) == 10
    assert "no two of these 10 pictures" in "".join(frame.notes)


@pytest.mark.parametrize("refused", ["b", "abcd", "bdfh"])
def test_a_set_with_outliers_is_looked_through(scenes: Scenes, refused: str) -> None:
    names = "abcdefghij"
    estimator = _Told({name: 2.0 * index for index, name in enumerate(names)}, set(refused))
    frame = find_frame(10, _named(scenes, names).__getitem__, reference=9, estimator=estimator)
    assert frame.left_out == tuple(names.index(name) for name in refused)
    assert not any("no two" in note for note in frame.notes)


def test_the_reference_is_where_little_is_cropped_and_no_detail_is_lost() -> None:
    size = (600, 400)
    tele = [np.diag([1.02**i, 1.02**i, 1.0]) for i in range(5)]  # the last shows the most of the scene
    assert choose_reference(dict(enumerate(tele)), [size] * 5) == 0
    assert choose_reference({4 - i: m for i, m in enumerate(tele)}, [size] * 5) == 4
    assert choose_reference(dict.fromkeys(range(5), np.eye(3)), [size] * 5) == 0


def test_order_of_capture() -> None:
    assert capture_order([("x10.jpg", None), ("x9.jpg", None), ("x8.jpg", None)]) == [2, 1, 0]

    def exif(second: int) -> bytes:
        block = Image.Exif()
        block.get_ifd(0x8769)[0x9003] = f"2026:01:01 10:00:{second:02}"
        return block.tobytes()

    assert capture_order([("a", exif(30)), ("b", exif(9)), ("c", exif(10))]) == [1, 2, 0]
    assert capture_order([("b", exif(30)), ("a", None)]) == [1, 0]
    assert capture_order([("b", b"Exif"), ("a", b"")]) == [1, 0]


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
        assert (placement.residual is None) == (index == 0)  # the reference has none


@settings(deadline=None, max_examples=60)
@given(hnp.arrays(bool, st.tuples(st.integers(3, 40), st.integers(3, 40)), elements=st.booleans()))
def test_the_common_area_is_valid_everywhere(mask: np.ndarray) -> None:
    area = common_area(mask)
    if area is None:
        assert not mask.any()
    else:
        assert area.cut(mask).all()
        assert area.width * area.height > 0


@settings(deadline=None, max_examples=60)
@given(hnp.arrays(bool, st.tuples(st.integers(1, 9), st.integers(1, 9)), elements=st.booleans()))
def test_no_rectangle_of_a_small_mask_is_larger_than_the_common_area(mask: np.ndarray) -> None:
    height, width = mask.shape
    areas = [
        (bottom - top) * (right - left)
        for top, bottom in combinations(range(height + 1), 2)
        for left, right in combinations(range(width + 1), 2)
        if mask[top:bottom, left:right].all()
    ]
    area = common_area(mask)
    assert max(areas, default=0) == (0 if area is None else area.width * area.height)


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
