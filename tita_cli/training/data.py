"""Batches for training: random crops of a manifest's images, synthesised and augmented in the background.

Every sample is a pure function of (seed, rank, step, task, index), so a resumed run sees the same data as an
uninterrupted one, and no state of the data has to be saved.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING

import numpy as np

from tita_cli.errors import TrainingError
from tita_cli.training.crops import draw
from tita_cli.training.manifest import TASKS, Manifest
from tita_cli.training.sample import Sample
from tita_cli.training.sources import Source, load_sources

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Sample", "TaskBatch", "TrainingData"]


@dataclass(frozen=True, slots=True)
class TaskBatch:
    """The crops of one task in one step, float32 in 0..1.

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


class TrainingData:
    """The training data of one process.

    ``crop``: side of the square crops in pixels. ``batch``: crops per step, the same for every task or by task.
    ``rank``: number of this process in distributed training; each process draws different crops. ``ahead``: batches
    prepared in advance by one background thread (NumPy and OpenCV release the GIL).

    Sets OpenCV's thread count to 1 for the whole process: crops are too small for several threads, which would compete
    with PyTorch's.

    Raises TrainingError if the data cannot be loaded (see ``load_source``) or the batch names a task without data.
    """

    def __init__(
        self,
        manifest: Manifest,
        *,
        crop: int,
        batch: int | Mapping[str, int],
        seed: int,
        rank: int = 0,
        ahead: int = 3,
    ) -> None:
        import cv2

        cv2.setNumThreads(1)
        self.tasks = manifest.tasks
        self.sources: tuple[Source, ...] = load_sources(manifest.entries, crop=crop)
        self._crop = crop
        self._seed = (seed, rank)
        self._ahead = ahead
        self._sizes = _batch_sizes(batch, self.tasks)
        self._pools = {task: _Pool([s for s in self.sources if s.entry.task == task]) for task in self.tasks}
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="tita-data")
        self._coming: dict[int, Future[dict[str, TaskBatch]]] = {}

    def batch(self, step: int) -> dict[str, TaskBatch]:
        """The batch of ``step`` ≥ 0 for every task, in the order of ``tasks``. Starts preparing the next ones."""
        wanted = range(step, step + self._ahead + 1)
        for other in [other for other in self._coming if other not in wanted]:
            self._coming.pop(other).cancel()
        for number in wanted:
            if number not in self._coming:
                self._coming[number] = self._worker.submit(self._prepare, number)
        return self._coming.pop(step).result()

    def samples(self, step: int, task: str) -> list[Sample]:
        """The samples of one task's batch."""
        pool = self._pools[task]
        seeds = (np.random.default_rng([*self._seed, step, TASKS.index(task), i]) for i in range(self._sizes[task]))
        return [pool.draw(self._crop, rng) for rng in seeds]

    def describe(self) -> list[str]:
        """One line per entry: what was loaded and what was left out."""
        lines = []
        for source in self.sources:
            left_out = f", {source.skipped} smaller than the crop left out" if source.skipped else ""
            lines.append(f"{source.entry.name}: {len(source.scenes)} scenes{left_out}")
        return lines

    def close(self) -> None:
        """Stop the background thread and drop pending batches."""
        self._worker.shutdown(wait=True, cancel_futures=True)
        self._coming.clear()

    def __enter__(self) -> TrainingData:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _prepare(self, step: int) -> dict[str, TaskBatch]:
        return {task: _collate(self.samples(step, task), self._crop) for task in self.tasks}


class _Pool:
    """The sources of one task, drawn by weight."""

    def __init__(self, sources: list[Source]) -> None:
        weights = np.array([source.entry.weight for source in sources])
        self._sources = sources
        self._bounds = np.cumsum(weights) / weights.sum()

    def draw(self, crop: int, rng: np.random.Generator) -> Sample:
        number = min(int(np.searchsorted(self._bounds, rng.random(), side="right")), len(self._sources) - 1)
        source = self._sources[number]
        return draw(source.entry, source.scenes[rng.integers(len(source.scenes))], crop, rng)


def _batch_sizes(batch: int | Mapping[str, int], tasks: tuple[str, ...]) -> dict[str, int]:
    if isinstance(batch, int):
        return dict.fromkeys(tasks, batch)
    if set(batch) != set(tasks):
        raise TrainingError(
            f"the batch is given for {', '.join(sorted(batch))}, the data are for {', '.join(tasks)}",
            hint="give one number for all tasks, or one for each task that has data",
        )
    return {task: batch[task] for task in tasks}


def _collate(samples: list[Sample], crop: int) -> TaskBatch:
    import torch

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
    return TaskBatch(
        a=torch.from_numpy(planes["a"]),
        b=torch.from_numpy(planes["b"]),
        target=torch.from_numpy(planes["target"]),
        has_target=torch.from_numpy(known["target"]),
        mask=torch.from_numpy(planes["mask"]),
        has_mask=torch.from_numpy(known["mask"]),
        hot=torch.from_numpy(planes["hot"]),
    )
