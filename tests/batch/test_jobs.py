"""Where results go."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import pytest

from tita_cli.batch import make_jobs
from tita_cli.batch.plan import default_folder, find_plan
from tita_cli.errors import MismatchError, OutputError, UsageError
from tita_cli.options.batch import parse_name
from tita_cli.pairing import Group, Grouping, Manifest, Plan, Wishes


def plan(*groups: tuple[str, str], rule: str = "names", reference: int = 0) -> Plan:
    return Plan(rule, tuple(Group(name, (Path(first), Path("b.png")), "", reference) for name, first in groups))


def listed(content: bytes, base: Path = Path()) -> Manifest:
    return Manifest(lambda: BytesIO(content), name="m", base=base)


def outputs(of: Grouping, **options: str) -> list[str]:
    return [job.output for job in make_jobs(of, Path("out"), **options)]


def test_the_reference_gives_the_format_where_tita_writes_it() -> None:
    assert outputs(plan(("x", "a.JPG"), ("y", "a.tif"), ("z", "a.heic"))) == ["x.jpg", "y.tif", "z.png"]
    assert outputs(plan(("x", "a.jpg"), reference=1)) == ["x.png"]


def test_a_format_may_be_asked_for() -> None:
    assert outputs(plan(("d/x", "a.jpg")), format_name="tiff") == ["d/x.tif"]
    with pytest.raises(OutputError):
        outputs(plan(("x", "a.jpg")), format_name="gif")


def test_a_dot_in_a_name_is_no_suffix_but_in_a_manifest() -> None:
    assert outputs(plan(("x.jpg", "a.png"), ("v1.5", "a.png"))) == ["v1.5.png", "x.jpg.png"]
    assert outputs(listed(b"a,b,output\n1.png,2.png,x.jpg\n3.png,4.png,v1.5\n")) == ["v1.5.png", "x.jpg"]


def test_names_by_template() -> None:
    of = plan(("f/0001", "f/DJI_0001_vis.JPG"), ("x", "t/ir/a.tif"))
    assert outputs(of, name="{folder}/{stem}_{role}") == ["a_infrared.tif", "f/DJI_0001_vis_visible.jpg"]
    assert outputs(of, name="{name}-fused") == ["f/0001-fused.jpg", "x-fused.tif"]
    assert outputs(of, name="{stem}.png") == ["DJI_0001_vis.png", "a.png"]
    with pytest.raises(MismatchError, match="none inside the output folder"):
        outputs(plan(("../x", "a.png")), name="{name}")
    with pytest.raises(MismatchError, match="both be written"):
        outputs(plan(("x", "a.png"), ("y", "f/a.png")), name="{stem}")


@pytest.mark.parametrize("text", ["{stem.__class__}", "{0}", "{stem!r}", "{stem:>9}", "{date}", "{", "all"])
def test_a_template_holds_nothing_but_names(text: str) -> None:
    with pytest.raises(ValueError, match=r"template|none of|tell results apart"):
        parse_name(text)


def test_two_results_in_one_place_are_refused() -> None:
    with pytest.raises(MismatchError, match=r"x\.png"):
        outputs(listed(b"a,b,output\n1.png,2.png,x.png\n3.png,4.png,x\n"))


def test_a_source_is_never_replaced(tmp_path: Path) -> None:
    for name in ("x1.png", "x2.png"):
        (tmp_path / name).touch()
    with pytest.raises(UsageError, match="would replace a source"):
        make_jobs(listed(b"a,b,output\nx1.png,x2.png,x1.png\n", tmp_path), tmp_path)


@pytest.mark.parametrize(
    ("sources", "folder"),
    [
        (["photos"], "photos-fused"),
        (["a/photos/"], "a/photos-fused"),
        (["a/vis", "a/ir"], "a/fused"),
        (["lists/pairs.csv"], "lists/pairs-fused"),
    ],
)
def test_results_go_beside_the_source(sources: list[str], folder: str) -> None:
    assert default_folder(sources) == Path(folder)


def test_a_manifest_from_stdin_has_no_folder_beside_it() -> None:
    with pytest.raises(UsageError):
        default_folder(["-"])


def test_results_of_the_current_folder_go_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "photos").mkdir()
    monkeypatch.chdir(tmp_path / "photos")
    assert default_folder(["."]).resolve() == tmp_path / "photos-fused"


@pytest.mark.parametrize(
    ("sources", "options"),
    [
        (["list.csv", "other.csv"], {}),
        (["list.csv"], {"rule": "names"}),
        (["list.csv"], {"wishes": Wishes(words=("a", "b"))}),
        (["a", "b"], {"rule": "numbers"}),
        (["a", "b"], {"wishes": Wishes(size=3)}),
    ],
)
def test_what_cannot_be_meant_is_refused(sources: list[str], options: dict, tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        find_plan([str(tmp_path / source) for source in sources], tmp_path / "out", **options)
