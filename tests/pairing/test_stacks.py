"""Numbered stacks and folders that are one stack."""

from __future__ import annotations

from pathlib import Path

import pytest

from tita_cli.errors import InputError, MismatchError, UsageError
from tita_cli.pairing import Wishes, pair_folder


def names(root: Path, **wishes: int) -> dict[str, list[str]]:
    plan = pair_folder(root, rule="numbers", wishes=Wishes(**wishes))
    return {group.name: [source.name for source in group.sources] for group in plan.groups}


def test_numbers_count_as_numbers(tree) -> None:
    root = tree([*(f"room_{n}.jpg" for n in range(8, 12)), "hall-1.jpg", "hall-2.jpg"])
    plan = pair_folder(root)
    assert plan.rule == "numbers"
    assert names(root) == {
        "hall": ["hall-1.jpg", "hall-2.jpg"],
        "room": ["room_8.jpg", "room_9.jpg", "room_10.jpg", "room_11.jpg"],
    }


def test_a_folder_of_bare_numbers_gives_its_name(tree) -> None:
    root = tree(f"{scene}/{n}.jpg" for scene in ("s1", "s2") for n in range(3))
    assert list(names(root)) == ["s1", "s2"]


def test_a_gap_is_an_error_that_shows_the_runs(tree) -> None:
    root = tree(f"IMG_{n:04}.jpg" for n in (1, 2, 3, 7, 8, 9))
    with pytest.raises(MismatchError, match="gaps: 1–3, 7–9"):
        pair_folder(root)
    assert names(root, size=3) == {
        "IMG_0001": ["IMG_0001.jpg", "IMG_0002.jpg", "IMG_0003.jpg"],
        "IMG_0007": ["IMG_0007.jpg", "IMG_0008.jpg", "IMG_0009.jpg"],
    }


def test_a_run_that_is_no_whole_number_of_stacks_is_refused(tree) -> None:
    root = tree(f"x{n}.jpg" for n in range(5))
    with pytest.raises(MismatchError, match="cannot be divided into stacks of 3"):
        names(root, size=3)


def test_a_run_shorter_than_the_stack_is_left_over(tree) -> None:
    root = tree(f"x{n}.jpg" for n in (1, 2, 3, 8, 9))
    plan = pair_folder(root, rule="numbers", wishes=Wishes(size=3))
    assert [group.name for group in plan.groups] == ["x1"]
    assert [(left.path.name, left.reason) for left in plan.leftovers] == [
        ("x8.jpg", "in a run of 2 images, fewer than `stack` 3"),
        ("x9.jpg", "in a run of 2 images, fewer than `stack` 3"),
    ]


@pytest.mark.parametrize("twin", ["x01.jpg", "x1.png"])
def test_one_number_twice_is_an_error_that_shows_both(tree, twin: str) -> None:
    root = tree(["x1.jpg", "x2.jpg", twin])
    with pytest.raises(MismatchError, match=r"two images have the same number: .*x0?1\.(jpg|png), .*x0?1\.(jpg|png)"):
        pair_folder(root)


def test_single_images_are_left_over(tree) -> None:
    root = tree(["x1.jpg", "x2.jpg", "y7.jpg", "cover.jpg"])
    plan = pair_folder(root)
    assert {left.path.name: left.reason for left in plan.leftovers} == {
        "y7.jpg": "no other image belongs to its series of numbers",
        "cover.jpg": "its name has no number",
    }


def test_scenes_take_each_folder_as_one_stack(tree) -> None:
    root = tree(["s/near.png", "s/far.tif", "t/p10.png", "t/p9.png", "u/alone.png"])
    plan = pair_folder(root, rule="scenes")
    assert {g.name: [s.name for s in g.sources] for g in plan.groups} == {
        "s": ["far.tif", "near.png"],
        "t": ["p9.png", "p10.png"],
    }
    assert [left.reason for left in plan.leftovers] == ["is the only image in its folder"]


def test_scenes_are_suggested_and_never_assumed(tree) -> None:
    root = tree(["s/sun.png", "s/moon.png"])
    with pytest.raises(MismatchError) as caught:
        pair_folder(root)
    assert "`by` scenes" in (caught.value.hint or "")


def test_when_only_a_few_belong_together_the_user_is_asked(tree) -> None:
    root = tree(["x_vis.png", "x_ir.png", *(f"holiday {word}.jpg" for word in ("beach", "city", "lake"))])
    with pytest.raises(MismatchError, match="only a small part") as caught:
        pair_folder(root)
    assert "`by` names" in (caught.value.hint or "")
    assert len(pair_folder(root, rule="names").groups) == 1


def test_nothing_there(tree, tmp_path: Path) -> None:
    with pytest.raises(MismatchError, match="no images"):
        pair_folder(tree(["notes.txt"]))
    with pytest.raises(InputError, match="no such folder"):
        pair_folder(tmp_path / "absent")
    with pytest.raises(InputError, match="not a folder"):
        pair_folder(tmp_path / "photos/notes.txt")


@pytest.mark.parametrize(
    ("rule", "wishes"),
    [("numbers", Wishes(words=("a", "b"))), ("names", Wishes(size=2)), (None, Wishes(words=("a", "b"), size=2))],
)
def test_wishes_that_make_no_sense_together(tree, rule, wishes: Wishes) -> None:
    with pytest.raises(UsageError):
        pair_folder(tree(["x_a.png", "x_b.png"]), rule=rule, wishes=wishes)
