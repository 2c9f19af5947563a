"""A search leaves the results of earlier batches alone, as their journals name them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tita_cli.batch import Journal
from tita_cli.batch.plan import find_plan
from tita_cli.pairing.plan import Plan


def _shots(folder: Path, *names: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).touch()


def _batch(folder: Path, *results: str) -> None:
    """A batch that wrote ``results`` into ``folder``."""
    with Journal(folder) as journal:
        for result in results:
            (folder / result).parent.mkdir(parents=True, exist_ok=True)
            (folder / result).touch()
            journal.append({"event": "done", "output": result})


def _found(root: Path, output: Path) -> tuple[set[str], set[str]]:
    """What a search finds: paths below ``root`` of the sources, and of what is left over."""
    plan = find_plan([str(root)], output)
    assert isinstance(plan, Plan)
    sources = {path.relative_to(root).as_posix() for group in plan.groups for path in group.sources}
    return sources, {leftover.path.relative_to(root).as_posix() for leftover in plan.leftovers}


def test_results_below_are_neither_sources_nor_left_over(tmp_path: Path) -> None:
    _shots(tmp_path / "day", "a1.jpg", "a2.jpg")
    # Results that would make a stack of their own.
    _batch(tmp_path / "day-fused", "b1.jpg", "b2.jpg", "deep/b3.jpg", "deep/b4.jpg")
    _shots(tmp_path / "day-fused", "own.jpg")
    sources, left = _found(tmp_path, tmp_path / "out")
    assert sources == {"day/a1.jpg", "day/a2.jpg"} and left == {"day-fused/own.jpg"}


def test_the_folder_of_a_batch_is_searched_where_it_is_named(tmp_path: Path) -> None:
    _batch(tmp_path, "b1.jpg", "b2.jpg")
    assert _found(tmp_path, tmp_path / "out")[0] == {"b1.jpg", "b2.jpg"}


def test_results_among_their_sources_are_left_alone_where_more_go_there(tmp_path: Path) -> None:
    _shots(tmp_path, "a1.jpg", "a2.jpg")
    _batch(tmp_path, "a.jpg")
    assert _found(tmp_path, tmp_path) == ({"a1.jpg", "a2.jpg"}, set())


@pytest.mark.parametrize("content", [b"", b"\xff\xfe no journal", b'{"event": "done"}\n'])
def test_a_file_that_is_no_journal_hides_nothing(content: bytes, tmp_path: Path) -> None:
    _shots(tmp_path / "day", "a1.jpg", "a2.jpg")
    (tmp_path / "day/tita-batch.jsonl").write_bytes(content)
    assert _found(tmp_path, tmp_path / "out")[0] == {"day/a1.jpg", "day/a2.jpg"}
