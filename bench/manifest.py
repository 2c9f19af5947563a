"""What a long manifest costs the driver of a batch: seconds and peak memory until the first pair could be fused.

    python bench/manifest.py --lines 100000
    python bench/manifest.py --lines 1000000

The manifest names sources that are not there: nothing is read but the list itself.
"""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
import time
from pathlib import Path

from tita_cli.batch import History, Recipe, judge_jobs, make_jobs
from tita_cli.batch.plan import find_plan


def peak() -> float:
    """MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=int, default=100_000)
    count = parser.parse_args().lines
    with tempfile.TemporaryDirectory() as home:
        manifest = Path(home, "pairs.jsonl")
        with manifest.open("w") as file:
            for number in range(count):
                name = f"flight/{number // 1000:04}/DJI_{number:07}"
                file.write(json.dumps({"sources": [f"{name}_V.JPG", f"{name}_T.JPG"], "output": f"{name}.jpg"}) + "\n")
        before, begun = peak(), time.perf_counter()
        folder = Path(home, "out")
        plan = find_plan([str(manifest)], folder)
        tasks = judge_jobs(make_jobs(plan, folder), History(), Recipe({}, ""))
        seconds = time.perf_counter() - begun
        print(f"{len(tasks)} lines, {manifest.stat().st_size / 2**20:.0f} MiB: {1e6 * seconds / count:.0f} µs a line")
        print(f"peak memory: {peak():.0f} MiB, {1024 * (peak() - before) / count:.2f} KiB a line above the start")


if __name__ == "__main__":
    main()
