"""Exposure brackets and focus bursts by EXIF."""

from __future__ import annotations

import os
import struct
from pathlib import Path, PurePosixPath

import pytest
from PIL import Image
from PIL.ExifTags import Base

from tita_cli.errors import MismatchError
from tita_cli.images.formats import FORMATS
from tita_cli.pairing import Plan, Wishes, pair_folder
from tita_cli.pairing.capture import read_capture
from tita_cli.pairing.scan import ImageFile

EXIF_BLOCK = 0x8769


def shoot(
    path: Path,
    *,
    at: str = "12:00:00",
    time: float | None = 0.01,
    fraction: str | None = None,
    bias: float | None = None,
    iso: int | None = 100,
    model: str = "Cam",
    size: tuple[int, int] = (4, 3),
) -> None:
    """Write a tiny JPEG with what a camera would say."""
    path.parent.mkdir(parents=True, exist_ok=True)
    exif = Image.Exif()
    exif[Base.Make], exif[Base.Model] = "Maker", model
    block = {Base.DateTimeOriginal: f"2024:05:01 {at}", Base.FNumber: 5.6}
    for tag, value in (
        (Base.ExposureTime, time),
        (Base.SubsecTimeOriginal, fraction),
        (Base.ExposureBiasValue, bias),
        (Base.ISOSpeedRatings, iso),
    ):
        if value is not None:
            block[tag] = value
    exif.get_ifd(EXIF_BLOCK).update(block)
    Image.new("RGB", size).save(path, exif=exif)


def found(plan: Plan) -> dict[str, list[str]]:
    return {group.name: [source.stem for source in group.sources] for group in plan.groups}


def test_a_bracket_is_sorted_from_bright_to_dark_and_the_middle_is_the_reference(tmp_path: Path) -> None:
    for name, time in (("IMG_1", 0.01), ("IMG_2", 0.0025), ("IMG_3", 0.04)):
        shoot(tmp_path / f"{name}.jpg", time=time)
    plan = pair_folder(tmp_path)
    assert plan.rule == "exposure"
    assert found(plan) == {"IMG_1": ["IMG_3", "IMG_1", "IMG_2"]}
    assert plan.groups[0].reference == 1
    assert "4.0 stops" in plan.groups[0].why


def test_a_bracket_of_heic_files(tmp_path: Path) -> None:
    pytest.importorskip("pillow_heif").register_heif_opener()
    for name, time in (("IMG_1", 0.01), ("IMG_2", 0.0025), ("IMG_3", 0.04)):
        shoot(tmp_path / f"{name}.heic", time=time, size=(64, 48))
    plan = pair_folder(tmp_path)
    assert plan.rule == "exposure" and found(plan) == {"IMG_1": ["IMG_3", "IMG_1", "IMG_2"]}


def test_sensitivity_counts_as_light(tmp_path: Path) -> None:
    for name, iso in (("x1", 100), ("x2", 400)):
        shoot(tmp_path / f"{name}.jpg", iso=iso)
    assert found(pair_folder(tmp_path)) == {"x2": ["x2", "x1"]}


def test_exposure_bias_stands_in_for_a_missing_time(tmp_path: Path) -> None:
    for name, bias in (("x1", -2.0), ("x2", 0.0), ("x3", 2.0)):
        shoot(tmp_path / f"{name}.jpg", time=None, bias=bias)
    assert found(pair_folder(tmp_path)) == {"x2": ["x3", "x2", "x1"]}


