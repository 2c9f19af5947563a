"""Runs: every result journalled, no failure stops the rest, stops are clean."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tita_cli.batch import Job, Journal, LocalPool, Work, judge_jobs, read_journal, run_batch
from tita_cli.batch.journal import FILE_NAME
from tita_cli.batch.pipeline import Pipeline, Sizes, Stages
from tita_cli.errors import DeviceError, ModelError, OutputError, UsageError


def test_all_is_fused_and_journalled(bench, letters) -> None:
    bench.add(*letters(40))
    summary = bench.run()
    assert (summary.done, summary.skipped, summary.failed, summary.remaining) == (40, 0, 0, 0)
    assert bench.results() == {name: f"{name}+good" for name in letters(40)}
    history = read_journal(bench.out)
    assert history.runs == 1
    assert {record["event"] for _, record in history} == {"done"}
    record = history.last("p000.png")
    assert [Path(source["path"]).parent.name for source in record["sources"]] == ["vis", "ir"]
    assert record["sources"][1]["file"]["size"] == 4
    assert set(record["seconds"]) == {"decode", "fuse", "encode"}


def test_a_bad_file_does_not_stop_the_rest(bench) -> None:
    bench.add("x", "y")
    bench.add("broken", content="bad")
    bench.add("odd", content="bug")
    heard = []
    summary = bench.run(listener=heard.append)
    assert summary.done == 2
    assert summary.incomplete
    errors = {record["output"]: record["error"] for record in summary.failures}
    assert errors["broken.png"]["kind"] == "InputError"
    assert errors["broken.png"]["message"].endswith("broken.png: is damaged")
    assert errors["broken.png"]["hint"] == "take it again"
    assert errors["odd.png"] == {
        "kind": "ZeroDivisionError",
        "message": "internal error: a bug",
        "hint": "please report it",
        "code": 70,
    }
    assert sorted(bench.results()) == ["x", "y"]
    assert [record["event"] for record in (heard[0], heard[-1])] == ["run", "end"]
    assert heard[-1]["failed"] == 2


def test_what_memory_did_not_suffice_for_is_done_alone_at_the_end(bench, letters) -> None:
    bench.add(*letters(12))
    bench.add("a0", content="huge")
    room = threading.Semaphore(1)

    class Greedy(bench.fuser):  # has memory for one picture at a time, and for none that is huge
        def decode(self, job: Job) -> list[bytes]:
            decoded = super().decode(job)
            if b"huge" in decoded or not room.acquire(blocking=False):
                raise MemoryError
            return decoded

        def encode(self, job: Job, fused: bytes, *, overwrite: bool) -> Mapping[str, Any]:
            time.sleep(0.01)
            room.release()
            return super().encode(job, fused, overwrite=overwrite)

    heard = []
    summary = bench.run(Greedy(), listener=heard.append)
    assert (summary.done, summary.failed, summary.remaining) == (12, 1, 0)
    assert bench.results() == {name: f"{name}+good" for name in letters(12)}
    (failure,) = summary.failures
    assert (failure["output"], failure["error"]["code"]) == ("a0.png", 7)
    assert [record["event"] for record in heard].count("failed") == 1


def test_fail_fast_drops_the_rest(bench, letters) -> None:
    bench.add(*letters(60))
    bench.add("a0", "a1", content="bad")
    summary = bench.run(fail_fast=True)
    assert summary.failed == 1
    assert summary.remaining > 0
    assert not list(bench.out.glob(".tita-*.part"))
    assert bench.run(retry_failed=True).remaining == 0


def test_a_source_that_changes_while_it_is_read_fails(bench) -> None:
    bench.add("x")

    class Slow(bench.fuser):
        def fuse(self, job, decoded):
            job.sources[0].write_text("something else")
            return super().fuse(job, decoded)

    (record,) = bench.run(Slow()).failures
    assert record["error"]["message"].endswith("x.png: changed while it was read")
    assert bench.run().done == 1  # what it has become was never tried


def test_a_source_that_is_half_written_is_tried_again(bench) -> None:
    bench.add("x", content="bad")

    class Late(bench.fuser):
        def decode(self, job):
            try:
                return super().decode(job)
            finally:
                job.sources[0].write_text("whole by now")
                job.sources[1].write_text("as well")

    (record,) = bench.run(Late()).failures
    assert record["error"]["kind"] == "ChangedError"
    assert bench.run().done == 1


def test_a_result_that_vanishes_is_made_again(bench) -> None:
    bench.add("x")

    class Vanishing(bench.fuser):
        def encode(self, job, fused, *, overwrite):
            made = super().encode(job, fused, overwrite=overwrite)
            job.target.unlink()
            return made

    (record,) = bench.run(Vanishing()).failures
    assert "was removed" in record["error"]["message"]
    assert bench.run().done == 1


@pytest.mark.skipif(os.name == "nt", reason="no open file can be removed there")
def test_a_journal_that_is_removed_ends_the_run(bench, letters) -> None:
    bench.add(*letters(9))

    class Removing(bench.fuser):
        def fuse(self, job, decoded):
            (bench.out / FILE_NAME).unlink(missing_ok=True)
            return super().fuse(job, decoded)

    with pytest.raises(OutputError, match="was removed") as caught:
        bench.run(Removing())
    assert "overwrite" in str(caught.value.hint)
    assert bench.run(force=True).done == 9


def test_a_lane_that_cannot_open_ends_the_run_with_its_error(bench, letters) -> None:
    bench.add(*letters(30))

    class NoGpu(bench.fuser):
        def open_lane(self):
            raise DeviceError("no usable GPU")

    with pytest.raises(DeviceError, match="no usable GPU"):
        bench.run(NoGpu())
    assert bench.results() == {}
    assert bench.run().done == 30


def test_an_interrupt_leaves_a_journal_to_go_on_from(bench, letters) -> None:
    bench.add(*letters(50))

    def interrupt(record) -> None:
        if record["event"] == "done":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        bench.run(listener=interrupt)
    assert not list(bench.out.glob(".tita-*.part"))
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("tita-")]
    done = [output for output, record in read_journal(bench.out) if record["event"] == "done"]
    assert 0 < len(done) < 50
    assert bench.run().done == 50 - len(done)
    assert len(bench.results()) == 50


def test_a_second_run_on_one_folder_says_so(bench) -> None:
    bench.add("x")
    bench.run()
    with Journal(bench.out), pytest.raises(UsageError, match=r"another run is writing here \(process [0-9]+ on"):
        bench.run()
    assert bench.run().skipped == 1


def test_an_output_folder_that_cannot_be_is_an_output_error(bench) -> None:
    bench.out.write_text("a file")
    with pytest.raises(OutputError, match="out"):
        bench.run()


def test_results_are_the_same_whatever_the_number_of_workers(bench, letters) -> None:
    bench.add(*letters(20))
    bench.run()
    first = bench.results()
    for sizes in (Sizes(1, 1, 1, 1), Sizes(4, 8, 3, 1 << 30)):
        bench.out = bench.root / f"out-{sizes.lanes}"
        with Journal(bench.out) as journal:
            tasks = judge_jobs(bench.jobs(), read_journal(bench.out), bench.recipe)
            pool = LocalPool(Work(bench.fuser(), bench.recipe), sizes)
            run_batch(tasks, journal, pool, bench.recipe, header={})
        assert bench.results() == first


def test_the_pipeline_keeps_to_its_budget() -> None:
    held, most, lock = 0, 0, threading.Lock()

    def decode(size: int) -> int:
        nonlocal held, most
        with lock:
            held += size
            most = max(most, held)
        time.sleep(0.001)
        return size

    def encode(task: int, size: int) -> int:
        nonlocal held
        with lock:
            held -= size
        return size

    stages = Stages(cost=lambda size: size, decode=decode, open_lane=lambda: lambda task, size: size, encode=encode)
    tasks = [3, 4, 2, 50, 1, 5] * 10
    with Pipeline(tasks, stages, Sizes(4, 3, 4, 10)) as pipeline:
        outcomes = [outcome for _, outcome in pipeline]
    assert sorted(outcomes) == sorted(tasks)
    assert most <= 50  # one that is larger than the budget goes alone


def test_the_pipeline_ends_when_left_early() -> None:
    stages = Stages(
        cost=lambda task: 1,
        decode=lambda task: task,
        open_lane=lambda: lambda task, value: value,
        encode=lambda task, value: value,
    )
    with Pipeline(iter(range(10**9)), stages, Sizes(2, 2, 2, 4)) as pipeline:
        for _, outcome in pipeline:
            if outcome > 20:
                break
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("tita-")]


def test_an_interrupt_does_not_wait_for_a_library_that_does_not_return(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tita_cli.batch.pipeline._PATIENCE", 0.05)
    release, started = threading.Event(), threading.Event()

    def fuse(task, value):
        started.set()
        release.wait(30)

    stages = Stages(
        cost=lambda task: 0, decode=lambda task: task, open_lane=lambda: fuse, encode=lambda task, value: value
    )
    with pytest.raises(KeyboardInterrupt), Pipeline([1, 2, 3], stages, Sizes(1, 1, 1, 4)):
        started.wait(30)
        raise KeyboardInterrupt
    assert not release.is_set()
    release.set()


def test_lanes_that_fail_to_open_do_not_hang_the_others() -> None:
    opened = iter([True, False, False])

    def open_lane():
        if not next(opened):
            raise ModelError("damaged")
        return lambda task, value: value

    stages = Stages(
        cost=lambda task: 0, decode=lambda task: task, open_lane=open_lane, encode=lambda task, value: value
    )
    with pytest.raises(ModelError), Pipeline(iter(range(10**9)), stages, Sizes(2, 3, 2, 4)) as pipeline:
        for _ in pipeline:
            pass
