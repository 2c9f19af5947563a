"""What a long manifest costs the driver of a batch: microseconds a line and peak memory, step by step.

    python bench/manifest.py --lines 20000
    python bench/manifest.py --lines 200000

The manifest names sources that are not there, and the work is nothing but its record: what is left is the list, the
journal, the look at it when the batch is run again, and the report.
"""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tita_cli.batch import Journal, Recipe, Record, Task, Tasks, judge_jobs, make_jobs, read_journal, run_batch
from tita_cli.batch.plan import find_plan
from tita_cli.batch.work import now
from tita_cli.report import write_report


class NoWork:
    """A pool whose results are only records, of the usual size."""

    @contextmanager
    def run(
        self, tasks: Iterable[Task], announce: Callable[[Sequence[Task]], None], tell: Callable[[Record], None]
    ) -> Iterator[Iterator[Record]]:
        """See :meth:`tita_cli.batch.pool.Pool.run`."""
        yield (self._record(task) for task in tasks)

    @staticmethod
    def _record(task: Task) -> Record:
        return {
            "event": "done", "time": now(), "output": task.job.output,
            "sources": [{"path": str(source), "file": None} for source in task.job.sources],
            "reference": 1, "why": task.job.group.why, "options": Recipe({}, "").options_hash, "model": "",
            "result": {"width": 640, "height": 512, "notes": ["x" * 500]},
        }  # fmt: skip


def peak() -> float:
    """MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


@contextmanager
def step(name: str, lines: int) -> Iterator[None]:
    """Print what a step costs."""
    begun = time.process_time()
    yield
    each = 1e6 * (time.process_time() - begun) / lines
    print(f"{name:28} {each:7.0f} µs a line   {peak():6.0f} MiB", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=int, default=100_000)
    count = parser.parse_args().lines
    with tempfile.TemporaryDirectory() as home:
        manifest, folder = Path(home, "pairs.jsonl"), Path(home, "out")
        with manifest.open("w") as file:
            for number in range(count):
                name = f"flight/{number // 1000:04}/DJI_{number:07}"
                file.write(json.dumps({"sources": [f"{name}_V.JPG", f"{name}_T.JPG"], "output": f"{name}.jpg"}) + "\n")
        print(f"{count} lines, {manifest.stat().st_size / 2**20:.0f} MiB; before: {peak():.0f} MiB")

        def planned() -> Tasks:
            plan = find_plan([str(manifest)], folder)
            return judge_jobs(make_jobs(plan, folder), read_journal(folder), Recipe({}, ""))

        with Journal(folder) as journal:
            with step("plan", count):
                tasks = planned()
            with step("run, without the work", count):
                run_batch(tasks, journal, NoWork(), Recipe({}, ""), header={})
            with step("plan again, by the journal", count):
                planned()
        with step("report", count):
            write_report(folder, folder / "report.html", metrics="none")


if __name__ == "__main__":
    main()
