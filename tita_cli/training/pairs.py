"""Training of networks for pairs: batches of crops, and losses of what the network makes of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from tita_cli.network.tita import FusionOutput
from tita_cli.training.batch import Batch, TaskReport, by_task
from tita_cli.training.crops import draw
from tita_cli.training.losses import Loss
from tita_cli.training.sample import Sample
from tita_cli.training.sources import Pool
from tita_cli.training.teacher import Teacher


@dataclass(frozen=True, slots=True)
class PairBatch(Batch):
    """Crops of pairs, float32 in 0..1.

    ``a``, ``b``, ``target``, ``mask``, ``hot``: B×1×h×w, as in ``Sample``; ``has_target``, ``has_mask``: (B,) of 0 and
    1. Missing ones are filled with zeros.
    """

    a: Tensor
    b: Tensor
    target: Tensor
    has_target: Tensor
    mask: Tensor
    has_mask: Tensor
    hot: Tensor

    @property
    def pixels(self) -> int:
        return self.a.numel() + self.b.numel()


class PairDraw:
    """Draws batches of ``batch`` pairs, the same for every task or by task.

    Raises ``TrainingError`` if ``batch`` names other tasks than there are.
    """

    def __init__(self, batch: int | Mapping[str, int], tasks: Sequence[str]) -> None:
        self._sizes = by_task(batch, "batch", tasks)

    def __call__(self, pool: Pool, task: str, crop: int, seed: Sequence[int]) -> PairBatch:
        """A batch that depends on nothing but ``pool``, ``crop`` and ``seed``."""
        samples = []
        for i in range(self._sizes[task]):
            rng = np.random.default_rng([*seed, i])
            entry, scene = pool.draw(rng)
            samples.append(draw(entry, scene, crop, rng))
        return _collate(samples, crop)


class PairMeasure:
    """Runs a network on the batches of all tasks and computes their losses. ``precision``: "fp32" or "bf16"."""

    def __init__(self, losses: Loss, precision: str, teacher: Teacher | None = None) -> None:
        self.losses = losses
        self._bf16 = precision == "bf16"
        self._teacher = teacher

    def __call__(self, network: nn.Module, batches: Mapping[str, PairBatch]) -> dict[str, TaskReport]:
        """Losses of every task. Tasks with crops of the same size pass the network as one batch."""
        reports: dict[str, TaskReport] = {}
        for size in dict.fromkeys(batch.a.shape[-2:] for batch in batches.values()):
            together = {task: batch for task, batch in batches.items() if batch.a.shape[-2:] == size}
            a, b = (torch.cat([getattr(batch, side) for batch in together.values()]) for side in "ab")
            with torch.autocast(a.device.type, torch.bfloat16, enabled=self._bf16):
                output = network(a, b)
            counts = [len(batch.a) for batch in together.values()]
            for (task, batch), part in zip(together.items(), _split(output, counts), strict=True):
                terms = self.losses(task, part, batch)
                if self._teacher is not None:
                    terms = self._teacher.add_term(terms, torch.cat((batch.a, batch.b), 1), part.fused)
                reports[task] = TaskReport(terms, part.weights.detach().mean(0))
        return {task: reports[task] for task in batches}


def _split(output: FusionOutput, counts: list[int]) -> list[FusionOutput]:
    """Split the output by task, as float32."""
    return [
        FusionOutput(*fields) for fields in zip(*(torch.split(field.float(), counts) for field in output), strict=True)
    ]


def _collate(samples: list[Sample], crop: int) -> PairBatch:
    shape = (len(samples), 1, crop, crop)
    planes = {name: np.zeros(shape, np.float32) for name in ("a", "b", "target", "mask", "hot")}
    known = {name: np.zeros(len(samples), np.float32) for name in ("target", "mask")}
    for i, sample in enumerate(samples):
        planes["a"][i, 0] = sample.a
        planes["b"][i, 0] = sample.b
        for name, plane in (("target", sample.target), ("mask", sample.mask)):
            if plane is not None:
                planes[name][i, 0] = plane
                known[name][i] = 1.0
        if sample.hot is not None:
            planes["hot"][i, 0] = sample.hot
    return PairBatch(
        **{name: torch.from_numpy(plane) for name, plane in planes.items()},
        has_target=torch.from_numpy(known["target"]),
        has_mask=torch.from_numpy(known["mask"]),
    )
