"""Training of networks for sets: batches of any number of sources, and losses of what the network makes of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from tita_cli.errors import TrainingError
from tita_cli.network.tita_lite import blend
from tita_cli.training.batch import Batch, TaskReport, by_task
from tita_cli.training.manifest import Entry
from tita_cli.training.set_losses import set_losses
from tita_cli.training.set_sample import SetSample, draw_set
from tita_cli.training.sources import Pool
from tita_cli.training.teacher import Teacher

_LONGEST_OF_SERIES = 4
"""Sources of a sample from a series of photographs; longer ones come from stills."""


@dataclass(frozen=True, slots=True)
class SetBatch(Batch):
    """Crops of sets with N sources, float32 in 0..1.

    ``frames``, ``masks``: B×N×h×w, ``target``, ``hot``: B×1×h×w, ``role``: B×N, ``hidden``: B×N×2×h/4×w/4, as in
    ``SetSample``. All but the first two are None unless all samples have them.
    """

    frames: Tensor
    target: Tensor
    role: Tensor | None = None
    hidden: Tensor | None = None
    masks: Tensor | None = None
    hot: Tensor | None = None

    @property
    def pixels(self) -> int:
        return self.frames.numel()


class SetDraw:
    """Draws batches of about ``frames`` frames, the same for every task or by task, whose samples have one of
    ``counts`` sources, infrared samples two.

    A count comes up as often as it stands in ``counts``. Raises ``TrainingError`` for data without truth or
    reference, or if ``frames`` names other tasks than there are.
    """

    def __init__(self, frames: int | Mapping[str, int], counts: Sequence[int], entries: Iterable[Entry]) -> None:
        entries = tuple(entries)
        self._frames, self._counts = by_task(frames, "frames", sorted({e.task for e in entries})), tuple(counts)
        for entry in entries:
            if not entry.reference or (entry.task == "mff" and entry.kind == "pairs"):
                raise TrainingError(
                    f"{entry.name}: a network for sets is trained against a truth or reference, these have none",
                    hint='for focus give kind = "triples" or "stills"; leave out reference = false',
                )

    def __call__(self, pool: Pool, task: str, crop: int, seed: Sequence[int]) -> SetBatch:
        """A batch that depends on nothing but ``pool``, ``crop`` and ``seed``."""
        rng = np.random.default_rng(seed)
        counts = [n for n in self._counts if task != "ivf" and any(_has_sets_of(n, e) for e in pool.entries)]
        count = int(rng.choice(counts)) if counts else 2
        usable = pool.only(lambda entry: _has_sets_of(count, entry))
        samples = []
        for _ in range(max(1, round(self._frames[task] / count))):
            entry, scene = usable.draw(rng)
            samples.append(draw_set(entry, scene, crop, count, rng))
        size = min(len(sample.frames) for sample in samples)
        return _collate([sample for sample in samples if len(sample.frames) == size])


class SetMeasure:
    """Runs a network on the batches of all tasks and computes their losses. ``precision``: "fp32" or "bf16"."""

    def __init__(
        self, weights: Mapping[str, Mapping[str, float]], precision: str, teacher: Teacher | None = None
    ) -> None:
        self._weights = weights
        self._bf16 = precision == "bf16"
        self._teacher = teacher

    def __call__(self, network: nn.Module, batches: Mapping[str, SetBatch]) -> dict[str, TaskReport]:
        """Losses of every task. A term that a batch has no data for is 0."""
        reports = {}
        for task, batch in batches.items():
            frames = batch.frames
            with torch.autocast(frames.device.type, torch.bfloat16, enabled=self._bf16):
                output = network(frames, batch.hidden, batch.role)
            fused, residual = blend(frames, output)
            known = (batch.target, batch.masks, batch.hot)
            terms = set_losses(task, frames, fused, residual, output, *known, self._weights)
            if self._teacher is not None:
                terms = self._teacher.add_term(terms, frames, fused)
            missing = {name: fused.new_zeros(()) for name in self._weights[task] if name not in terms}
            reports[task] = TaskReport(terms | missing, output.weights.detach().float().sum(1).mean(0))
        return reports


def _has_sets_of(count: int, entry: Entry) -> bool:
    return count == 2 or entry.kind == "stills" or (entry.kind == "series" and count <= _LONGEST_OF_SERIES)


def _collate(samples: Sequence[SetSample]) -> SetBatch:
    def stacked(planes: Sequence[Any]) -> Tensor | None:
        known = [plane for plane in planes if plane is not None]
        return torch.from_numpy(np.stack(known)) if len(known) == len(samples) else None

    frames, target = stacked([s.frames for s in samples]), stacked([s.target[None] for s in samples])
    if frames is None or target is None:
        raise TrainingError("a sample of a set has no frames or no target")
    return SetBatch(
        frames,
        target,
        role=stacked([s.role for s in samples]),
        hidden=stacked([s.hidden for s in samples]),
        masks=stacked([s.masks for s in samples]),
        hot=stacked([None if s.hot is None else s.hot[None] for s in samples]),
    )
