"""Defaults from files and environment, ``tita config``, and completion in a shell."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tita_cli.cli.main import run
from tita_cli.errors import ExitCode


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder and a configuration folder of our own, and no variables."""
    for variable in [name for name in os.environ if name.startswith("TITA_")]:
        monkeypatch.delenv(variable)
    user = tmp_path / "user"
    monkeypatch.setattr("platformdirs.user_config_path", lambda *_, **__: user)
    user.mkdir()
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    return tmp_path


def settings(capfdbinary: pytest.CaptureFixture[bytes], command: str = "batch") -> dict[str, Any]:
    assert run(["config", command, "--json"]) == 0
    document = json.loads(capfdbinary.readouterr().out)
    return {option: (entry["value"], entry["from"]) for option, entry in document["commands"][command].items()}


def test_the_stronger_source_wins(home: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary) -> None:
    found = settings(capfdbinary)
    assert found["model"] == ("tita-lite", "default")
    assert found["workers"] == (None, "default")
    assert not {"output", "help", "dry-run"} & set(found)

    user = home / "user/tita.toml"
    user.write_text('model = "u"\nthreads = 1\nworkers = 1\n[batch]\nworkers = 2\n')
    found = settings(capfdbinary)
    assert found["model"] == ("u", str(user))
    assert found["workers"] == (2, str(user))

    Path("tita.toml").write_text('model = "w"\nretry_failed = true\n')
    found = settings(capfdbinary)
    assert found["model"] == ("w", "tita.toml")
    assert found["threads"] == (1, str(user))
    assert found["retry-failed"] == (True, "tita.toml")

    monkeypatch.setenv("TITA_MODEL", "e")
    monkeypatch.setenv("TITA_RETRY_FAILED", "no")
    monkeypatch.setenv("TITA_WORKERS", "")
    found = settings(capfdbinary)
    assert found["model"] == ("e", "TITA_MODEL")
    assert found["retry-failed"] == (False, "TITA_RETRY_FAILED")
    assert found["workers"] == (2, str(user))

    monkeypatch.setenv("TITA_BATCH_MODEL", "b")
    assert settings(capfdbinary)["model"] == ("b", "TITA_BATCH_MODEL")
    assert settings(capfdbinary, "fuse")["model"] == ("e", "TITA_MODEL")


@pytest.fixture
def pairs() -> None:
    for name in ("x_lo.png", "x_hi.png", "x_a.png", "x_b.png"):
        Path("in").mkdir(exist_ok=True)
        (Path("in") / name).touch()


@pytest.mark.usefixtures("pairs")
def test_commands_obey_and_the_command_line_is_stronger(monkeypatch: pytest.MonkeyPatch, capfdbinary) -> None:
    def sources(*arguments: str) -> list[str]:
        assert run(["batch", "in", "-n", "--json", *arguments]) == 0
        return [Path(s).name for s in json.loads(capfdbinary.readouterr().out)["groups"][0]["sources"]]

    assert sources("--by", "names") == ["x_a.png", "x_b.png"]
    Path("tita.toml").write_text('[batch]\nby = "names"\npair = ["hi", "lo"]\n')
    assert sources() == ["x_hi.png", "x_lo.png"]
    monkeypatch.setenv("TITA_PAIR", "lo,hi")
    assert sources() == ["x_lo.png", "x_hi.png"]
    assert sources("--pair", "b,a") == ["x_b.png", "x_a.png"]


