"""Pairs by words: parallel folders, suffixes, prefixes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tita_cli.errors import MismatchError, UsageError
from tita_cli.images.formats import FORMATS
from tita_cli.pairing import Plan, Wishes, pair_folder, pair_parallel


def grouped(plan: Plan, root: Path) -> dict[str, list[str]]:
    return {group.name: [s.relative_to(root).as_posix() for s in group.sources] for group in plan.groups}


def left(plan: Plan) -> dict[str, str]:
    return {leftover.path.name: leftover.reason for leftover in plan.leftovers}


def test_parallel_folders_pair_by_name_with_the_visible_first(tree) -> None:
    root = tree(["ir/2.png", "ir/1.png", "vis/1.jpg", "vis/2.jpg"])
    plan = pair_folder(root)
    assert plan.rule == "folders"
    assert grouped(plan, root) == {"1": ["vis/1.jpg", "ir/1.png"], "2": ["vis/2.jpg", "ir/2.png"]}
    assert plan.leftovers == ()


@pytest.mark.parametrize("shape", ["{scene}/{word}/x.png", "{word}/{scene}/x.png"])
def test_the_folders_of_a_pair_may_stand_anywhere_on_the_path(tree, shape: str) -> None:
    root = tree(shape.format(scene=scene, word=word) for scene in ("day", "night") for word in ("VIS", "Thermal"))
    names = [group.name for group in pair_folder(root).groups]
    assert names == ["day/x", "night/x"]


def test_scenes_of_the_same_name_in_other_folders_are_not_crossed(tree) -> None:
    root = tree(
        ["day/vis/x.png", "night/ir/x.png", "dusk/vis/y.png", "dusk/ir/y.png", "dawn/vis/y.png", "dawn/ir/y.png"]
    )
    plan = pair_folder(root)
    assert sorted(grouped(plan, root)) == ["dawn/y", "dusk/y"]
    assert [leftover.reason for leftover in plan.leftovers] == ["there is no ir for it", "there is no vis for it"]


def test_a_word_said_in_folder_and_file_counts_once(tree) -> None:
    root = tree(["vis/x_vis.png", "ir/x_ir.png", "vis/y.png", "ir/y.png"])
    assert grouped(pair_folder(root, rule="folders"), root) == {
        "x": ["vis/x_vis.png", "ir/x_ir.png"],
        "y": ["vis/y.png", "ir/y.png"],
    }


def test_three_folders_named_in_the_users_order(tree) -> None:
    root = tree(f"{word}/{name}.tif" for word in ("lo", "mid", "hi") for name in ("x", "y"))
    plan = pair_folder(root, wishes=Wishes(words=("hi", "mid", "lo")))
    assert grouped(plan, root)["x"] == ["hi/x.tif", "mid/x.tif", "lo/x.tif"]


def test_an_incomplete_set_is_left_over_with_what_is_missing(tree) -> None:
    root = tree(
        [*(f"{word}/{name}.png" for word in ("over", "mid", "under") for name in "xy"), "over/z.png", "mid/z.png"]
    )
    plan = pair_folder(root)
    assert sorted(grouped(plan, root)) == ["x", "y"]
    assert set(left(plan).values()) == {"there is no under for it"}


@pytest.mark.parametrize(
    ("first", "second", "name"),
    [
        ("x_vis.png", "x_ir.png", "x"),
        ("vis_x.png", "ir_x.png", "x"),
        ("x_A.png", "x_B.png", "x"),
        ("x-a.png", "x-b.png", "x"),
        ("VIS1.png", "IR1.png", "1"),
        ("scene_rgb_007.png", "scene_lwir_007.tiff", "scene_007"),
        ("FLIR 7 (visible).jpg", "FLIR 7 (thermal).jpg", "FLIR 7"),
        ("x.over.jpg", "x.under.jpg", "x"),
        ("日本 vis.png", "日本 ir.png", "日本"),
    ],
)
def test_words_in_names(tree, first: str, second: str, name: str) -> None:
    root = tree([first, second])
    plan = pair_folder(root)
    assert plan.rule == "names"
    assert grouped(plan, root) == {name: [first, second]}


def test_files_named_by_the_word_alone_are_called_by_their_folder(tree) -> None:
    root = tree(["kitchen/A.png", "kitchen/B.png", "garden/A.png", "garden/B.png"])
    assert sorted(grouped(pair_folder(root), root)) == ["garden", "kitchen"]


def test_files_named_by_the_word_alone_in_the_root_are_called_by_it(tree) -> None:
    root = tree(["A.png", "B.png"])
    assert [group.name for group in pair_folder(root).groups] == ["photos"]


@pytest.mark.parametrize("pair", [("x_vis.png", "x-ir.png"), ("vis_x.png", "x_ir.png"), ("avis.png", "air.png")])
def test_what_differs_in_more_than_the_word_is_no_pair(tree, pair: tuple[str, str]) -> None:
    root = tree(pair)
    with pytest.raises(MismatchError, match="can group"):
        pair_folder(root, rule="names")


def test_a_folder_that_needs_a_library_says_so(tree, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tita_cli.images.formats.format.find_spec", lambda name: None)
    with pytest.raises(MismatchError, match="can group") as caught:
        pair_folder(tree(["left.dng", "right.dng"]))
    assert caught.value.hint is not None and caught.value.hint.startswith("pip install rawpy first")


def test_two_candidates_are_an_error_that_shows_both(tree) -> None:
    root = tree(["vis/x.png", "vis/x.jpg", "ir/x.png"])
    with pytest.raises(MismatchError) as caught:
        pair_folder(root)
    assert "vis/x.png" in caught.value.message
    assert "vis/x.jpg" in caught.value.message


def test_two_words_for_one_source_are_an_error_that_shows_both(tree) -> None:
    root = tree(["x_vis.png", "x_rgb.png", "x_ir.png"])
    with pytest.raises(MismatchError, match=r"x_rgb\.png.*x_vis\.png"):
        pair_folder(root)


def test_a_file_that_fits_two_groups_is_an_error(tree) -> None:
    # a_b could be the b to a_a or the a to b_b.
    root = tree(["a_a.png", "a_b.png", "b_b.png"])
    with pytest.raises(MismatchError, match=r"a_b\.png could belong to more than one"):
        pair_folder(root)


def test_folders_and_names_that_disagree_are_an_error_that_shows_both_ways(tree) -> None:
    root = tree(f"{folder}/x_{letter}.png" for folder in ("vis", "ir") for letter in "ab")
    with pytest.raises(MismatchError) as caught:
        pair_folder(root)
    assert "`by` folders" in caught.value.message
    assert "`by` names" in caught.value.message
    assert grouped(pair_folder(root, rule="folders"), root)["x_a"] == ["vis/x_a.png", "ir/x_a.png"]
    assert grouped(pair_folder(root, rule="names"), root)["vis/x"] == ["vis/x_a.png", "vis/x_b.png"]
    assert grouped(pair_folder(root, wishes=Wishes(words=("b", "a"))), root)["ir/x"] == ["ir/x_b.png", "ir/x_a.png"]


def test_a_stray_letter_does_not_hold_up_the_pairs(tree) -> None:
    root = tree(["x_a.png", "x_b.png", "y_a.png", "y_b.png", "plan_c.png"])
    plan = pair_folder(root)
    assert sorted(grouped(plan, root)) == ["x", "y"]
    assert list(left(plan)) == ["plan_c.png"]


def test_different_kinds_of_pairs_in_one_tree(tree) -> None:
    root = tree(["mri_ct/mri/1.png", "mri_ct/ct/1.png", "road/vis/1.png", "road/ir/1.png", "road/vis/2.png"])
    plan = pair_folder(root)
    assert grouped(plan, root) == {
        "mri_ct/1": ["mri_ct/mri/1.png", "mri_ct/ct/1.png"],
        "road/1": ["road/vis/1.png", "road/ir/1.png"],
    }
    assert left(plan) == {"2.png": "there is no ir for it"}


def test_groups_that_would_bear_one_name_are_refused(tree) -> None:
    root = tree(["x_vis.png", "x_ir.png", "vis_x.png", "ir_x.png"])
    with pytest.raises(MismatchError, match="two groups have the name x"):
        pair_folder(root)


@pytest.mark.parametrize("words", [("vis",), ("vis", "VIS"), ("vis", "")])
def test_words_that_cannot_tell_anything_apart_are_refused(tree, words: tuple[str, ...]) -> None:
    with pytest.raises(UsageError):
        pair_folder(tree(["vis/x.png"]), wishes=Wishes(words=words))


def test_folders_given_one_by_one(tree, tmp_path: Path) -> None:
    root = tree(["left/cam/x.png", "right/cam/x.png", "right/cam/y.png"])
    plan = pair_parallel([root / "right/cam", root / "left/cam"])
    assert grouped(plan, root) == {"x": ["right/cam/x.png", "left/cam/x.png"]}
    assert list(left(plan)) == ["y.png"]


def test_folders_that_overlap_are_refused(tree) -> None:
    root = tree(["a/x.png", "a/b/x.png"])
    with pytest.raises(UsageError, match="overlap"):
        pair_parallel([root / "a", root / "a/b"])


def test_hidden_files_are_passed_by_and_others_are_listed(tree) -> None:
    root = tree(["vis/x.png", "ir/x.png", "vis/.DS_Store", ".git/x.png", "notes.txt", "vis/x.CR2", "vis/y.jp2"])
    (root / "vis/gone.png").symlink_to(root / "nowhere.png")
    plan = pair_folder(root)
    assert left(plan) == {
        "notes.txt": "not an image by its suffix",
        "x.CR2": "the same photograph lies beside it, developed by the camera",
        "y.jp2": f"JPEG 2000: {FORMATS['jp2'].advice}",
        "gone.png": "a link that leads nowhere",
    }


def test_an_excluded_folder_is_passed_by(tree) -> None:
    root = tree(["vis/x.png", "ir/x.png", "out/vis/x.png", "out/ir/x.png"])
    assert [group.name for group in pair_folder(root, exclude=[root / "out"]).groups] == ["x"]


def test_names_from_a_mac_meet_names_from_elsewhere(tree) -> None:
    root = tree(["vis/caf\u00e9.png", "ir/cafe\u0301.png"])
    assert [group.name for group in pair_folder(root).groups] == ["caf\u00e9"]


def test_a_mixed_folder_is_sorted_into_its_groups(tree) -> None:
    """Each kind by its own evidence; what lacks its counterpart is no frame of a stack."""
    root = tree(
        [f"street/{word}-{n}.png" for word in ("visible", "infrared") for n in (1, 2)]
        + ["street/infrared-3.png", "street/infrared-4.png"]
        + [f"macro/step_{n}.jpg" for n in range(1, 6)]
    )
    plan = pair_folder(root)
    assert plan.rule == "names, numbers"
    assert {name: len(sources) for name, sources in grouped(plan, root).items()} == {
        "street/1": 2, "street/2": 2, "macro/step": 5,
    }  # fmt: skip
    assert set(left(plan)) == {"infrared-3.png", "infrared-4.png"}
