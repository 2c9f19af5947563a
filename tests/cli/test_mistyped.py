"""What a new user mistypes: every answer says what to type instead."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tita_cli.cli.main import run
from tita_cli.errors import DeviceError, ModelError
from tita_cli.files.mistyped import meant
from tita_cli.options import FuseOptions
from tita_cli.runtime.device import Driver
from tita_cli.runtime.loading import load_ahead

PictureFile = Callable[..., Path]
NO_FOLDER = "o.png: is named like a picture, and a folder is written"


@pytest.fixture
def folder(picture_file: PictureFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for seed, name in enumerate(("ir.png", "vis.png", "two words.png", "IMG_0002.png")):
        picture_file(name, seed=seed)
    (tmp_path / "clip.mp4").write_bytes(b"\0\0\0\x18ftypmp42")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("typed", "code", "message", "hint"),
    [
        ("ir.png vis.png -o out.png", 2, "ir.png: no such command", "tita fuse ir.png … -o OUT"),
        (". -o out", 2, ".: no such command", "tita batch . fuses what belongs together in a folder"),
        ("version", 2, "version: no such command", "did you mean tita --version?"),
        ("fues ir.png", 2, "fues: no such command", "did you mean tita fuse?"),
        ("fuse ir.png vis.png out.png", 2, "tita fuse: --output or -o is missing", "did you mean -o out.png?"),
        ("fuse ir.png vis.png", 2, "tita fuse: --output or -o is missing", "see tita fuse --help"),
        ("fuse ir.png vis.png -o", 2, "-o: needs a value", "see tita fuse --help"),
        ("fuse ir.png vis.png -output o.png", 2, "-output: no such option", "did you mean --output?"),
        ("fuse ir.png vis.png -align=none", 2, "-align=none: no such option", "did you mean --align=none?"),
        ("fuse ir.png vis.png --ouput o.png", 2, "--ouput: no such option", "did you mean --output?"),
        ("fuse ir.png vis.png -o o.png --gpu", 2, "--gpu: no such option", "--device cuda"),
        ("fuse ir.png vis.png -o o.png --no-align", 2, "--no-align: no such option", "--align none"),
        ("fuse ir.png vis.png -o o.png --wxyz", 2, "--wxyz: no such option", "see tita fuse --help"),
        ("fuse clip.mp4 vis.png -o o.png", 3, "clip.mp4: is not an image that tita reads", "tita video fuses videos"),
        ("fuse IR.PNG vis.png -o o.png", 3, "IR.PNG: no such file", "did you mean ir.png?"),
        ("align ir.png vis.png -o o.png", 4, NO_FOLDER, "name a folder"),
        ("batch . -o o.png", 4, NO_FOLDER, "name a folder"),
        ("demo o.png", 4, NO_FOLDER, "name a folder"),
        ("fuse ir.png vis.png -o o.png -m nix", 6, "nix: neither a known model nor a file", "shipped models: "),
    ],
)
def test_an_answer_says_what_to_type(typed: str, code: int, message: str, hint: str, folder: Path, capsys) -> None:
    assert run(typed.split()) == code
    said = capsys.readouterr().err.splitlines()
    assert said[0] == f"tita: error: {message}"
    assert said[1].startswith(f"tita: hint: {hint}")
    assert not (folder / "o.png").exists()


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("ir.png,", "did you mean ir.png?"),
        ("’vis.png’", "did you mean vis.png?"),
        ("vis.jpg", "did you mean vis.png?"),
        ("vsi.png", "did you mean vis.png?"),
        ("two", 'did you mean "two words.png"?'),
        ("ir.png vis.png", "quote every name by itself, or none"),
        ("nowhere/ir.png", "there is no folder nowhere"),
        ("–o", "options begin with a hyphen, which – is not: type it anew"),
        ("IMG_0003.png", None),
        ("other.png", None),
        ("", None),
    ],
)
def test_a_name_that_was_meant(name: str, hint: str | None, folder: Path) -> None:
    assert meant(name) == hint


def test_what_the_shell_left_in_quotes(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(folder))
    assert meant("~/ir.png") == f"in quotes the shell leaves ~ as it is: did you mean {folder}/ir.png?"
    assert meant("$HOME/vis.png") == f"in quotes the shell leaves $ as it is: did you mean {folder}/vis.png?"


def test_help_of_help_and_choices_in_capitals(folder: Path, tiny_model: Path, capsys) -> None:
    assert run(["help", "help"]) == 0
    assert "Usage: tita [OPTIONS]" in capsys.readouterr().out
    typed = f"fuse ir.png ir.png -o o.png -m {tiny_model} --align NONE --palette Inferno --role 2:infrared"
    assert run(typed.split()) == 0
    assert "tita: warning: ir.png: is given more than once" in capsys.readouterr().err


def test_a_model_that_is_not_there_is_told_before_pictures_are_read() -> None:
    with pytest.raises(ModelError, match="nix"):
        load_ahead("nix", **FuseOptions().engine_settings())


def test_a_gpu_that_is_not_there_is_told_before_pictures_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    none = Driver(problem="no CUDA: it is a test")
    monkeypatch.setattr("tita_cli.runtime.loading.ask_driver", lambda: none)
    monkeypatch.setattr("tita_cli.runtime.select.ask_driver", lambda: none)
    with pytest.raises(DeviceError, match="no CUDA"):
        load_ahead("tita-lite", **FuseOptions(device="cuda").engine_settings())
