"""What is done is not done again; what changed is; nothing of others is overwritten."""

from __future__ import annotations

import json
import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tita_cli.batch import Recipe, read_journal
from tita_cli.batch.journal import FILE_NAME
from tita_cli.errors import OutputError

NAMES = ["p000.png", "p001.png", "p002.png"]


@pytest.fixture
def done(bench, letters):
    bench.add(*letters(3))
    assert bench.redone() == NAMES
    return bench


def test_what_is_done_is_skipped(done) -> None:
    assert done.redone() == []
    assert done.run().skipped == 3


def test_new_sources_are_added(done) -> None:
    done.add("q")
    assert done.redone() == ["q.png"]


def test_changed_sources_are_redone(done) -> None:
    done.add("p001", content="else")
    assert done.redone() == ["p001.png"]
    assert done.results()["p001"] == "p001+else"
    assert done.redone() == []


def test_a_touched_or_moved_source_is_not_redone(done) -> None:
    os.utime(done.root / "in/vis/p000.png", (1, 1))
    assert done.redone() == []
    (done.root / "in").rename(done.root / "elsewhere")
    (done.root / "in").symlink_to(done.root / "elsewhere")
    assert done.redone() == []


def test_a_source_of_the_same_size_and_other_content_is_redone(done) -> None:
    done.add("p002", content="doog")
    assert done.redone() == ["p002.png"]


@pytest.mark.parametrize("recipe", [Recipe({"resize": True}, "model-1"), Recipe({"resize": False}, "model-2")])
def test_other_options_or_another_model_redo_all(done, recipe: Recipe) -> None:
    done.recipe = recipe
    assert done.redone() == NAMES
    assert done.redone() == []


def test_a_result_that_is_gone_is_made_again(done) -> None:
    (done.out / "p001.png").unlink()
    assert done.redone() == ["p001.png"]


def test_failures_are_kept_and_tried_again_when_asked_or_changed(done) -> None:
    done.add("q", content="bug")
    assert done.run().failed == 1
    summary = done.run()
    assert (summary.failed, summary.failed_before, summary.incomplete) == (0, 1, True)
    assert done.redone(retry_failed=True) == ["q.png"]
    done.add("q", content="mended")
    assert done.redone() == ["q.png"]
    assert not done.run().incomplete


def test_files_of_others_are_not_overwritten(bench, letters) -> None:
    bench.add(*letters(3))
    bench.out.mkdir()
    (bench.out / "p001.png").write_text("precious")
    with pytest.raises(OutputError, match=r"1 outputs exist that this batch did not write: .*p001\.png"):
        bench.run()
    assert bench.results() == {"p001": "precious"}
    assert bench.redone(force=True) == NAMES
    assert bench.results()["p001"] == "p001+good"


def test_a_retouched_result_is_kept(done) -> None:
    (done.out / "p001.png").write_text("retouched")
    assert done.redone() == []
    done.recipe = Recipe({"resize": True}, "model-1")
    with pytest.raises(OutputError, match=r"p001\.png"):
        done.run()
    assert done.results()["p001"] == "retouched"


def test_what_was_being_written_when_a_run_was_killed_is_redone(done) -> None:
    # Killed between the rename and the record: the file is there, whole, and nobody said that it is done.
    journal = done.out / FILE_NAME
    lines = [line for line in journal.read_text().splitlines() if not ('"done"' in line and "p001" in line)]
    journal.write_text("\n".join(lines) + "\n")
    (done.out / ".tita-0123456789ab.part").write_text("half")
    assert done.redone() == ["p001.png"]
    assert not (done.out / ".tita-0123456789ab.part").exists()


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(torn=st.integers(0, 3000))
def test_a_journal_torn_anywhere_is_gone_on_from(done, torn: int) -> None:
    journal = done.out / FILE_NAME
    content = journal.read_bytes()
    journal.write_bytes(content[: max(0, len(content) - torn)])
    history = read_journal(done.out)
    known = {name for name, record in history if record["event"] == "done"}
    for name in (name for name in NAMES if history.written(name) is None):
        # Nothing is written before the journal has announced it, so of these no file can be there.
        (done.out / name).unlink(missing_ok=True)
    assert set(done.redone()) == set(NAMES) - known
    assert done.redone() == []
    assert sum(not _is_json(line) for line in journal.read_bytes().split(b"\n") if line) <= 1
    journal.unlink()  # the next example begins with a journal that is whole
    assert sorted(done.redone(force=True)) == NAMES


def _is_json(line: bytes) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return False
    return True


def test_odd_names_survive_the_journal(bench) -> None:
    names = ["new\nline", "日本 語", "line\u2028sep", 'quote"s', os.fsdecode(b"stray\xff")]
    bench.add(*names, content="ok")
    assert bench.run().done == len(names)
    assert {output.removesuffix(".png") for output, _ in read_journal(bench.out)} == set(names)
    assert bench.redone() == []
