"""The plan: what is decoded and how often, and what a strategy gets."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tita_cli import Picture, fuse
from tita_cli.align import Calibration, find_frame
from tita_cli.align import frame as frame_module
from tita_cli.errors import InputError, UsageError
from tita_cli.fusion import source as source_module
from tita_cli.fusion.plan import Plan
from tita_cli.fusion.source import Source, describe_sources
from tita_cli.options import PerSource

PictureFile = Callable[..., Path]


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each file was decoded, by name."""
    counts: Counter[str] = Counter()
    original = source_module.read_picture

    def read(origin: Path, **options: object) -> Picture:
        counts[Path(origin).name] += 1
        return original(origin, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(source_module, "read_picture", read)
    return counts


def _files(picture_file: PictureFile, count: int) -> list[Path]:
    return [picture_file(f"{i}.png", color=i > 0, size=(120, 160), seed=1) for i in range(count)]


@pytest.mark.parametrize("count", [2, 5])
@pytest.mark.parametrize(
    "options", [{"align": "none"}, {}, {"border": "fill", "reference": 1}, {"deghost": True, "metadata": 1}]
)
def test_a_file_is_decoded_once(
    count: int, options: dict[str, object], picture_file: PictureFile, tiny_model: Path, decoded: Counter[str]
) -> None:
    files = _files(picture_file, count)
    fuse(files, model=str(tiny_model), **options)  # type: ignore[arg-type]
    assert decoded == {file.name: 1 for file in files}


def test_of_two_damaged_sources_the_first_is_told(picture_file: PictureFile) -> None:
    files = _files(picture_file, 3)
    for file in files[1:]:
        file.write_bytes(file.read_bytes()[:-300])
    with pytest.raises(InputError, match=r"1\.png"):
        Plan(describe_sources(files), align="none")


def test_the_pictures_of_one_stream_are_read_one_after_the_other(tmp_path: Path) -> None:
    from PIL import Image

    rng = np.random.default_rng(5)
    pages = [Image.fromarray(rng.integers(0, 256, (200, 300), np.uint8)) for _ in range(4)]
    pages[0].save(tmp_path / "stack.tif", save_all=True, append_images=pages[1:])
    with (tmp_path / "stack.tif").open("rb") as stream:
        plan = Plan(describe_sources([stream]), align="none")
    assert len(plan.looks) == 4
    for index, page in enumerate(pages):
        np.testing.assert_allclose(plan.read(index).pixels[..., 0] * 255, np.asarray(page), atol=1e-4)


def test_what_memory_does_not_hold_is_decoded_twice(picture_file: PictureFile, decoded: Counter[str]) -> None:
    files = _files(picture_file, 4)
    two = 2 * 120 * 160 * 3
    plan = Plan(describe_sources(files), align="none", budget=two)
    for index in range(4):
        plan.read(index)
        plan.release(index)
    # The first is grey, so that it and one in colour fit, and what is released leaves no room for what was looked at.
    assert decoded == {"0.png": 1, "1.png": 1, "2.png": 2, "3.png": 2}


@pytest.mark.parametrize(("threads", "ahead"), [(1, []), (2, ["1.png", "3.png"])])
def test_every_second_file_is_decoded_while_another_one_is(
    threads: int, ahead: list[str], picture_file: PictureFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = _files(picture_file, 4)
    elsewhere: list[str] = []
    original = Source.read

    def read(source: Source) -> Picture:
        if threading.current_thread() is not threading.main_thread():
            elsewhere.append(Path(source.name).name)
        return original(source)

    monkeypatch.setattr(Source, "read", read)
    plan = Plan(describe_sources(files), align="none", threads=threads)
    assert elsewhere == ahead
    assert [Path(look.name).name for look in plan.looks] == [file.name for file in files]


def test_of_two_damaged_files_the_first_is_named(picture_file: PictureFile, tmp_path: Path) -> None:
    files = _files(picture_file, 4)
    for file in files[1:3]:
        file.write_bytes(file.read_bytes()[:-400])
    with pytest.raises(InputError, match=r"1\.png"):
        Plan(describe_sources(files), align="none", threads=2)


def test_nothing_is_decoded_ahead_that_memory_does_not_hold(
    picture_file: PictureFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = _files(picture_file, 2)
    monkeypatch.setattr("tita_cli.fusion.look.free_memory", lambda: 8 * 120 * 160)
    monkeypatch.setattr("tita_cli.fusion.look.ThreadPoolExecutor", lambda *_: pytest.fail("a thread was started"))
    assert len(Plan(describe_sources(files), align="none", threads=2).looks) == 2


def test_a_budget_changes_no_sample(picture_file: PictureFile) -> None:
    files = _files(picture_file, 3)
    plans = [Plan(describe_sources(files), budget=budget) for budget in (0, 1 << 30)]
    for index in range(3):
        np.testing.assert_array_equal(*(plan.read(index).pixels for plan in plans))


@pytest.mark.parametrize(("budget", "kept"), [(1 << 30, True), (1000, False)])
def test_what_alignment_moved_is_kept_until_it_is_released(
    budget: int, kept: bool, picture_file: PictureFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = _files(picture_file, 2)
    moved = np.array([[1, 0, 2.5], [0, 1, 1.5], [0, 0, 1]])
    calibration = Calibration(((160, 120), (160, 120)), (np.eye(3), moved), 0, 1, 0.0)
    warped: list[str] = []
    original = frame_module.warp

    def warp(picture: Picture, *given: Any, **how: Any) -> Picture:
        warped.append(picture.name)
        return original(picture, *given, **how)

    monkeypatch.setattr(frame_module, "warp", warp)
    plan = Plan(describe_sources(files), calibration=calibration, budget=budget)
    moving = 1 - plan.reference
    first, second = plan.read(moving, again=True), plan.read(moving)
    np.testing.assert_array_equal(first.pixels, second.pixels)
    assert len(warped) == (1 if kept else 2)
    plan.release(moving)
    plan.read(moving)
    assert len(warped) == (2 if kept else 3)


def test_facts_belong_to_a_source() -> None:
    ramp = np.linspace(0, 1, 40 * 50, dtype=np.float32).reshape(40, 50, 1)
    sources = describe_sources([Picture(ramp), Picture(ramp)], polarity=PerSource(((1, "black-hot"),)))
    assert [source.polarity for source in sources] == [None, "black-hot"]
    plan = Plan(sources, align="none")
    np.testing.assert_array_equal(plan.read(0).pixels, ramp)
    np.testing.assert_array_equal(plan.read(1).pixels, 1 - ramp)


def test_a_source_may_come_with_facts_of_its_own(picture_file: PictureFile, tiny_model: Path) -> None:
    one, two = _files(picture_file, 2)
    inverted = fuse([one, two], model=str(tiny_model), polarity={"1.png": "black-hot"}, align="none").picture
    described = fuse([one, Source(two, polarity="black-hot")], model=str(tiny_model), align="none").picture
    plain = fuse([one, two], model=str(tiny_model), align="none").picture
    np.testing.assert_array_equal(described.pixels, inverted.pixels)
    assert np.abs(described.pixels - plain.pixels).max() > 0.1


def test_what_cannot_be_described(tmp_path: Path) -> None:
    picture = Picture(np.zeros((8, 8, 1), np.float32))
    with pytest.raises(UsageError, match="at least two"):
        describe_sources([picture])
    with pytest.raises(UsageError, match="`polarity`: there is no source 3"):
        describe_sources([picture, picture], polarity=PerSource(((2, "black-hot"),)))
    with pytest.raises(UsageError, match=r"`value_range`: there is no source called x\.tif"):
        describe_sources([picture, picture], value_range=PerSource((("x.tif", "full"),)))
    with pytest.raises(UsageError, match="`role` infrared: of which source"):
        describe_sources([picture, picture], role=PerSource.of("infrared"))
    with pytest.raises(InputError, match=r"no\.png"):
        describe_sources([picture, tmp_path / "no.png"])


def test_the_plan_aligns_as_align_pictures_does(picture_file: PictureFile) -> None:
    """One path: the same frame from files as from pictures."""
    rng = np.random.default_rng(3)
    wide = np.repeat(np.repeat(rng.random((30, 45), dtype=np.float32), 8, axis=0), 8, axis=1)
    pictures = [Picture(np.ascontiguousarray(wide[:, x : x + 320, None])) for x in (0, 5, 11)]
    plan = Plan(describe_sources(pictures), reference=1)
    frame = find_frame(3, pictures.__getitem__, reference=1)
    assert plan.frame is not None
    assert [placement.accepted for placement in frame.placements] == [True] * 3
    for one, two in zip(plan.placements, frame.placements, strict=True):
        np.testing.assert_array_equal(one.matrix, two.matrix)
    assert plan.frame.area == frame.area
    assert {plan.read(index).width for index in range(3)} == {frame.area.width}
