"""Every option once: what the declarations say, and what they make of values."""

from __future__ import annotations

import ast
import json
import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

import tita_cli
from tita_cli import fuse
from tita_cli.cli.main import run
from tita_cli.errors import ExitCode
from tita_cli.images.formats import WRITTEN
from tita_cli.options import (
    Alignment,
    FuseOptions,
    Input,
    Network,
    OptionError,
    Output,
    Writing,
    declared,
    flag_of,
    merged,
)
from tita_cli.options.flags import on_command_line

NEUTRAL = ("align", "batch", "files", "fusion", "images", "metrics", "pairing", "report", "api.py", "errors.py")
"""Rooms whose errors reach programs."""


def test_the_formats_are_those_of_the_registry() -> None:
    how = declared(Writing)["format"]
    assert set(how.choices) == {entry.name for entry in WRITTEN}
    for entry in WRITTEN:
        for suffix in entry.suffixes:
            assert how.read(suffix.lstrip(".")) == entry.name


def test_no_field_is_declared_twice() -> None:
    names = [each.name for group in (Input, Alignment, Network, Output) for each in fields(group)]
    assert sorted(names) == sorted(declared(FuseOptions))
    assert len(names) == len(set(names))


def test_texts_become_values() -> None:
    how = declared(FuseOptions)
    assert how["reference"].read("2") == 1
    assert how["metadata"].read("none") == "none"
    assert how["metadata"].read("1") == 0
    assert how["depth"].read("32f") == 32
    assert how["value_range"].read("7,9.5") == (None, (7.0, 9.5))
    assert how["value_range"].read("2:7,9.5") == (1, (7.0, 9.5))
    assert how["false_color"].read("a:b.png:keep") == ("a:b.png", "keep")
    assert how["memory"].read("1.5K") == 1536
    for name, text in (("reference", "0"), ("metadata", "all"), ("depth", "12"), ("align", ""), ("device", "gpu")):
        with pytest.raises(ValueError, match="is") if name != "device" else pytest.raises(OptionError):
            how[name].read(text)


def test_from_python_an_error_names_the_field() -> None:
    with pytest.raises(OptionError, match="no option is called colour") as caught:
        fuse(["a.png", "b.png"], colour="grey")
    assert caught.value.hint == "did you mean color?"
    with pytest.raises(OptionError, match="`false_color`: 'x' is not one of auto, intensity, keep, refuse"):
        fuse("a.png", "b.png", options=FuseOptions(), false_color="x")
    with pytest.raises(OptionError, match="`align` none and `align_from` exclude each other"):
        fuse(["a.png", "b.png"], align="none", align_from="c.json")


def test_on_the_command_line_an_error_names_the_flag(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    import tita_cli.options.batch  # noqa: F401  (options are known once their class is)

    assert on_command_line("`value_range` and `align_from`") == "--range and --align-from"
    assert (
        on_command_line("`overwrite`, `retry_failed`, `pair`, `odd name`")
        == "--force, --retry-failed, --pair, `odd name`"
    )
    target = str(tmp_path / "out.png")
    assert run(["fuse", "a.png", "b.png", "-o", target, "--align", "none", "--align-from", "c"]) == ExitCode.USAGE
    assert "--align none and --align-from exclude each other" in capfd.readouterr().err


def test_what_decides_a_result_is_what_a_batch_remembers() -> None:
    base = FuseOptions().deciding()
    assert json.dumps(base)
    assert FuseOptions(threads=3, device="cpu", memory=1 << 30, model="x").deciding() == base
    for change in (
        {"align": "none"}, {"depth": 16}, {"polarity": {1: "black-hot"}}, {"value_range": (1.0, 2.0)},
    ):  # fmt: skip
        assert FuseOptions(**change).deciding() != base


def test_provenance_has_the_names_of_the_command_line() -> None:
    told = FuseOptions(value_range={0: (1.5, 20.0), "folder/b.tif": "full"}, polarity="black-hot")
    assert told.provenance() == {
        "resize": False, "range": "1:1.5,20 b.tif:full", "polarity": "black-hot", "role": "found out",
        "false_color": "auto", "denoise": "auto", "align": "auto", "deghost": False, "color": "auto",
        "balance": 0.5, "palette": None, "overlay": None, "scale_bar": False,
    }  # fmt: skip
    assert [flag_of(name, how) for name, how in declared(Input).items()][:2] == ["--resize", "--max-pixels"]


def test_groups_of_a_command_become_one_record() -> None:
    how = merged(Input(max_pixels=2), Alignment(align="none"), Writing(force=True))
    assert (how.max_pixels, how.align, how.model) == (2, "none", FuseOptions().model)


def test_numbers_are_checked_alike_in_python_and_on_the_command_line(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(OptionError, match="`threads`: 0 is too small, 1 is the least"):
        FuseOptions(threads=0)
    for words, said in {
        "fuse a b -o c.png --threads 0": "--threads: 0 is too small, 1 is the least",
        "fuse a b -o c.png --threads 99999999999": "--threads: 99999999999 is too large, 1024 is the most",
        "fuse a b -o c.png --max-pixels 1e6": "--max-pixels: '1e6' is not a whole number",
        "batch x --gap -1": "--gap: -1.0 is too small, 0 is the least",
        "batch x --gap nan": "--gap: 'nan' is not a number",
    }.items():
        assert run(words.split()) == ExitCode.USAGE
        assert f"tita: error: {said}\n" in capfd.readouterr().err


def test_errors_and_notes_of_the_core_name_no_flag() -> None:
    """They are raised to programs too; the command line puts the flag there."""
    package = Path(tita_cli.__file__).parent
    rooms = [path for path in package.rglob("*.py") if path.relative_to(package).parts[0] in NEUTRAL]
    assert len(rooms) > 50
    for path in rooms:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, (ast.Raise, ast.keyword, ast.Assign, ast.Call)):
                texts = [n.value for n in ast.walk(node) if isinstance(n, ast.Constant) and isinstance(n.value, str)]
                assert not any(re.search(r"(^|\W)--[a-z]", text) for text in texts), f"{path}:{node.lineno}: {texts}"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"memory": "much"}, "`memory`: 'much' is not a size"),
        ({"memory": -1}, "`memory`: '-1' is not a size"),
        ({"threads": "2"}, "`threads`: '2' is not a whole number"),
        ({"threads": 0}, "`threads`: 0 is too small, 1 is the least"),
        ({"reference": 1.5}, "`reference`: 1.5 is not a whole number"),
        ({"balance": 7}, "`balance`: '7' is not a number from 0 to 1"),
        ({"resize": "yes"}, "`resize`: 'yes' is neither True nor False"),
        ({"value_range": "5"}, "`value_range`: '5' is neither auto, full, nor MIN,MAX"),
    ],
)
def test_values_that_a_program_gives_are_checked(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(OptionError) as caught:
        FuseOptions(**wrong)
    assert caught.value.message == said


def test_a_program_may_give_text_where_text_has_a_form_of_its_own() -> None:
    import numpy as np

    options = FuseOptions(memory="2G", threads=np.int64(2), value_range={1: "7000,9000"}, resize=np.bool_(True))
    assert (options.memory, options.threads, options.resize) == (2 << 30, 2, True)
    assert options.value_range.entries == ((1, (7000.0, 9000.0)),)
