"""Sources are never replaced, by whatever name; nothing is written through links that lead nowhere."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tita_cli.cli.main import run
from tita_cli.errors import ExitCode, OutputError, UsageError
from tita_cli.images import check_writable
from tita_cli.images.atomic import atomic_output, is_among


def other_names(path: Path) -> list[Path]:
    """The file by a symbolic link, a hard link, a detour and a linked folder."""
    folder = path.parent
    (folder / "linked").symlink_to(folder)
    (folder / "soft.png").symlink_to(path)
    (folder / "hard.png").hardlink_to(path)
    return [
        path, folder / "soft.png", folder / "hard.png", folder / "linked" / path.name,
        Path(f"{folder}/../{folder.name}/{path.name}"),
    ]  # fmt: skip


def test_a_source_is_known_by_every_name(tmp_path: Path) -> None:
    source = tmp_path / "a.png"
    source.write_bytes(b"precious")
    for name in other_names(source):
        with pytest.raises(UsageError, match="is one of the sources"):
            check_writable(name, overwrite=True, sources=["absent", 3, source])
    check_writable(tmp_path / "b.png", overwrite=False, sources=[source])


def test_files_that_are_not_there_yet_count_by_their_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert is_among(tmp_path / "x.png", ["x.png"])
    assert not is_among("y.png", ["x.png"])


def test_a_dangling_link_is_not_written_through(tmp_path: Path) -> None:
    link = tmp_path / "out.png"
    link.symlink_to(tmp_path / "elsewhere.png")
    with pytest.raises(OutputError, match="is a link to"), atomic_output(link, overwrite=True):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["out.png"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_named_pipe_without_a_reader_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OutputError, match="nobody reads"), atomic_output(tmp_path / "pipe", overwrite=True):
        pass


@pytest.mark.parametrize("order", [("fsync", "rename"), ("rename", "fsync")])
def test_content_is_on_the_disk_before_its_name_and_its_name_before_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, order: tuple[str, str]
) -> None:
    calls: list[str] = []
    sync, replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda number: (calls.append("fsync"), sync(number)))
    monkeypatch.setattr(Path, "replace", lambda self, target: (calls.append("rename"), replace(self, target)))
    with atomic_output(tmp_path / "out", overwrite=False) as file:
        file.write(b"x")
    first = calls.index(order[0])
    assert order[1] in calls[first + 1 :]


@pytest.mark.parametrize(
    "arguments",
    [
        ["fuse", "a.png", "b.png", "-o", "b.png"],
        ["fuse", "a.png", "b.png", "-o", "out.png", "--weights-map", "a.png"],
        ["fuse", "a.png", "b.png", "-o", "out.png", "--weights-map", "./out.png"],
        ["align", "a.png", "1-a.png", "-o", "."],
        ["calibrate", "a.png", "b.png", "-o", "a.png"],
        ["eval", "--fused", "a.png", "--a", "a.png", "--b", "b.png", "--csv", "b.png"],
        ["eval", "--fused", "a.png", "--a", "a.png", "--b", "b.png", "--against", "t.csv", "--csv", "t.csv"],
        ["batch", "list.jsonl", "-o", ".", "--report", "b.png"],
        ["batch", "list.jsonl", "-o", ".", "--report", "new.png"],
        ["batch", "list.jsonl", "-o", ".", "--report", "tita-batch.jsonl"],
        ["batch", "over.jsonl", "-o", "linked"],
    ],
)
def test_no_command_replaces_what_it_reads(
    arguments: list[str], tmp_path: Path, picture_file, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for number, name in enumerate(("a.png", "b.png", "1-a.png")):
        picture_file(name, seed=number)
    Path("linked").symlink_to(".")
    Path("t.csv").write_text("image,method,metric,value\na,m,EN,1\n")
    Path("list.jsonl").write_text('{"sources": ["a.png", "b.png"], "output": "new.png"}')
    Path("over.jsonl").write_text(json.dumps({"sources": ["a.png", f"../{tmp_path.name}/b.png"], "output": "b.png"}))
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    assert run([*arguments, "--force"]) == ExitCode.USAGE
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()} == before
