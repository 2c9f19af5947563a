"""Names of a camera's lenses, and files that hold a scene themselves."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngImageFile

from tita_cli.errors import MismatchError
from tita_cli.pairing import Wishes, pair_folder
from tita_cli.pairing.capture import read_capture
from tita_cli.pairing.scan import ImageFile


def _named(folder: Path, *names: str) -> Path:
    for name in names:
        Image.new("L", (4, 4)).save(folder / name)
    return folder


def _taken(folder: Path, name: str, second: int) -> None:
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x9003] = f"2024:01:05 14:30:{second:02}"
    Image.new("L", (4, 4)).save(folder / name, exif=exif)


def _groups(folder: Path, **how: object) -> dict[str, list[str]]:
    plan = pair_folder(folder, **how)  # type: ignore[arg-type]
    return {group.name: [source.name for source in group.sources] for group in plan.groups}


def test_dji_names_a_second_apart(tmp_path: Path) -> None:
    _named(
        tmp_path, "DJI_20240105143007_0001_W.JPG", "DJI_20240105143007_0001_T.JPG", "DJI_20240105143012_0002_W.JPG",
        "DJI_20240105143013_0002_T.JPG", "DJI_20240105143100_0003_T.JPG",
    )  # fmt: skip
    plan = pair_folder(tmp_path)
    assert plan.rule == "lenses"
    assert [[source.name[-10:] for source in group.sources] for group in plan.groups] == [
        ["0001_W.JPG", "0001_T.JPG"], ["0002_W.JPG", "0002_T.JPG"],
    ]  # fmt: skip
    assert [left.path.name for left in plan.leftovers] == ["DJI_20240105143100_0003_T.JPG"]
    # Told the letters, names alone find the first pair, whose clock stood still.
    assert pair_folder(tmp_path, wishes=Wishes(("W", "T"))).groups == plan.groups


def test_lenses_that_count_on(tmp_path: Path) -> None:
    for number, (second, lens) in enumerate([(1, "WIDE"), (2, "THRM"), (5, "WIDE"), (6, "THRM")], 1):
        _taken(tmp_path, f"DJI_000{number}_{lens}.jpg", second)
    expected = {
        "DJI_0001": ["DJI_0001_WIDE.jpg", "DJI_0002_THRM.jpg"], "DJI_0003": ["DJI_0003_WIDE.jpg", "DJI_0004_THRM.jpg"],
    }  # fmt: skip
    assert _groups(tmp_path) == expected
    assert _groups(tmp_path, wishes=Wishes(("W", "T"))) == expected
    turned = _groups(tmp_path, wishes=Wishes(("thrm", "wide")))
    assert turned["DJI_0002"] == ["DJI_0002_THRM.jpg", "DJI_0001_WIDE.jpg"]


def test_without_times_only_what_is_clear_is_paired(tmp_path: Path) -> None:
    _named(tmp_path, "0001_WIDE.jpg", "0002_THRM.jpg")
    assert _groups(tmp_path, wishes=Wishes(("W", "T"))) == {"0001": ["0001_WIDE.jpg", "0002_THRM.jpg"]}
    _named(tmp_path, "0003_WIDE.jpg", "0004_THRM.jpg")
    with pytest.raises(MismatchError):
        pair_folder(tmp_path, rule="lenses")


def test_of_two_photographs_the_wide_one_is_taken(tmp_path: Path) -> None:
    _named(tmp_path, *(f"DJI_20240105143007_0001_{lens}.JPG" for lens in "TWZ"))
    plan = pair_folder(tmp_path)
    assert [source.name[-5] for source in plan.groups[0].sources] == ["W", "T"]
    assert [left.path.name[-5] for left in plan.leftovers] == ["Z"]
    three = _groups(tmp_path, wishes=Wishes(("W", "Z", "T")))
    assert [name[-5] for name in three["DJI_20240105143007_0001"]] == ["W", "Z", "T"]


def test_a_folder_of_radiometric_files(tmp_path: Path, flir_bytes: Callable[..., bytes]) -> None:
    counts = np.full((40, 60), 15000, np.uint16)
    for number in (1, 2):
        (tmp_path / f"FLIR000{number}.jpg").write_bytes(flir_bytes(counts, np.zeros((80, 120, 3), np.uint8)))
    plan = pair_folder(tmp_path)
    assert plan.rule == "pages" and plan.images == 2
    assert [source.name for source in plan.groups[0].sources] == ["FLIR0001.jpg@visible", "FLIR0001.jpg@thermal"]
    assert plan.groups[0].why == "in one file: photograph, thermal counts"


def test_stacks_and_a_stray_animation(tmp_path: Path) -> None:
    frames = [Image.new("L", (8, 8), level) for level in (1, 2, 3, 4)]
    frames[0].save(tmp_path / "z.tif", save_all=True, append_images=frames[1:])
    plan = pair_folder(tmp_path)
    assert [source.name for source in plan.groups[0].sources] == ["z.tif@1", "z.tif@2", "z.tif@3", "z.tif@4"]
    _named(tmp_path, "one_vis.png", "one_ir.png", "two_vis.png", "two_ir.png")
    assert pair_folder(tmp_path).rule == "names"
    for name in ("one_vis.png", "one_ir.png", "two_vis.png", "two_ir.png"):
        (tmp_path / name).unlink()
    _named(tmp_path, "1.png", "2.png", "3.png")
    assert pair_folder(tmp_path).rule == "numbers"
    assert pair_folder(tmp_path, rule="pages").images == 1


@pytest.mark.parametrize("told", [True, False])
def test_a_png_is_not_decoded_for_its_capture_data(told: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pillow would, where there is none: plans of many pictures took long, and a huge one all memory."""
    path = tmp_path / "a.png"
    exif = Image.Exif()
    exif[0x010F] = "Maker"  # Pillow writes none into a PNG where the main folder is empty
    if told:
        exif.get_ifd(0x8769)[0x9003] = "2024:01:05 14:30:01"
    Image.new("L", (4, 4)).save(path, exif=exif if told else None)

    def decode(image: Image.Image) -> None:
        raise AssertionError("decoded")

    monkeypatch.setattr(PngImageFile, "load", decode)
    capture = read_capture(ImageFile(path, Path(path.name)))
    assert (capture != "it has no EXIF capture time") == told


