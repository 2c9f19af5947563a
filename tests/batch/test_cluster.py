"""Who gets which task, and what becomes of those whose worker is lost; the machines are a fake."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from tita_cli import __version__
from tita_cli.batch import Journal, Task, Work, judge_jobs, read_journal, run_batch
from tita_cli.batch.cluster import DEPTH, ClusterPool, Event, version_problem
from tita_cli.batch.cluster_worker import Worker
from tita_cli.batch.ray_fleet import Place, place_workers
from tita_cli.errors import DeviceError


class FakeFleet:
    """Machines that do their tasks when they are waited for. ``script``: called before every task is done."""

    def __init__(self, work: Work, machines: int = 2, script: Callable[[FakeFleet, str, Task], bool] | None = None):
        self.work, self.script = work, script or (lambda fleet, worker, task: True)
        self.machines, self.spare, self.count = machines, 0, 0
        self.events: deque[Event] = deque()
        self.queued: dict[str, deque[tuple[int, Task]]] = {}
        self.deepest = self.closed = 0

    def grow(self) -> None:
        while self.count < self.machines + self.spare:
            self.count += 1
            self.events.append(Event("joined", f"w{self.count}", value={"host": f"node{self.count}"}))
            self.queued[f"w{self.count}"] = deque()

    def starting(self) -> int:
        return sum(event.kind == "joined" for event in self.events)

    def send(self, worker: str, ticket: int, task: Task) -> None:
        self.queued[worker].append((ticket, task))
        self.deepest = max(self.deepest, len(self.queued[worker]))

    def lose(self, worker: str) -> None:
        del self.queued[worker]
        self.events.append(Event("lost", worker, value=DeviceError(f"{worker}: its machine is gone")))

    def wait(self, seconds: float) -> Event | None:
        if self.events:
            return self.events.popleft()
        worker = next((each for each, tasks in self.queued.items() if tasks), None)
        if worker is None:
            return None
        ticket, task = self.queued[worker][0]
        if not self.script(self, worker, task):
            return self.events.popleft()
        self.queued[worker].popleft()
        here = Worker(self.work)
        here.open()
        self.queued[worker] = self.queued.pop(worker)  # the next one's turn
        return Event("done", worker, ticket, here.do(task))

    def close(self) -> None:
        self.closed += 1


def run(bench: Any, fleet: FakeFleet, **options: Any) -> Any:
    with Journal(bench.out) as journal:
        tasks = judge_jobs(bench.jobs(), read_journal(bench.out), bench.recipe)
        return run_batch(tasks, journal, ClusterPool(fleet, fleet.work), bench.recipe, header={}, **options)


@pytest.fixture
def work(bench: Any) -> Work:
    return Work(bench.fuser(), bench.recipe)


def test_a_cluster_does_what_one_machine_does(bench: Any, work: Work, letters: Callable[[int], Iterable[str]]) -> None:
    bench.add(*letters(20))
    bench.add("broken", content="bad")
    fleet = FakeFleet(work)
    summary = run(bench, fleet)
    assert (summary.done, summary.failed, summary.remaining) == (20, 1, 0)
    assert bench.results() == {name: f"{name}+good" for name in letters(20)}
    assert fleet.deepest == DEPTH and fleet.closed == 1
    record = read_journal(bench.out).last("p000.png")
    assert record["file"]["size"] == len("p000+good") and "host" in record
    assert summary.failures[0]["error"]["hint"] == "take it again"


def test_tasks_of_a_lost_worker_are_done_elsewhere(
    bench: Any, work: Work, letters: Callable[[int], Iterable[str]]
) -> None:
    bench.add(*letters(12))
    heard: list[Any] = []

    def script(fleet: FakeFleet, worker: str, task: Task) -> bool:
        if task.job.output == "p004.png" and worker in ("w1", "w2") and len(fleet.queued) == 2:
            # It wrote the result and died before it could say so.
            task.job.target.write_text("p004+good")
            fleet.lose(worker)
            return False
        return True

    summary = run(bench, FakeFleet(work, script=script), listener=heard.append)
    assert (summary.done, summary.failed) == (12, 0)
    assert bench.results() == {name: f"{name}+good" for name in letters(12)}
    states = [record["state"] for record in heard if record["event"] == "worker"]
    assert sorted(states) == ["joined", "joined", "lost"]


def test_a_task_that_takes_its_workers_along_fails_alone(
    bench: Any, work: Work, letters: Callable[[int], Iterable[str]]
) -> None:
    bench.add(*letters(8))

    def script(fleet: FakeFleet, worker: str, task: Task) -> bool:
        if task.job.output == "p003.png":
            fleet.spare += 1
            fleet.lose(worker)
            return False
        return True

    summary = run(bench, FakeFleet(work, script=script))
    assert summary.done == 7
    (failed,) = summary.failures
    assert failed["output"] == "p003.png"
    assert failed["error"]["message"].startswith("3 workers were lost over it")
    assert failed["error"]["code"] == 7


def test_without_any_worker_the_run_ends_with_the_reason_and_resumes(
    bench: Any, work: Work, letters: Callable[[int], Iterable[str]]
) -> None:
    bench.add(*letters(9))

    def script(fleet: FakeFleet, worker: str, task: Task) -> bool:
        if len(list(bench.out.glob("*.png"))) >= 4:
            fleet.lose(worker)
            return False
        return True

    with pytest.raises(DeviceError, match="its machine is gone"):
        run(bench, FakeFleet(work, script=script))
    assert len(bench.results()) == 4
    summary = run(bench, FakeFleet(work))
    assert (summary.done, summary.skipped) == (5, 4)


def test_an_interrupt_closes_the_fleet(bench: Any, work: Work, letters: Callable[[int], Iterable[str]]) -> None:
    bench.add(*letters(9))
    fleet = FakeFleet(work)

    def interrupt(record: Any) -> None:
        if record["event"] == "done":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(bench, fleet, listener=interrupt)
    assert fleet.closed == 1
    assert run(bench, FakeFleet(work)).done == 8


def test_another_version_of_tita_is_one_sentence() -> None:
    assert version_problem("node7", __version__) is None
    problem = version_problem("node7", "0.0.9")
    assert problem is not None and problem.exit_code == 7
    assert problem.message == f"node7: it has tita 0.0.9, and here is {__version__}: it takes no part"
    assert "not installed" in str(version_problem("node7", None))


@pytest.mark.parametrize(
    ("resources", "how", "place"),
    [
        ({"CPU": 16.0, "memory": 64 << 30}, {}, Place(16, 1.0, 0)),
        ({"CPU": 16.0, "memory": 64 << 30}, {"threads": 4}, Place(4, 4.0, 0)),
        ({"CPU": 16.0, "memory": 3 << 30}, {}, Place(3, 1.0, 0)),
        ({"CPU": 16.0, "GPU": 2.0}, {}, Place(2, 1.0, 1)),
        ({"CPU": 1.0, "GPU": 2.0}, {}, Place(2, 0.5, 1)),
        ({"CPU": 16.0, "GPU": 2.0}, {"device": "cpu", "most": 5}, Place(5, 1.0, 0)),
        ({"CPU": 16.0}, {"device": "cuda"}, Place(0, 0.0, 1)),
        ({}, {}, Place(0, 1.0, 0)),
    ],
)
def test_places_by_what_a_machine_has(resources: dict[str, float], how: dict[str, Any], place: Place) -> None:
    assert place_workers(resources, **{"device": "auto", "threads": 1, "most": 100, **how}) == place
