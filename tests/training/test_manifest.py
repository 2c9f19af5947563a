"""The ``[[data]]`` tables: what they may say, and what is said about them when they are wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from tita_cli.errors import TrainingError
from tita_cli.training.manifest import Manifest

ROOT = Path("root")
PAIRS = {"task": "ivf", "kind": "pairs", "a": "vis", "b": "ir"}
SERIES = {"task": "mef", "kind": "series", "scenes": "brackets"}
STILLS = {"task": "mff", "kind": "stills", "stills": "photos"}


def test_entries_keep_order_and_resolve_folders() -> None:
    manifest = Manifest.from_tables([STILLS, SERIES, PAIRS], root=ROOT)

    assert [entry.kind for entry in manifest.entries] == ["stills", "series", "pairs"]
    assert manifest.tasks == ("ivf", "mef", "mff")
    assert dict(manifest.entries[2].folders) == {"a": ROOT / "vis", "b": ROOT / "ir"}
    assert manifest.entries[0].folders.keys() == {"stills"}


def test_tasks_are_those_with_data() -> None:
    assert Manifest.from_tables([STILLS, STILLS], root=ROOT).tasks == ("mff",)


def test_an_absolute_folder_stays() -> None:
    manifest = Manifest.from_tables([STILLS | {"stills": "/photos", "regions": "labels"}], root=ROOT)
    assert manifest.entries[0].folders == {"stills": Path("/photos"), "regions": ROOT / "labels"}


@pytest.mark.parametrize(
    ("tables", "fault"),
    [
        (None, "names no data"),
        ([], "names no data"),
        ("ivf", "names no data"),
        ([PAIRS, 3], "number 2 is not a table"),
        ([{"task": "ivf", "a": "x", "b": "y"}], "kind is missing"),
        ([PAIRS | {"kind": "videos"}], "kind is 'videos'"),
        ([PAIRS | {"task": "mri"}], "task is 'mri'"),
        ([{"task": "ivf", "kind": "triples"}], "task is 'ivf'; it is one of mff"),
        ([SERIES | {"task": "mff"}], "task is 'mff'"),
        ([{"task": "ivf", "kind": "pairs", "a": "vis"}], "b must name a folder"),
        ([PAIRS | {"b": ""}], "b must name a folder"),
        ([PAIRS | {"sharp": "x"}], "unknown key 'sharp'"),
        ([PAIRS | {"wieght": 2}], "unknown key 'wieght'"),
        ([PAIRS | {"weight": 0}], "weight must be above 0"),
        ([PAIRS | {"weight": "much"}], "weight must be a number"),
        ([PAIRS | {"weight": float("nan")}], "weight must be above 0"),
        ([PAIRS | {"weight": float("inf")}], "weight must be above 0"),
        ([PAIRS | {"crop_border": -1}], "crop_border must be at least 0"),
        ([PAIRS | {"crop_border": 1.5}], "crop_border must be an integer"),
        ([PAIRS | {"crop_border": True}], "crop_border must be an integer"),
        ([PAIRS | {"swap": 1.5}], "swap must be 0 to 1"),
        ([SERIES | {"reference": "no"}], "reference must be true or false"),
        ([STILLS | {"reference": False}], "reference does not apply to focus pairs"),
    ],
)
def test_what_is_wrong_is_named(tables: object, fault: str) -> None:
    with pytest.raises(TrainingError, match=fault) as caught:
        Manifest.from_tables(tables, root=ROOT)
    assert "\n" not in caught.value.message
