"""Pixels per second of training, and where the time goes.

    python bench/train_throughput.py [--variants tita-lite tita] [--threads N] [--device cuda] [--json]
                                     [--compile] [--scale K] [--config CONFIG.toml [--data FOLDER]]

Prints, for every variant, pixels of all sources per second of a step, and the times of forward pass with losses,
backward pass, optimiser with moving average, and FAMO's second pass, which a run with ``famo = "next-batch"`` does
without. Batches are noise, ``--scale`` times as many crops as usual. With ``--config`` a further line measures the
images of a configuration: how long a step waits for them, and what the workers deliver alone. Medians of the rounds;
on a busy machine compare seconds of processor time.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from tita_cli.runtime.threads import shorten_spinning

shorten_spinning()

import torch  # noqa: E402
from torch import Tensor  # noqa: E402

from tita_cli.network import NetworkConfig  # noqa: E402
from tita_cli.runtime.memory import raise_malloc_thresholds  # noqa: E402
from tita_cli.training.batch import Batch  # noqa: E402
from tita_cli.training.config import Losses, TrainingConfig, read_config  # noqa: E402
from tita_cli.training.data import TrainingData  # noqa: E402
from tita_cli.training.kinds import build_draw, is_for_pairs  # noqa: E402
from tita_cli.training.losses import TASKS  # noqa: E402
from tita_cli.training.manifest import Manifest  # noqa: E402
from tita_cli.training.pairs import PairBatch  # noqa: E402
from tita_cli.training.sets import SetBatch  # noqa: E402
from tita_cli.training.trainer import Trainer  # noqa: E402
from tita_cli.training.workers import Workers, join_workers  # noqa: E402

SIZES = {"tita-lite": (192, 1), "tita": (64, 2)}
"""Side of the crops, and crops of a task. A sample of a set has four sources, for infrared two."""
PARTS = ("forward", "backward", "optimiser", "remeasure")


def noise(config: TrainingConfig) -> dict[str, Batch]:
    crop, count = config.crop, int(str(config.batch))

    def images(n: int = 1) -> Tensor:
        return torch.rand(count, n, crop, crop)

    if is_for_pairs(config):
        known = torch.ones(count)
        return {t: PairBatch(images(), images(), images(), known, images().round(), known, images()) for t in TASKS}
    return {
        "ivf": SetBatch(images(2), images(), hot=images()),
        "mef": SetBatch(images(4), images()),
        "mff": SetBatch(images(4), images(), masks=images(4).softmax(1)),
    }


class Clock:
    """Wall and processor seconds of named parts."""

    def __init__(self, device: torch.device) -> None:
        self.wall: dict[str, float] = {}
        self.cpu: dict[str, float] = {}
        self._device = device
        self._last = self._now()

    def stop(self, part: str) -> None:
        now = self._now()
        self.wall[part], self.cpu[part] = now[0] - self._last[0], now[1] - self._last[1]
        self._last = now

    def _now(self) -> tuple[float, float]:
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
        return time.perf_counter(), time.process_time()


def one_step(trainer: Trainer, batches: dict[str, Batch]) -> Clock:
    """A step as in ``Trainer.step``, timed part by part."""
    batches = {task: batch.to(trainer.workers.device) for task, batch in batches.items()}
    clock = Clock(trainer.workers.device)
    reports = trainer._measure(batches, 0)
    total = torch.stack([report.terms["total"] for report in reports.values()]).sum()
    clock.stop("forward")
    trainer.optimizer.zero_grad(set_to_none=True)
    total.backward()
    clock.stop("backward")
    torch.nn.utils.clip_grad_norm_(trainer.network.parameters(), 1.0)
    trainer.optimizer.step()
    trainer.ema.update_parameters(trainer.network)
    clock.stop("optimiser")
    trainer._remeasure(batches, 0)
    clock.stop("remeasure")
    return clock


def measure(variant: str, options: argparse.Namespace, workers: Workers) -> dict[str, Any]:
    crop, count = SIZES[variant]
    config = TrainingConfig(NetworkConfig.from_name(variant), Manifest(()), steps=1, crop=crop)
    config = replace(config, batch=count * options.scale, losses=Losses("truth"), compile=options.compile)
    trainer, batches = Trainer(config, TASKS, workers), noise(config)
    one_step(trainer, batches)
    clocks = [one_step(trainer, batches) for _ in range(options.rounds)]
    wall = {part: statistics.median(clock.wall[part] for clock in clocks) for part in PARTS}
    cpu = {part: statistics.median(clock.cpu[part] for clock in clocks) for part in PARTS}
    pixels = sum(batch.pixels for batch in batches.values())
    result = {
        "variant": variant, "crop": crop, "crops": config.batch, "precision": trainer.precision,
        "device": str(workers.device), "threads": torch.get_num_threads(),
        "px_per_s": round(pixels / (sum(wall.values()) - wall["remeasure"])),
        "px_per_s_same_batch": round(pixels / sum(wall.values())),
        "px_per_cpu_s": round(pixels / (sum(cpu.values()) - cpu["remeasure"])),
        "seconds": {part: round(seconds, 4) for part, seconds in wall.items()},
        "cpu_seconds": {part: round(seconds, 4) for part, seconds in cpu.items()},
    }  # fmt: skip
    if workers.device.type == "cuda":
        result["gpu_gb"] = round(torch.cuda.max_memory_allocated() / 1e9, 2)
    return result


def measure_loader(config: TrainingConfig, rounds: int, workers: Workers) -> dict[str, Any]:
    """Batches of the configuration's own crop and size: the loader alone, then behind real steps."""
    draw, pinned = build_draw(config), workers.device.type == "cuda"
    with TrainingData(
        config.manifest, draw, crop=config.crop, seed=config.seed, workers=config.workers, pinned=pinned
    ) as data:
        pixels = sum(batch.pixels for batch in data.batch(0).values())
        started = time.perf_counter()
        for step in range(1, 1 + 4 * rounds):
            data.batch(step)
        alone = (time.perf_counter() - started) / (4 * rounds)
        trainer = Trainer(config, data.tasks, workers)
        waits, steps = [], []
        for step in range(100, 100 + rounds):
            begun = time.perf_counter()
            batch = data.batch(step)
            waits.append(time.perf_counter() - begun)
            trainer.step(batch)
            steps.append(time.perf_counter() - begun)
    return {
        "crop": config.crop, "pixels": pixels, "loader_px_per_s": round(pixels / alone),
        "wait_seconds": round(statistics.median(waits[1:]), 4), "step_seconds": round(statistics.median(steps[1:]), 4),
        "px_per_s": round(pixels / statistics.median(steps[1:])),
    }  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=Path)
    parser.add_argument("--data", type=Path, help="folder of the images, instead of the configuration's data_root")
    parser.add_argument("--variants", nargs="*", default=list(SIZES))
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--scale", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    raise_malloc_thresholds()
    if options.threads:
        torch.set_num_threads(options.threads)
    with join_workers(options.device) as workers:
        for variant in options.variants:
            show(measure(variant, options, workers), as_json=options.json)
        if options.config:
            config = read_config(options.config, data_root=options.data)
            show(measure_loader(config, options.rounds, workers), as_json=options.json)
    return 0


def show(result: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(result), flush=True)
        return
    if "variant" not in result:
        print("loader: " + "  ".join(f"{name} {value:,}" for name, value in result.items()), flush=True)
        return
    print(
        f"{result['variant']} {result['crop']}² × {result['crops']} {result['precision']} on {result['device']}: "
        f"{result['px_per_s']:,} px/s, {result['px_per_s_same_batch']:,} with same-batch FAMO, "
        f"{result['px_per_cpu_s']:,} px per processor second"
    )
    for title, parts in (("seconds", result["seconds"]), ("cpu", result["cpu_seconds"])):
        print(f"   {title:8}" + "  ".join(f"{part} {seconds:.3f}" for part, seconds in parts.items()), flush=True)


if __name__ == "__main__":
    sys.exit(main())