def test_brackets_shot_in_one_go_are_told_apart_by_their_repeating_exposures(tmp_path: Path) -> None:
    times = [0.01, 0.0025, 0.04]
    for number in range(9):
        shoot(tmp_path / f"IMG_{number}.jpg", at="12:00:0" + str(number // 3), time=times[number % 3])
    assert list(found(pair_folder(tmp_path)).values()) == [
        ["IMG_2", "IMG_0", "IMG_1"],
        ["IMG_5", "IMG_3", "IMG_4"],
        ["IMG_8", "IMG_6", "IMG_7"],
    ]


def test_pauses_cameras_and_folders_part_bursts(tmp_path: Path) -> None:
    for scene, at in (("x", "12:00:00"), ("y", "12:01:00")):
        for number, time in enumerate((0.01, 0.04)):
            shoot(tmp_path / f"{scene}{number}.jpg", at=at, time=time)
            shoot(tmp_path / f"other-{scene}{number}.jpg", at=at, time=time, model="Other")
            shoot(tmp_path / f"sub/{scene}{number}.jpg", at=at, time=time)
    groups = {frozenset(names) for names in found(pair_folder(tmp_path)).values()}
    assert groups == {frozenset((f"{s}0", f"{s}1")) for s in ("x", "y", "other-x", "other-y")}
    assert len(pair_folder(tmp_path).groups) == 6


def test_the_pause_begins_when_the_shutter_closes(tmp_path: Path) -> None:
    shoot(tmp_path / "x1.jpg", at="12:00:00", time=20.0)
    shoot(tmp_path / "x2.jpg", at="12:00:21", time=5.0)
    assert list(found(pair_folder(tmp_path, rule="exposure")).values()) == [["x1", "x2"]]


def test_fractions_of_a_second_order_the_shots(tmp_path: Path) -> None:
    # The numbers wrap from 9999 to 0001, so names would put the shots in the wrong order.
    for name, fraction, time in (
        ("0001", "90", 0.01),
        ("0002", "95", 0.04),
        ("9998", "10", 0.01),
        ("9999", "20", 0.04),
    ):
        shoot(tmp_path / f"IMG_{name}.jpg", fraction=fraction, time=time)
    assert found(pair_folder(tmp_path)) == {"IMG_0002": ["IMG_0002", "IMG_0001"], "IMG_9999": ["IMG_9999", "IMG_9998"]}


def test_a_burst_that_is_no_whole_number_of_brackets_is_an_error_that_shows_the_shots(tmp_path: Path) -> None:
    for number, time in enumerate((0.01, 0.01, 0.0025, 0.04)):
        shoot(tmp_path / f"x{number}.jpg", time=time)
    with pytest.raises(MismatchError) as caught:
        pair_folder(tmp_path)
    assert all(f"x{number}.jpg" in caught.value.message for number in range(4))
    assert "`stack`" in (caught.value.hint or "")


def test_a_bracket_size_that_the_burst_contradicts_is_refused(tmp_path: Path) -> None:
    for number, time in enumerate((0.01, 0.0025, 0.04, 0.16)):
        shoot(tmp_path / f"x{number}.jpg", time=time)
    assert len(pair_folder(tmp_path, rule="exposure", wishes=Wishes(size=4)).groups) == 1
    with pytest.raises(MismatchError, match="not a whole number of brackets of 2"):
        pair_folder(tmp_path, rule="exposure", wishes=Wishes(size=2))


def test_single_shots_and_shots_without_data_are_left_over(tmp_path: Path) -> None:
    shoot(tmp_path / "x1.jpg", time=0.01)
    shoot(tmp_path / "x2.jpg", time=0.04)
    shoot(tmp_path / "alone.jpg", at="15:00:00")
    shoot(tmp_path / "y1.jpg", at="16:00:00")
    shoot(tmp_path / "y2.jpg", at="16:00:00")
    Image.new("L", (4, 3)).save(tmp_path / "plain.png")
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8broken")
    plan = pair_folder(tmp_path, rule="exposure")
    assert found(plan) == {"x2": ["x2", "x1"]}
    assert {left.path.stem: left.reason for left in plan.leftovers} == {
        "alone": "no other image close enough in time",
        "y1": "all images of its burst have the same exposure: see `by` burst",
        "y2": "all images of its burst have the same exposure: see `by` burst",
        "plain": "it has no EXIF capture time",
        "broken": "its EXIF data cannot be read",
    }


def test_focus_stacks_are_bursts_of_one_exposure(tmp_path: Path) -> None:
    for number in range(4):
        shoot(tmp_path / f"x{number}.jpg", at=f"12:00:0{number}")
    for number, time in enumerate((0.01, 0.04)):
        shoot(tmp_path / f"y{number}.jpg", at="13:00:00", time=time)
    plan = pair_folder(tmp_path, rule="burst")
    assert found(plan) == {"x0": ["x0", "x1", "x2", "x3"]}
    assert {left.reason for left in plan.leftovers} == {"the exposures of its burst differ: see `by` exposure"}
    assert list(found(pair_folder(tmp_path, rule="burst", wishes=Wishes(size=2)))) == ["x0", "x2"]


def test_numbers_and_bursts_that_disagree_are_an_error_that_shows_both(tmp_path: Path) -> None:
    for number in range(4):
        shoot(tmp_path / f"IMG_{number}.jpg", at=f"12:0{number // 2}:00")
    with pytest.raises(MismatchError) as caught:
        pair_folder(tmp_path)
    assert "`by` numbers: 1 group from" in caught.value.message
    assert "`by` burst: 2 groups" in caught.value.message


def test_shots_of_different_size_are_of_different_scenes(tmp_path: Path) -> None:
    shoot(tmp_path / "x1.jpg", time=0.01)
    shoot(tmp_path / "x2.jpg", time=0.04, size=(3, 4))
    assert {left.reason for left in _leftovers(tmp_path)} == {"no other image close enough in time"}


def _leftovers(root: Path):
    with pytest.raises(MismatchError, match="can group"):
        pair_folder(root, rule="exposure")
    shoot(root / "y1.jpg", at="13:00:00", time=0.01)
    shoot(root / "y2.jpg", at="13:00:00", time=0.04)
    return pair_folder(root, rule="exposure").leftovers


@pytest.mark.parametrize("format", ["avif", "tiff", "png", "webp", "jpeg"])
def test_damaged_files_are_left_over_and_end_nothing(tmp_path: Path, format: str) -> None:
    """Whatever a parser raises over each of many damaged copies, planning goes on."""
    for number, time in enumerate((0.01, 0.04)):
        shoot(tmp_path / f"good{number}.jpg", time=time)
    Image.new("RGB", (40, 30)).save(tmp_path / "whole", format)
    content = (tmp_path / "whole").read_bytes()
    suffix = FORMATS[format].suffixes[0]
    for place in range(8, min(len(content), 200), 4):
        damaged = content[:place] + b"\xff\x00\xff" + content[place + 3 :]
        (tmp_path / f"bad{place}{suffix}").write_bytes(damaged)
    plan = pair_folder(tmp_path, rule="exposure")
    assert found(plan) == {"good1": ["good1", "good0"]}
    assert {leftover.reason for leftover in plan.leftovers if leftover.path.stem.startswith("bad")} <= {
        "its EXIF data cannot be read",
        "it has no EXIF capture time",
    }


def test_formats_that_tita_does_not_read_are_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pillow knows many more, which nobody tried on damaged files."""
    from PIL import GbrImagePlugin

    opened: list[str] = []
    monkeypatch.setattr(GbrImagePlugin.GbrImageFile, "_open", lambda self: opened.append(self.filename))
    (tmp_path / "a.jpg").write_bytes(struct.pack(">5I", 20, 2, 4, 4, 1) + b"GIMP" + b"x" * 40)
    assert read_capture(ImageFile(tmp_path / "a.jpg", PurePosixPath("a.jpg"))) == "its EXIF data cannot be read"
    assert opened == []


def test_a_named_pipe_in_a_folder_is_left_over(tmp_path: Path) -> None:
    for number, time in enumerate((0.01, 0.04)):
        shoot(tmp_path / f"good{number}.jpg", time=time)
    os.mkfifo(tmp_path / "pipe.jpg")
    plan = pair_folder(tmp_path, rule="exposure")
    assert [(leftover.path.name, leftover.reason) for leftover in plan.leftovers] == [
        ("pipe.jpg", "not a regular file")
    ]
