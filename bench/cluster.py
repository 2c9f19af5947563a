"""What a cluster costs and gives: pairs a second on one and two workers, and the driver's own time for a pair.

    python bench/cluster.py                # a Ray cluster of this machine alone, as tita batch --on ray makes it
    python bench/cluster.py --pairs 200 --size 512 640

Prints the speed of one network in this process and of 1 and 2 workers by Ray; the overhead a pair, with tasks that do
nothing; and the driver's own time for a pair (plan, journal), with a worker that answers at once.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tita_cli.batch import (
    ApiFuser,
    FuserOptions,
    Job,
    Journal,
    LocalPool,
    Pool,
    Recipe,
    Task,
    Work,
    judge_jobs,
    make_jobs,
    read_journal,
    run_batch,
)
from tita_cli.batch.cluster import ClusterPool, Event
from tita_cli.batch.pipeline import Sizes
from tita_cli.batch.ray_fleet import RayFleet
from tita_cli.images import Picture, write_picture
from tita_cli.models.find import file_hash, find_model
from tita_cli.options import FuseOptions
from tita_cli.pairing import pair_folder


@dataclass(frozen=True)
class Nothing:
    """A fuser that reads, fuses and writes next to nothing."""

    def open_lane(self) -> Nothing:
        return self

    def decode(self, job: Job) -> None:
        return None

    def fuse(self, job: Job, decoded: None) -> None:
        return None

    def encode(self, job: Job, fused: None, *, overwrite: bool) -> Mapping[str, Any]:
        job.target.write_bytes(b"-")
        return {}


class Answering:
    """A fleet whose 16 workers have done everything at once: what is left is the driver's own time."""

    def __init__(self) -> None:
        self.events: deque[Event] = deque()
        self.known = False

    def grow(self) -> None:
        if not self.known:
            self.known = True
            self.events.extend(Event("joined", f"w{number}", value={}) for number in range(16))

    def starting(self) -> int:
        return 1

    def send(self, worker: str, ticket: int, task: Task) -> None:
        seconds = {"decode": 0.0, "fuse": 0.0, "encode": 0.0}
        known = [{"path": str(each), "file": None} for each in task.job.sources]
        record = {"event": "done", "output": task.job.output, "sources": known, "seconds": seconds, "result": {}}
        self.events.append(Event("done", worker, ticket, record))

    def wait(self, seconds: float) -> Event | None:
        return self.events.popleft() if self.events else None

    def close(self) -> None:
        pass


def make_pairs(folder: Path, count: int, size: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    for number in range(count):
        for side, channels in (("vis", 3), ("ir", 1)):
            (folder / side).mkdir(parents=True, exist_ok=True)
            low = rng.random((size[0] // 8, size[1] // 8, channels), np.float32)
            pixels = np.kron(low, np.ones((8, 8, 1), np.float32))
            write_picture(Picture(pixels), folder / side / f"{number:05}.png")


def timed(folder: Path, pool: Pool, recipe: Recipe) -> tuple[float, int]:
    """Seconds from the first result to the last, so that starting does not count, and the results between them."""
    times: list[float] = []

    def listen(record: Mapping[str, Any]) -> None:
        if record["event"] in ("done", "failed"):
            times.append(time.perf_counter())

    with tempfile.TemporaryDirectory() as out:
        jobs = make_jobs(pair_folder(folder), Path(out))
        with Journal(Path(out)) as journal:
            tasks = judge_jobs(jobs, read_journal(Path(out)), recipe)
            summary = run_batch(tasks, journal, pool, recipe, header={}, listener=listen)
    if summary.failed:
        raise SystemExit(summary.failures[0]["error"]["message"])
    return times[-1] - times[0], len(times) - 1


def show(name: str, seconds: float, count: int) -> float:
    print(f"{name:44} {count / seconds:9.2f} pairs/s {1000 * seconds / count:9.2f} ms a pair", flush=True)
    return seconds / count


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=40)
    parser.add_argument("--empty", type=int, default=1000, help="tasks that do nothing")
    parser.add_argument("--size", type=int, nargs=2, default=(256, 320), help="height and width")
    parser.add_argument("--align", default="none")
    parser.add_argument("--driver", action="store_true", help="only the driver's own time")
    arguments = parser.parse_args()
    options = FuseOptions(threads=1, align=arguments.align)
    how = FuserOptions(options)
    recipe = Recipe(how.deciding, file_hash(find_model(options.model)))
    real, empty = Work(ApiFuser(how), recipe), Work(Nothing(), recipe)
    with tempfile.TemporaryDirectory() as home:
        pairs, many = Path(home, "pairs"), Path(home, "many")
        make_pairs(pairs, arguments.pairs, tuple(arguments.size))
        make_pairs(many, arguments.empty, (8, 8))
        if arguments.driver:
            show("the driver alone (plan, journal)", *timed(many, ClusterPool(Answering(), empty), recipe))
            return
        show("1 network, this process", *timed(pairs, LocalPool(real, Sizes(2, 1, 2, 1 << 30)), recipe))
        for workers in (1, 2):
            pool = ClusterPool(RayFleet("ray", real, workers=workers), real)
            show(f"{workers} workers, Ray", *timed(pairs, pool, recipe))
        local = show("nothing, this process", *timed(many, LocalPool(empty, Sizes(2, 2, 2, 1 << 30)), recipe))
        remote = show(
            "nothing, 2 workers, Ray", *timed(many, ClusterPool(RayFleet("ray", empty, workers=2), empty), recipe)
        )
        print(f"overhead of Ray: {1000 * (remote - local):.2f} ms a pair")
        show("the driver alone (plan, journal)", *timed(many, ClusterPool(Answering(), empty), recipe))


if __name__ == "__main__":
    main()