@pytest.mark.usefixtures("pairs")
@pytest.mark.parametrize(
    ("content", "code", "message"),
    [
        ("modle = 'x'", ExitCode.USAGE, "tita.toml: no command has an option modle; did you mean model?"),
        ("[bacth]\nworkers = 1", ExitCode.USAGE, "tita.toml: no command is called bacth; did you mean batch?"),
        ("[fuse]\nworkers = 1", ExitCode.USAGE, "tita.toml: tita fuse has no option workers"),
        ("workers = 'many'", ExitCode.USAGE, "tita.toml: 'many' does not suit --workers"),
        ("[batch]\nby = 'luck'", ExitCode.USAGE, "tita.toml: 'luck' does not suit --by"),
        ("model = ", ExitCode.UNREADABLE_INPUT, "tita.toml: not TOML"),
    ],
)
def test_what_a_file_says_wrongly_is_said_with_its_name(content: str, code: int, message: str, capfd) -> None:
    Path("tita.toml").write_text(content)
    assert run(["batch", "in", "-n"]) == code
    error = " ".join(line.split(": ", 2)[2] for line in capfd.readouterr().err.splitlines())
    assert message.replace(";", "") in error


def test_a_value_that_a_variable_says_wrongly(monkeypatch: pytest.MonkeyPatch, capfd) -> None:
    monkeypatch.setenv("TITA_BATCH_WORKERS", "0")
    assert run(["batch", "in", "-n"]) == ExitCode.USAGE
    assert "TITA_BATCH_WORKERS: '0' does not suit --workers" in capfd.readouterr().err


def test_the_table(monkeypatch: pytest.MonkeyPatch, capfd) -> None:
    monkeypatch.setenv("TITA_DEVICE", "cpu")
    monkeypatch.setenv("TITA_DEBUG", "")
    monkeypatch.setenv("TITA_MODLE", "x")
    assert run(["config"]) == 0
    out, err = capfd.readouterr()
    (line,) = (line for line in out.splitlines() if " device " in line)
    assert "cpu" in line
    assert "TITA_DEVICE" in line
    assert "tita.toml: not there" in out
    assert err == "tita: warning: TITA_MODLE is no setting of tita; did you mean TITA_MODEL?\n"
    assert run(["config", "batsch"]) == ExitCode.USAGE


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash here")
def test_completion_is_installed_and_works_in_bash(home: Path) -> None:
    binaries = home / "bin"
    binaries.mkdir()
    (binaries / "tita").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m tita_cli "$@"\n')
    (binaries / "tita").chmod(0o755)
    environ = {**os.environ, "HOME": str(home), "SHELL": "/bin/bash", "PATH": f"{binaries}:{os.environ['PATH']}"}
    installed = subprocess.run(
        ["tita", "--install-completion", "bash"], env=environ, capture_output=True, text=True, check=False
    )
    assert installed.returncode == 0, installed.stderr
    script = """
        source "$HOME/.bashrc"
        complete -p tita
        COMP_WORDS=(tita batch --by ""); COMP_CWORD=3; _tita_completion tita; echo "by ${COMPREPLY[*]}"
        COMP_WORDS=(tita batch --retry); COMP_CWORD=2; _tita_completion tita; echo "option ${COMPREPLY[*]}"
        COMP_WORDS=(tita ba); COMP_CWORD=1; _tita_completion tita; echo "command ${COMPREPLY[*]}"
    """
    done = subprocess.run(
        ["bash", "--norc", "-c", script], env=environ, capture_output=True, text=True, check=False, timeout=60
    )
    lines = done.stdout.splitlines()
    assert "_tita_completion tita" in lines[0]
    assert lines[1:] == [
        "by folders names lenses pages exposure numbers burst scenes",
        "option --retry-failed",
        "command batch",
    ]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_shown_for_every_shell(shell: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tita_cli", "--show-completion", shell], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "_TITA_COMPLETE" in done.stdout


def complete(*words: str) -> list[str]:
    """What bash would offer for the last of ``words``."""
    environ = {**os.environ, "_TITA_COMPLETE": "complete_bash", "COMP_WORDS": " ".join(["tita", *words])}
    environ["COMP_CWORD"] = str(len(words))
    code = "from tita_cli.cli.main import run; run([])"
    done = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=False)
    return done.stdout.split()


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (("fuse", "--align", "s"), ["strict", "similarity"]),
        (("fuse", "--color", ""), ["auto", "grey"]),
        (("batch", "--device", ""), ["auto", "cpu", "cuda"]),
        (("align", "--border", "m"), ["mask"]),
        (("fuse", "--depth", ""), ["8", "16", "32"]),
        (("batch", "--format", "p"), ["png", "pnm", "pfm"]),
        (("calibrate", "--align", ""), ["translation", "similarity", "affine", "homography"]),
        (("eval", "--convention", ""), ["mefb", "vifb"]),
        (("export", "--precision", ""), ["fp32", "fp16"]),
        (("config", "b"), ["batch"]),
    ],
)
def test_values_are_completed(words: tuple[str, ...], offered: list[str]) -> None:
    assert complete(*words) == offered


