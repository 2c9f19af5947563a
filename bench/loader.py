"""Pixels of training pairs that one thread prepares per second, by task.

    python bench/loader.py CONFIG.toml [--crop 128] [--samples 200]

CONFIG.toml is a training configuration; only its data are used. Figures are megapixels of pairs (a 128×128 crop counts
once for A and B together) per second of processor time, which other programs on the machine affect little. Compare
with the consumption of training by bench/train_throughput.py.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

from tita_cli.training.config import read_config
from tita_cli.training.data import TrainingData


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", type=Path)
    parser.add_argument("--crop", type=int, default=128)
    parser.add_argument("--samples", type=int, default=200, help="samples a task")
    options = parser.parse_args()

    start = time.process_time()
    data = TrainingData(read_config(options.config).manifest, crop=options.crop, batch=options.samples, seed=1)
    loading = time.process_time() - start
    frames = {id(f): f.nbytes for source in data.sources for scene in source.scenes for f in scene.frames}
    result: dict[str, object] = {
        "crop": options.crop,
        "loading_cpu_s": round(loading, 2),
        "frames_mb": round(sum(frames.values()) / 1e6, 1),
    }
    seconds = {}
    with data:
        for task in data.tasks:
            data.samples(0, task)  # fills the cache of aperture kernels
            start = time.thread_time()
            data.samples(1, task)
            seconds[task] = time.thread_time() - start
    pixels = options.samples * options.crop**2 / 1e6
    result["mpx_per_s"] = {task: round(pixels / spent, 2) for task, spent in seconds.items()}
    result["mpx_per_s_all_tasks"] = round(pixels * len(seconds) / sum(seconds.values()), 2)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