def test_a_mixed_folder_of_camera_files(tmp_path: Path, flir_bytes: Callable[..., bytes]) -> None:
    """Rules that find groups among different files do not contradict each other; a radiometric file is no stray."""
    _named(tmp_path, "DJI_0011_WIDE.JPG", "DJI_0012_THRM.JPG", "street_ir.png", "street_vis.png", "beach.jpg")
    counts = np.full((40, 60), 15000, np.uint16)
    for name in ("FLIR0001.jpg", "T540_IR_56020.jpg"):  # the second by its name infrared without its counterpart
        (tmp_path / name).write_bytes(flir_bytes(counts, np.zeros((80, 120, 3), np.uint8)))
    frames = [Image.new("L", (8, 8), level) for level in (1, 2, 3)]
    frames[0].save(tmp_path / "stray.gif", save_all=True, append_images=frames[1:])
    plan = pair_folder(tmp_path, wishes=Wishes())
    assert plan.rule == "names, lenses, pages" and plan.images == 6
    assert set(_groups(tmp_path)) == {"DJI_0011", "street", "FLIR0001", "T540_IR_56020"}
    assert {left.path.name: left.reason for left in plan.leftovers} == {
        "beach.jpg": "its name tells no lens", "stray.gif": "holds several pictures, as few files do",
    }  # fmt: skip


def test_few_groups_of_several_kinds_are_said_to_be_few(tmp_path: Path) -> None:
    _named(
        tmp_path, "DJI_20240105143007_0001_W.JPG", "DJI_20240105143007_0001_T.JPG", "street_ir.png", "street_vis.png"
    )
    _named(tmp_path, *(f"{word}.jpg" for word in ("beach", "city", "lake", "hill", "dog")))
    with pytest.raises(MismatchError, match="only a small part") as caught:
        pair_folder(tmp_path)
    assert "`by` names or `by` lenses" in (caught.value.hint or "")
