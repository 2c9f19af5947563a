"""What must hold for any folder: nothing is lost, nothing counted twice, nothing crossed, listing order is nothing."""

from __future__ import annotations

import os
import random
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

from hypothesis import given, settings
from hypothesis import strategies as st

from tita_cli.errors import MismatchError
from tita_cli.pairing import RULES, Plan, pair_folder

WORDS = ["vis", "IR", "a", "B", "over", "under", "1", "2", "x", "y", "10", "é"]
PARTS = st.lists(st.sampled_from(WORDS), min_size=1, max_size=3).flatmap(
    lambda parts: st.sampled_from(["_", "-", " "]).map(lambda separator: separator.join(parts))
)
PLACES = st.sets(
    st.tuples(st.lists(st.sampled_from(["vis", "ir", "a", "b", "s1", "s2"]), max_size=2), PARTS).map(
        lambda place: "/".join((*place[0], place[1]))
    ),
    min_size=1,
    max_size=14,
)
SUFFIXES = st.sampled_from([".png", ".jpg", ".txt"])


@contextmanager
def folder(places: dict[str, str]) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        for place, suffix in places.items():
            path = root / (place + suffix)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        yield root


def attempt(root: Path, rule) -> Plan | str:
    try:
        return pair_folder(root, rule=rule)
    except MismatchError as error:
        return error.message


@settings(max_examples=150, deadline=None)
@given(draw=st.data(), rule=st.sampled_from([None, *RULES]), seed=st.integers(0, 2**16))
def test_every_file_is_in_one_place_whatever_the_order_of_listing(draw, rule, seed: int) -> None:
    names = draw.draw(PLACES)
    tree = {name: draw.draw(SUFFIXES) for name in sorted(names)}
    with folder(tree) as root:
        plan = attempt(root, rule)
        with mock.patch("os.walk", shuffled_walk(seed)):
            assert attempt(root, rule) == plan
        if isinstance(plan, str):
            return
        files = sorted(path for path in root.rglob("*") if path.is_file())
        placed = [source for group in plan.groups for source in group.sources]
        placed += [leftover.path for leftover in plan.leftovers]
        assert sorted(placed) == files
        assert len({group.name for group in plan.groups}) == len(plan.groups)
        assert all(len(group.sources) > 1 and group.why for group in plan.groups)
        assert all(leftover.reason for leftover in plan.leftovers)


def shuffled_walk(seed: int):
    walk, chance = os.walk, random.Random(seed)

    def shuffled(*args, **options):
        for here, below, names in walk(*args, **options):
            chance.shuffle(below)
            chance.shuffle(names)
            yield here, below, names

    return shuffled


SCENES = st.text(st.characters(whitelist_categories=("L", "Nd"), max_codepoint=0x24F), min_size=1, max_size=6)


@settings(max_examples=80, deadline=None)
@given(
    scenes=st.dictionaries(SCENES, st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=10),
    layout=st.sampled_from(
        ["vis/{}.png|ir/{}.png", "{}/vis.png|{}/ir.png", "{}_vis.png|{}_ir.png", "ir-{}.png|vis-{}.png"]
    ),
)
def test_scenes_are_never_crossed_when_files_are_missing(scenes: dict[str, tuple[bool, bool]], layout: str) -> None:
    shapes = layout.split("|")
    tree = {
        shape.format(f"Q{scene}Q").removesuffix(".png"): ".png"
        for scene, there in scenes.items()
        for shape, present in zip(shapes, there, strict=True)
        if present
    }
    with folder(tree) as root:
        whole = {f"Q{scene}Q" for scene, there in scenes.items() if all(there)}
        plan = attempt(root, "names" if "/" not in shapes[0] or shapes[0].startswith("{}") else "folders")
        if isinstance(plan, str):
            assert not whole
            return
        assert {group.name for group in plan.groups} == {unicode(scene) for scene in whole}
        for group in plan.groups:
            assert all(group.name in unicode(str(source.relative_to(root))) for source in group.sources)


def unicode(text: str) -> str:
    import unicodedata

    return unicodedata.normalize("NFC", text)
