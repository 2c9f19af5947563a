"""An output folder that comes from anywhere: links in it, names that cannot be, journals of odd types."""

from __future__ import annotations

import errno
import json
from pathlib import Path
from typing import Any

import pytest

from tita_cli.batch import Record, read_journal
from tita_cli.batch.journal import FILE_NAME, LOCK_NAME
from tita_cli.batch.record import is_record
from tita_cli.batch.work import describe_error
from tita_cli.errors import InputError, OutputError
from tita_cli.report.rows import make_rows


@pytest.mark.parametrize("name", [FILE_NAME, LOCK_NAME])
@pytest.mark.parametrize("there", [True, False])
def test_journal_and_lock_are_not_written_through_links(bench, name: str, there: bool) -> None:
    victim = bench.root / "victim"
    if there:
        victim.write_text("precious")
    bench.add("a")
    bench.out.mkdir()
    (bench.out / name).symlink_to(victim)
    with pytest.raises(OutputError, match="is a link"):
        bench.run()
    assert victim.read_text() == "precious" if there else not victim.exists()


def test_links_in_the_way_of_a_result_fail_that_pair(bench) -> None:
    elsewhere = bench.root / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "victim").write_text("precious")
    bench.add("p1", "p2", "sub/p3")
    bench.out.mkdir()
    (bench.out / "p1.png").symlink_to(elsewhere / "victim")
    (bench.out / "sub").symlink_to(elsewhere)
    summary = bench.run(force=True)
    assert (summary.done, sorted(record["output"] for record in summary.failures)) == (1, ["p1.png", "sub/p3.png"])
    assert {path.name for path in elsewhere.iterdir()} == {"victim"}
    assert (elsewhere / "victim").read_text() == "precious"


def test_a_name_that_is_too_long_fails_that_pair(bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.add("p1", "p2")
    real = Path.lstat

    def lstat(path: Path) -> Any:
        if path.name == "p1.png" and path.parent == bench.out:
            raise OSError(errno.ENAMETOOLONG, "File name too long", str(path))
        return real(path)

    monkeypatch.setattr(Path, "lstat", lstat)
    summary = bench.run()
    assert summary.done == 1
    assert "file name too long" in summary.failures[0]["error"]["message"]


def test_two_names_of_one_file_fail_the_second(bench) -> None:
    bench.add("p1", "p2")
    bench.out.mkdir()
    (bench.out / "p1.png").write_text("old")
    (bench.out / "p2.png").hardlink_to(bench.out / "p1.png")  # as one is where case does not count
    summary = bench.run(force=True)
    assert summary.done == 1
    assert "is the same file as p1.png" in summary.failures[0]["error"]["message"]


@pytest.mark.parametrize("content", [b"", b"\0" * 8])
def test_a_damaged_result_is_made_again(bench, content: bytes) -> None:
    bench.add("p1", "p2")
    bench.run()
    (bench.out / "p1.png").write_bytes(content)
    assert bench.redone() == ["p1.png"]
    assert bench.redone() == []


@pytest.mark.parametrize(
    ("error", "again"), [(OutputError("the disk is full"), True), (MemoryError(), True), (InputError("bad"), False)]
)
def test_failures_that_say_nothing_about_the_sources_are_tried_again(bench, error: Exception, again: bool) -> None:
    class Failing(bench.fuser):
        def fuse(self, job, decoded):
            raise error

    bench.add("p1")
    assert bench.run(Failing()).failed
    assert bench.redone() == (["p1.png"] if again else [])


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), 4),
        (OSError(errno.EMFILE, "Too many open files"), 7),
        (RuntimeError("can't start new thread"), 7),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes"), 7),
        (PermissionError(errno.EACCES, "Permission denied", "a.png"), 3),
        (ImportError("libGL.so.1: cannot open shared object file"), 7),
        (ImportError("libx.so: failed to map segment from shared object"), 7),
        (ZeroDivisionError("a bug"), 70),
    ],
)
def test_what_the_machine_lacks_is_no_bug(error: Exception, code: int) -> None:
    assert describe_error(error)["code"] == code


DONE: Record = {
    "event": "done", "output": "a.png", "sources": [{"path": "a", "file": {"size": 1, "mtime_ns": 1, "sha256": "0"}}],
    "reference": 1, "why": "so", "options": "0", "model": "0", "file": {"size": 1, "mtime_ns": 1, "sha256": "0"},
    "result": {"width": 1, "height": 1, "align": [{"residual_px": None}], "weights": [], "notes": [], "engine": {}},
    "seconds": {"fuse": 0.1}, "error": {"message": "no", "hint": None, "code": 3},
}  # fmt: skip
ODD: list[Any] = [None, True, 1, -1.5, "text", [], [[]], {}, {"path": 3}, ["a"]]
ABSENT = object()


def test_records_of_odd_types_are_no_records(tmp_path: Path) -> None:
    """Whatever stands in place of any value: the record is refused, or everything that reads it can go on."""
    assert is_record(DONE)
    accepted = []
    for key in DONE:
        for inner in (None, *(DONE[key] if isinstance(DONE[key], dict) else ())):
            for odd in (*ODD, ABSENT):
                for event in ("done", "failed", "writing"):
                    changed = json.loads(json.dumps({**DONE, "event": event}))
                    place, name = (changed, key) if inner is None else (changed[key], inner)
                    if odd is ABSENT:
                        place.pop(name, None)
                    else:
                        place[name] = odd
                    if is_record(changed):
                        accepted.append(changed)
    assert len(accepted) > 20  # some odd values are of the right type
    journal = tmp_path / FILE_NAME
    for record in accepted:
        journal.write_text(json.dumps(record))
        for row in make_rows(read_journal(tmp_path), tmp_path):
            json.dumps(row.describe(), allow_nan=False)


@pytest.mark.parametrize(
    "line",
    [
        "[" * 100_000,
        '{"event": "done", "output": NaN}',
        '{"event": ["done"]}',
        '{"event": "run", "x": 1e999}',
        "9" * 5000,
    ],
)
def test_lines_that_are_no_json_are_counted_as_damaged(tmp_path: Path, line: str) -> None:
    (tmp_path / FILE_NAME).write_text(f"{line}\n{json.dumps(DONE)}\n")
    history = read_journal(tmp_path)
    assert (history.damaged, [output for output, _ in history]) == (1, ["a.png"])
