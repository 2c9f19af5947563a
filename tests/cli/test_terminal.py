"""What a user meets at the terminal: names that look like options, patterns, folders, and the line at the end."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tita_cli.align import Placement
from tita_cli.cli.arguments import expand_patterns, readable
from tita_cli.cli.batch_display import _rate
from tita_cli.cli.main import run
from tita_cli.cli.outcome import summary, told_once
from tita_cli.errors import ExitCode, InputError
from tita_cli.fusion.result import Fusion
from tita_cli.images import Picture, Written

PictureFile = Callable[..., Path]


def test_help_is_a_word_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["help", "fuse"]) == 0
    assert "Fuse two or more images" in capsys.readouterr().out
    assert run(["help"]) == 0
    assert "batch" in capsys.readouterr().out


def test_names_that_begin_with_a_stop(picture_file: PictureFile, tiny_model: Path, monkeypatch, tmp_path: Path) -> None:
    picture_file("-2ev.png", seed=1)
    picture_file("+2ev.png", seed=2)
    monkeypatch.chdir(tmp_path)
    assert run(["fuse", "-2ev.png", "+2ev.png", "-o", "-0.5ev.png", "-m", str(tiny_model)]) == 0
    assert (tmp_path / "-0.5ev.png").is_file()
    assert readable(["-o", "x.png", "-q", "--force", "-", "-.5ev.png"]) == [
        "-o", "x.png", "-q", "--force", "-", "./-.5ev.png",
    ]  # fmt: skip


def test_a_file_as_an_address_of_this_machine(picture_file: PictureFile, tiny_model: Path, tmp_path: Path) -> None:
    pair = [picture_file(name, seed=seed).as_uri() for seed, name in enumerate(("a b.png", "c.png"))]
    out = tmp_path / "out put.png"
    assert run(["fuse", *pair, "-o", out.as_uri(), "-m", str(tiny_model), "--align", "none"]) == 0
    assert out.is_file()
    assert run(["show", pair[0]]) == 0


def test_patterns_that_the_shell_left_alone(tmp_path: Path) -> None:
    for name in ("b.png", "a.png", "[x].png"):
        (tmp_path / name).touch()
    given = [str(tmp_path / "?.png"), "-", str(tmp_path / "[x].png")]
    assert expand_patterns(given) == [str(tmp_path / "a.png"), str(tmp_path / "b.png"), *given[1:]]
    with pytest.raises(InputError, match="no file matches"):
        expand_patterns([str(tmp_path / "*.tif")])
    with pytest.raises(InputError, match="no file matches") as caught:  # as other programs name a picture of a file
        expand_patterns([str(tmp_path / "a.png[2]")])
    assert caught.value.hint == f"{tmp_path / 'a.png'}@N names picture N of a file, counted from 1"


@pytest.mark.parametrize(
    ("arguments", "code", "hint"),
    [
        (["vis", "ir", "-o", "out.png"], ExitCode.UNREADABLE_INPUT, "tita batch vis ir"),
        (["vis", "-o", "out.png"], ExitCode.UNREADABLE_INPUT, "tita batch vis "),
        (["vis", "ir"], ExitCode.USAGE, "tita batch vis ir"),
        (["vis/1.png", "ir/1.png", "-o", "ir"], ExitCode.UNWRITABLE_OUTPUT, "-o ir/1-fused.png"),
        (["vis/1.png", "ir/1.png", "-o", "new/"], ExitCode.UNWRITABLE_OUTPUT, "-o new/1-fused.png"),
    ],
)
def test_folders_are_answered_with_a_command(
    arguments: list[str], code: ExitCode, hint: str, picture_file: PictureFile, tmp_path: Path, monkeypatch, capsys
) -> None:
    picture_file("vis/1.png")
    picture_file("ir/1.png", seed=1)
    monkeypatch.chdir(tmp_path)
    assert run(["fuse", *arguments]) == code
    assert hint in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["eval", "a.png", "b.png", "--fused", "f.png"], "a.png b.png: tita eval takes options only"),
        (["show", "a.png", "b.png"], "b.png: more than tita show takes"),
        (["show", "a.png", "b.png", "c.png"], "b.png c.png: more than tita show takes"),
        (["fuse", "a.png", "b.png"], "tita fuse: --output or -o is missing"),
    ],
)
def test_too_many_and_too_few_arguments(arguments: list[str], message: str, capsys) -> None:
    assert run(arguments) == ExitCode.USAGE
    assert capsys.readouterr().err.splitlines()[0] == f"tita: error: {message}"


def test_the_last_line_says_what_became_of_the_sources(
    picture_file: PictureFile, tiny_model: Path, tmp_path: Path, capfd
) -> None:
    pair = [str(picture_file(f"{name}.png", seed=seed)) for seed, name in enumerate("ab")]
    out = tmp_path / "out.jpg"
    command = ["fuse", *pair, "-o", str(out), "-m", str(tiny_model), "--align", "none"]
    assert run([*command, "--explain"]) == 0
    said = capfd.readouterr()
    assert said.err.splitlines() == [f"tita: {out}: 56×40, 8 bits; not aligned (--align none)"]
    assert said.out.startswith("Detail comes from ")
    assert "a.png" in said.out and "b.png" in said.out
    fine = out.stat().st_size
    assert run([*command, "--force", "--quality", "30", "-q"]) == 0
    assert out.stat().st_size < fine
    assert capfd.readouterr().err == ""


def test_alignment_in_a_line() -> None:
    picture = Picture(np.zeros((30, 40, 3), np.float32))
    written = Written("out.png", "png", 8, ())
    placements = (Placement.reference("a.png", (50, 32)), Placement.unaligned("c.png", (50, 32)))
    moved = Fusion(picture, (), placements=placements, alignment="1 of 2 aligned to a.png: translation")
    assert summary(moved, written) == (
        "out.png: 40×30, 8 bits; 1 of 2 aligned to a.png: translation; c.png NOT aligned"
    )
    still = Fusion(picture, (), placements=(Placement.reference("a.png", (40, 30)),) * 2)
    assert summary(still, written).endswith("; the sources were aligned already")


def test_the_same_warning_is_told_once() -> None:
    notes = ["a.tif: values 0 to 4095 become black to white", "b.tif: values 0 to 4000 become black to white", "other"]
    assert told_once([*notes, notes[0]]) == [f"{notes[0]} (and 1 more like it)", "other"]


def test_a_manifest_on_stdin_needs_a_folder_for_its_results(capsys) -> None:
    assert run(["batch", "-"]) == ExitCode.USAGE
    assert "-o FOLDER" in capsys.readouterr().err


def test_a_report_may_be_written_again(picture_file: PictureFile, tiny_model: Path, tmp_path: Path) -> None:
    for folder in ("vis", "ir"):
        picture_file(f"in/{folder}/1.png", seed=len(folder))
    page = tmp_path / "in-fused/report.html"
    command = ["batch", str(tmp_path / "in"), "-m", str(tiny_model), "--report", str(page), "--metrics", "none", "-q"]
    assert run(command) == 0  # into a folder that the run makes
    assert run(command) == 0
    page.write_text("my own notes")
    assert run(command) == ExitCode.UNWRITABLE_OUTPUT
    assert Image.open(tmp_path / "in-fused/1.png").size == (56, 40)


@pytest.mark.parametrize(
    ("done", "seconds", "said"), [(3, 1.5, "2.0 per second"), (3, 3.0, "1.0 per second"), (3, 76.2, "25.4 s each")]
)
def test_a_slow_batch_says_seconds_each(done: int, seconds: float, said: str) -> None:
    assert _rate(done, seconds) == said