def test_models_are_completed_by_name_and_by_file() -> None:
    Path("own").mkdir()
    Path("own/mine.onnx").touch()
    Path("own/notes.txt").touch()
    assert {"tita", "tita-lite"} <= set(complete("fuse", "--model", "ti"))
    assert complete("fuse", "--model", "o") == ["own/"]
    assert complete("fuse", "--model", "own/") == ["own/mine.onnx"]


def test_a_key_that_is_also_a_command_is_an_option(capfdbinary) -> None:
    Path("tita.toml").write_text('align = "none"\n')
    assert settings(capfdbinary, "fuse")["align"] == ("none", "tita.toml")
    assert settings(capfdbinary, "align")["align"] == ("none", "tita.toml")
    Path("tita.toml").write_text('[align]\nalign = "flow"\n')
    assert settings(capfdbinary, "align")["align"] == ("flow", "tita.toml")
    assert settings(capfdbinary, "fuse")["align"] == ("auto", "default")


def test_a_default_for_align_leaves_calibrate_alone(monkeypatch: pytest.MonkeyPatch, capfd) -> None:
    monkeypatch.setenv("TITA_ALIGN", "none")
    assert run(["calibrate", "one.png", "-o", "c.json"]) == ExitCode.USAGE
    assert "one file has nothing to be aligned to" in capfd.readouterr().err  # and no word of --align


@pytest.mark.parametrize(
    "content",
    ["force = true", "[fuse]\nforce = true", "[batch]\nreport = 'x.html'", "report = 'x.html'", "[eval]\ncsv = 'x'",
     "[fuse]\nweights_map = 'x.png'", "[train]\noutput = 'x'", "[batch]\noutput = 'x'"],
)  # fmt: skip
def test_a_file_cannot_make_tita_replace_or_write_files(content: str, capfd) -> None:
    Path("tita.toml").write_text(content)
    assert run(["fuse", "a.png", "b.png", "-o", "out.png"]) == ExitCode.USAGE
    assert "tita.toml" in capfd.readouterr().err


def test_numbers_of_sources_are_shown_as_written(monkeypatch: pytest.MonkeyPatch, capfdbinary) -> None:
    monkeypatch.setenv("TITA_REFERENCE", "2")
    assert settings(capfdbinary, "fuse")["reference"] == ("2", "TITA_REFERENCE")


def test_what_the_working_folder_sets_is_said_once(picture_file, capfd) -> None:
    Path("tita.toml").write_text("max-pixels = 5\n[batch]\nworkers = 2\n")
    assert run(["show", str(picture_file("a.png"))]) == ExitCode.UNREADABLE_INPUT
    said = capfd.readouterr().err
    assert said.count("tita: defaults of max-pixels from tita.toml in this folder\n") == 1


@pytest.mark.parametrize("variable", ["TITA_METRICS", "TITA_EVAL_METRICS"])
def test_metrics_of_a_report_leave_eval_alone(
    variable: str, monkeypatch: pytest.MonkeyPatch, capfd, picture_file
) -> None:
    monkeypatch.setenv(variable, "none")
    path = str(picture_file("a.png"))
    assert run(["eval", "--fused", path, "--a", path, "--b", path, "--metrics", "EN"]) == 0
    assert run(["eval", "--fused", path, "--a", path, "--b", path, "--metrics", "none"]) == ExitCode.USAGE
