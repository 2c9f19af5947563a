"""Trains a tiny network, alone or as one of two processes; ``test_ddp`` starts it as a script and imports it too.

ddp_worker.py FOLDER      with torchrun's environment
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tita_cli.network import NetworkConfig
from tita_cli.training.config import Schedule, TrainingConfig
from tita_cli.training.famo import FamoMode
from tita_cli.training.manifest import Manifest
from tita_cli.training.pairs import PairBatch
from tita_cli.training.trainer import Trainer
from tita_cli.training.workers import Workers, join_workers

TASKS = ("ivf", "mef")
STEPS = 4
FIELDS = ("a", "b", "target", "has_target", "mask", "has_mask", "hot")
TINY = NetworkConfig(variant="tita", dim=8, heads=2, extract=1, fuse=(1,), reconstruct=1, drop_path=0.0)


def batch(step: int, rank: int, *, spoilt: bool = False) -> dict[str, PairBatch]:
    """One crop a task; ``spoilt``: process 1 gets a NaN in step 1."""
    random = torch.Generator().manual_seed(10 * step + rank)

    def image() -> Tensor:
        return torch.rand(1, 1, 16, 16, generator=random)

    one = torch.ones(1)
    made = {task: PairBatch(image(), image(), image(), one, image(), one, image()) for task in TASKS}
    if spoilt and step == 1 and rank == 1:
        made["mef"] = replace(made["mef"], a=made["mef"].a * float("nan"))
    return made


def both(step: int) -> dict[str, PairBatch]:
    """The batches of both processes as one."""
    parts = [batch(step, rank) for rank in (0, 1)]
    return {
        task: PairBatch(**{field: torch.cat([getattr(part[task], field) for part in parts]) for field in FIELDS})
        for task in TASKS
    }


def train(workers: Workers, famo: FamoMode, *, spoilt: bool = False) -> dict[str, Any]:
    """What a short run leaves behind."""
    config = TrainingConfig(
        TINY, Manifest(()), steps=STEPS, precision="fp32", device="cpu", famo=famo, schedule=Schedule(warmup=2)
    )
    trainer = Trainer(config, TASKS, workers)
    trainer.network.forget = 0.0  # at random, and so not the same in one process and in two
    skipped, stops = [], []
    for step in range(STEPS):
        mine = batch(step, workers.rank, spoilt=spoilt) if workers.world > 1 else both(step)
        skipped.append(trainer.step(mine).skipped is not None)
        trainer.seconds, stop = workers.agree(1.0 + workers.rank, workers.rank == 1 and step == 2)
        stops.append(stop)
    return {
        "model": trainer.network.state_dict(),
        "famo": trainer.balance.weights,
        "skipped": skipped,
        "stops": stops,
        "seconds": trainer.seconds,
    }


def main(folder: Path) -> None:
    """Every case in one process group: starting processes is what takes the time."""
    torch.set_num_threads(1)
    with join_workers("cpu") as workers:
        results = {
            "same-batch": train(workers, "same-batch"),
            "next-batch": train(workers, "next-batch"),
            "spoilt": train(workers, "same-batch", spoilt=True),
        }
        torch.save(results, folder / f"{workers.rank}.pt")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
