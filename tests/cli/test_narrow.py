"""What a narrow terminal shows: lines that break between words, and lists in place of tables."""

from __future__ import annotations

import io
import os
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from tita_cli.cli import console
from tita_cli.cli.stages import showing

PATH = "a/path/that/is/longer/than/the/whole/line/of/this/terminal/is/wide.png"


def shown(arguments: list[str], width: int, folder: Path, **variables: str) -> list[str]:
    """The lines that ``tita`` writes on a terminal of this width, both streams."""
    import fcntl
    import pty
    import termios

    ours, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 50, width, 0, 0))
    environment = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
    environment["PYTHONPATH"] = str(Path(console.__file__).parents[2])
    command = [sys.executable, "-m", "tita_cli", *arguments]
    running = subprocess.Popen(command, stdin=its, stdout=its, stderr=its, cwd=folder, env={**environment, **variables})
    os.close(its)
    said = b""
    try:
        while some := os.read(ours, 65536):
            said += some
    except OSError:  # so Linux says that nobody writes any more
        pass
    running.wait()
    os.close(ours)
    return said.decode().replace("\r", "").splitlines()


def test_messages_break_between_words(tmp_path: Path) -> None:
    (tmp_path / "photographs").mkdir()
    wide = shown(["fuse", "photographs", PATH, "-o", "out.png"], 400, tmp_path)
    narrow = shown(["fuse", "photographs", PATH, "-o", "out.png"], 40, tmp_path)
    assert [line[:12] for line in wide] == ["tita: error:", "tita: hint: "]
    assert " ".join(narrow).split() == " ".join(wide).split()
    assert len(narrow) > len(wide)
    assert max(len(line) for line in narrow if PATH not in line) <= 40
    assert shown(["fuse", "photographs", PATH, "-o", "out.png"], 0, tmp_path, COLUMNS="40") == narrow


def test_models_are_a_list(tmp_path: Path) -> None:
    lines = shown(["models"], 40, tmp_path)
    assert lines[:2] == ["tita", "  the published network"]
    assert max(map(len, lines[:-2])) <= 40
    assert shown(["models"], 100, tmp_path)[0].split() == ["name", "use", "size", "licence"]


def test_a_plan_is_a_list_where_a_table_would_break_names(picture_file, tmp_path: Path) -> None:
    sources = [picture_file(f"a_rather_long_name_of_a_folder/{name}.png") for name in ("infrared", "visible")]
    lines = shown(["batch", sources[0].parent.name, "--dry-run"], 40, tmp_path)
    for source in sources:
        assert f"  {source.relative_to(tmp_path)}" in lines
    assert "a_rather_long_name_of_a_folder.png: to do" in " ".join(" ".join(lines).split())
    wide = shown(["batch", sources[0].parent.name, "--dry-run"], 150, tmp_path)
    assert any("│" in line and f"{sources[0].relative_to(tmp_path)} " in line for line in wide)


def test_what_goes_to_a_file_stays_whole(capsys: pytest.CaptureFixture[str]) -> None:
    console.complain("word " * 100 + "end", hint="go " * 100 + "on")
    assert capsys.readouterr().err.count("\n") == 2


def test_what_is_no_image_is_told_in_one_line(picture_file, tmp_path: Path) -> None:
    for name in ("infrared", "visible", "again"):
        picture_file(f"night/{name}.png")
    (tmp_path / "night/again.png").rename(tmp_path / "night/again.jp2")
    for name in ("README.md", "notes.txt", "more.txt", "Makefile"):
        (tmp_path / "night" / name).touch()
    lines = shown(["batch", "night", "--dry-run"], 200, tmp_path)
    assert "4 files are no images: .md, .txt, Makefile" in lines
    assert lines[0] == "1 group from 2 images, grouped by names, 1 file left over → night-fused"
    assert not any("notes.txt" in line for line in lines)


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_the_bar_gives_way_to_the_time_that_a_stage_still_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("COLUMNS", "40"), ("LINES", "20"), ("TERM", "xterm")):
        monkeypatch.setenv(name, value)
    terminal = _Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with showing(quiet=False) as progress:
        progress("look", 19, 20)
    assert "looking at the sources 19/20" in terminal.getvalue()
    assert "-:--:--" in terminal.getvalue()
