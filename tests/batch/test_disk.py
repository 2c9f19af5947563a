"""What a batch keeps on the disk: the list of what is to do, and the places of the journal's records."""

from __future__ import annotations

import json
import os
import threading
import tracemalloc
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

from tita_cli.batch import Journal, Recipe, judge_jobs, make_jobs, read_journal
from tita_cli.batch.disk_table import DiskTable
from tita_cli.pairing import Manifest


def test_a_table_is_a_mapping_in_the_order_of_its_keys() -> None:
    table: DiskTable[list[int]] = DiskTable()
    names = ["b", "a", "\uffee", "\U0001f600", os.fsdecode(b"stray\xff"), "line\nend", ""]
    for number, name in enumerate(names):
        assert table.add(name, [number])
    assert not table.add("a", [99])
    table["b"] = [7]
    table["new"] = [8]
    expected = {**{name: [number] for number, name in enumerate(names)}, "b": [7], "new": [8]}
    assert dict(table.items()) == expected
    assert [key for key, _ in table.items()] == sorted(expected)
    assert (len(table), table.get("a"), table.get("absent"), "a" in table, "z" in table) == (8, [1], None, True, False)


def test_a_table_may_change_while_it_is_read_and_by_any_thread() -> None:
    table: DiskTable[int] = DiskTable()
    for number in range(1200):
        table[f"{number:04}"] = 0

    def count(keys: Iterator[tuple[str, int]]) -> None:
        for key, _ in keys:
            table[key] = 1

    thread = threading.Thread(target=count, args=(table.items(),))
    thread.start()
    thread.join()
    assert {value for _, value in table.items()} == {1} and len(table) == 1200


def test_a_history_reads_on_where_the_journal_grows(tmp_path: Path) -> None:
    with Journal(tmp_path) as journal:
        journal.append({"event": "run", "pid": 1}, {"event": "failed", "output": "b", "error": {"message": "x"}})
        history = read_journal(tmp_path)
        assert (history.runs, len(history), history.written("b")) == (1, 1, None)
        journal.append({"event": "done", "output": "b"}, {"event": "writing", "output": "a"})
        history.read_on()
        journal.append({"event": "failed", "output": "b", "error": {"message": "y"}})
        history.read_on()
    assert [(output, record["event"]) for output, record in history] == [("a", "writing"), ("b", "failed")]
    assert (history.last("b") or {})["error"]["message"] == "y"
    assert (history.written("b") or {})["event"] == "done"
    assert history.last("c") is None


def test_a_long_manifest_is_not_held_in_memory(tmp_path: Path) -> None:
    lines = 6000
    rows = (
        json.dumps({"sources": [f"flight/{n}_V.JPG", f"flight/{n}_T.JPG"], "output": f"{n}.jpg"}) for n in range(lines)
    )
    content = "\n".join(rows).encode()
    make_jobs(Manifest(lambda: BytesIO(b"a,b\nx.jpg,y.jpg\n"), name="m", base=tmp_path), tmp_path / "x")  # imports
    tracemalloc.start()
    jobs = make_jobs(Manifest(lambda: BytesIO(content), name="m", base=tmp_path), tmp_path / "out")
    tasks = judge_jobs(jobs, read_journal(tmp_path), Recipe({}, ""))
    assert sum(1 for _ in tasks.todo()) == lines
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # Groups, jobs and tasks in lists take 2 KiB a line, 12 MiB. pathlib interns names, whose table of 4 MiB may double.
    assert peak < 8 << 20
