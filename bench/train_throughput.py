"""Pixels per second of training, and where the time goes.

    python bench/train_throughput.py [--config CONFIG.toml] [--variants tita-lite tita] [--threads N] [--json]

Prints, for every variant and batch size, pixels per second of forward + backward and of a whole step, and the times of
network, losses, backward pass, optimiser (with moving average) and FAMO's second pass. Batches are noise; with
``--config`` a further line measures the images of a configuration: how long a step waits for them, and what the loader
delivers alone. Medians of the rounds; on a busy machine use the seconds of processor time.
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

from tita_cli.network import NetworkConfig  # noqa: E402
from tita_cli.runtime.memory import raise_malloc_thresholds  # noqa: E402
from tita_cli.training.config import TrainingConfig, read_config  # noqa: E402
from tita_cli.training.data import TaskBatch, TrainingData  # noqa: E402
from tita_cli.training.losses import TASKS  # noqa: E402
from tita_cli.training.manifest import Manifest  # noqa: E402
from tita_cli.training.trainer import Trainer  # noqa: E402
from tita_cli.training.workers import Workers  # noqa: E402

SIZES = {"tita-lite": ((128, 9), (64, 24)), "tita": ((64, 6),)}
"""Side of the crops, crops a step over the three tasks. The paper's 24 crops of 64×64 take 22 GB with ``tita``."""
PARTS = ("network", "losses", "backward", "optimiser", "remeasure")


def noise(crop: int, batch: int) -> dict[str, TaskBatch]:
    share = batch // len(TASKS)

    def images() -> torch.Tensor:
        return torch.rand(share, 1, crop, crop)

    known = torch.ones(share)
    return {task: TaskBatch(images(), images(), images(), known, images().round(), known, images()) for task in TASKS}


class Clock:
    """Wall and processor seconds of named parts."""

    def __init__(self) -> None:
        self.wall: dict[str, float] = {}
        self.cpu: dict[str, float] = {}
        self._last = (time.perf_counter(), time.process_time())

    def stop(self, part: str) -> None:
        now = (time.perf_counter(), time.process_time())
        self.wall[part] = now[0] - self._last[0]
        self.cpu[part] = now[1] - self._last[1]
        self._last = (time.perf_counter(), time.process_time())


def one_step(trainer: Trainer, batches: dict[str, TaskBatch]) -> Clock:
    """A step as in ``Trainer.step``, timed part by part."""
    a, b = (torch.cat([getattr(batches[task], side) for task in trainer.tasks]) for side in "ab")
    share = len(a) // len(trainer.tasks)
    clock = Clock()
    with torch.autocast("cpu", torch.bfloat16, enabled=trainer.precision == "bf16"):
        output = trainer.network(a, b)
    clock.stop("network")
    total = torch.zeros(())
    for number, task in enumerate(trainer.tasks):
        part = [None if f is None else f[number * share : (number + 1) * share].float() for f in output]
        total = total + trainer.losses(task, type(output)(*part), batches[task])["total"]
    clock.stop("losses")
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


def measure(variant: str, crop: int, batch: int, recipe: str, rounds: int) -> dict[str, Any]:
    config = TrainingConfig(NetworkConfig.from_name(variant), Manifest(()), steps=1)
    config = replace(config, losses=replace(config.losses, recipe=recipe))
    trainer = Trainer(config, TASKS, Workers(torch.device("cpu")))
    one_step(trainer, noise(crop, batch))
    clocks = [one_step(trainer, noise(crop, batch)) for _ in range(rounds)]
    wall = {part: statistics.median(clock.wall[part] for clock in clocks) for part in PARTS}
    cpu = {part: statistics.median(clock.cpu[part] for clock in clocks) for part in PARTS}
    pixels = batch * crop * crop
    training = ("network", "losses", "backward")
    return {
        "variant": variant, "crop": crop, "batch": batch, "losses": recipe, "precision": trainer.precision,
        "threads": torch.get_num_threads(),
        "px_per_s_forward_backward": round(pixels / sum(wall[part] for part in training)),
        "px_per_s_step": round(pixels / (sum(wall.values()) - wall["remeasure"])),
        "px_per_s_step_same_batch": round(pixels / sum(wall.values())),
        "px_per_cpu_s_step": round(pixels / (sum(cpu.values()) - cpu["remeasure"])),
        "seconds": {part: round(seconds, 4) for part, seconds in wall.items()},
        "cpu_seconds": {part: round(seconds, 4) for part, seconds in cpu.items()},
    }  # fmt: skip


def measure_loader(config: TrainingConfig, rounds: int) -> dict[str, Any]:
    """Batches of the configuration's own crop and size: the loader alone, then behind real steps."""
    with TrainingData(config.manifest, crop=config.crop, batch=config.batch, seed=config.seed) as data:
        batches = [data.batch(0)]
        pixels = sum(batch.a.numel() for batch in batches[0].values())
        started = time.perf_counter()
        for step in range(1, 1 + 4 * rounds):
            data.batch(step)
        alone = (time.perf_counter() - started) / (4 * rounds)
        trainer = Trainer(config, data.tasks, Workers(torch.device("cpu")))
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
    parser.add_argument("--variants", nargs="*", default=["tita-lite", "tita"])
    parser.add_argument("--recipe", default="truth")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    raise_malloc_thresholds()
    if options.threads:
        torch.set_num_threads(options.threads)
    for variant in options.variants:
        for crop, batch in SIZES[variant]:
            show(measure(variant, crop, batch, options.recipe, options.rounds), as_json=options.json)
    if options.config:
        show(measure_loader(read_config(options.config), options.rounds), as_json=options.json)
    return 0


def show(result: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(result), flush=True)
        return
    if "variant" not in result:
        print("loader: " + "  ".join(f"{name} {value:,}" for name, value in result.items()), flush=True)
        return
    print(
        f"{result['variant']} {result['crop']}² × {result['batch']} {result['precision']}: "
        f"{result['px_per_s_forward_backward']:,} px/s forward + backward, {result['px_per_s_step']:,} a step "
        f"({result['px_per_s_step_same_batch']:,} with same-batch FAMO), "
        f"{result['px_per_cpu_s_step']:,} px per processor second"
    )
    for title, parts in (("seconds", result["seconds"]), ("cpu", result["cpu_seconds"])):
        print(f"   {title:8}" + "  ".join(f"{part} {seconds:.3f}" for part, seconds in parts.items()), flush=True)


if __name__ == "__main__":
    sys.exit(main())
