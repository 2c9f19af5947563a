"""Pixels of training images that are prepared a second, by task, without a network.

    python bench/loader.py CONFIG.toml [--data FOLDER] [--crop 128] [--steps 20] [--workers 1 2 ...]

CONFIG.toml is a training configuration; only its network's kind, its sizes and data are used. Figures are millions of
pixels of all sources: by processor second of one thread, which other programs on the machine affect little, and with
``--workers`` as that many processes deliver them by the clock. Compare with what training takes
(bench/train_throughput.py).
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path

from tita_cli.training.config import TrainingConfig, read_config
from tita_cli.training.data import TrainingData
from tita_cli.training.kinds import build_draw


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", type=Path)
    parser.add_argument("--data", type=Path, help="folder of the images, instead of data_root")
    parser.add_argument("--crop", type=int)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--workers", type=int, nargs="*", default=[])
    options = parser.parse_args()
    config = read_config(options.config, data_root=options.data)
    config = config if options.crop is None else replace(config, crop=options.crop)

    start = time.process_time()
    data = TrainingData(config.manifest, build_draw(config), crop=config.crop, seed=1, workers=0)
    frames = {id(f): f.nbytes for source in data.sources for scene in source.scenes for f in scene.frames}
    result = {
        "crop": config.crop,
        "loading_cpu_s": round(time.process_time() - start, 2),
        "frames_mb": round(sum(frames.values()) / 1e6, 1),
        "mpx_per_cpu_s": by_task(data, options.steps),
        **{f"mpx_per_s_{n}_workers": with_workers(config, n, options.steps) for n in options.workers},
    }
    print(json.dumps(result))


def by_task(data: TrainingData, steps: int) -> dict[str, float]:
    """By thread seconds, of each task and of all."""
    data.batch(0)  # fills the cache of aperture kernels
    pixels, seconds = dict.fromkeys(data.tasks, 0), dict.fromkeys(data.tasks, 0.0)
    for step in range(1, steps + 1):
        for task in data.tasks:
            start = time.thread_time()
            pixels[task] += data.draw(step, task).pixels
            seconds[task] += time.thread_time() - start
    rates = {task: round(pixels[task] / seconds[task] / 1e6, 2) for task in data.tasks}
    return rates | {"all": round(sum(pixels.values()) / sum(seconds.values()) / 1e6, 2)}


def with_workers(config: TrainingConfig, workers: int, steps: int) -> float:
    """By the clock, all tasks together."""
    draw = build_draw(config)
    with TrainingData(config.manifest, draw, crop=config.crop, seed=1, workers=workers) as data:
        for step in range(workers):  # starts them
            data.batch(step)
        start, pixels = time.perf_counter(), 0
        for step in range(workers, workers + steps):
            pixels += sum(batch.pixels for batch in data.batch(step).values())
        return round(pixels / (time.perf_counter() - start) / 1e6, 2)


if __name__ == "__main__":
    main()
