"""What a type checker makes of a user's program."""

from __future__ import annotations

from pathlib import Path
from typing import get_type_hints

import pytest
from mypy import api

import tita_cli
from tita_cli.options import FuseOptions, Network, declared
from tita_cli.options.keywords import FuseKeywords, FusionKeywords

PROGRAM = """\
from tita_cli import Session, align_pictures, fuse, fuse_batch

fuse("a.png", "b.png", align="none", value_range={0: (0.0, 1.0)}).save("out.png")
fuse("a.png", "b.png", algin="none")  # did you mean "align"
fuse("a.png", "b.png", align="nonne")  # Argument "align" to "fuse" has incompatible type
align_pictures("a.png", "b.png", refrence=1)  # did you mean "reference"
fuse_batch("photos", colour="grey")  # did you mean "color"
session = Session(model="tita", threads=2)
session.fuse("a.png", "b.png", border="crop")
session.fuse("a.png", "b.png", model="tita")  # Unexpected keyword argument "model"
Session(modle="tita")  # did you mean "model"
"""


def test_keywords_are_the_options() -> None:
    hints = get_type_hints(FuseOptions)
    expected = {name: hints[name] for name in declared(FuseOptions)}
    assert get_type_hints(FuseKeywords) == expected
    assert set(FusionKeywords.__annotations__) == set(expected) - set(declared(Network))


@pytest.mark.slow
def test_a_checker_sees_a_keyword_that_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    monkeypatch.setenv("MYPYPATH", str(Path(tita_cli.__file__).parents[1]))
    monkeypatch.chdir(tmp_path)
    # Without the packages that tita uses, which would take most of the time.
    options = ["--no-site-packages", "--ignore-missing-imports", "--follow-imports=silent", "--config-file="]
    said, problem, _ = api.run([*options, program.name])
    assert not problem
    found = [line for line in said.splitlines() if ": error: " in line]
    wrong = {number: line for number, line in enumerate(PROGRAM.splitlines(), 1) if "#" in line}
    assert [int(line.split(":")[1]) for line in found] == list(wrong)
    for line, source in zip(found, wrong.values(), strict=True):
        assert source.split("# ")[1] in line


def test_the_package_says_that_it_is_typed() -> None:
    assert (Path(tita_cli.__file__).parent / "py.typed").is_file()
