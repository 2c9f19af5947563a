"""Batches for training: random crops of a manifest's images, synthesised and augmented by worker processes.

Every batch is a pure function of (seed, rank, step, task), so a resumed run sees the same data as an uninterrupted one,
and no state of the data has to be saved.
"""

from __future__ import annotations

import itertools
import signal
import sys
from collections.abc import Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Any, cast

from tita_cli.training.manifest import TASKS, Manifest
from tita_cli.training.sources import Pool, Source, load_sources

if TYPE_CHECKING:
    from torch.utils.data import DataLoader, Dataset

    from tita_cli.training.batch import Batch
    from tita_cli.training.kinds import Draw

__all__ = ["TrainingData"]


class TrainingData:
    """The training data of one process.

    ``draw``: makes a task's batch. ``crop``: side of the square crops in pixels. ``rank``: number of this process in
    distributed training; each process draws different crops. ``workers``: processes that prepare batches, each a step
    at a time; 0 prepares them when they are asked for. ``ahead``: steps that each worker prepares in advance.
    ``pinned``: batches lie in page-locked memory.

    Sets OpenCV's thread count to 1 for the whole process: crops are too small for several threads, which would compete
    with PyTorch's.

    Raises TrainingError if the data cannot be loaded (see ``load_source``).
    """

    def __init__(
        self,
        manifest: Manifest,
        draw: Draw,
        *,
        crop: int,
        seed: int,
        rank: int = 0,
        workers: int = 1,
        ahead: int = 3,
        pinned: bool = False,
    ) -> None:
        import cv2

        cv2.setNumThreads(1)
        self.tasks = manifest.tasks
        self.sources: tuple[Source, ...] = load_sources(manifest.entries, crop=crop)
        self._steps = _Steps(self.sources, self.tasks, draw, crop, (seed, rank))
        self._workers, self._ahead, self._pinned = workers, ahead, pinned
        self._coming: Iterator[dict[str, Batch]] | None = None
        self._next = -1

    def batch(self, step: int) -> dict[str, Batch]:
        """The batch of ``step`` ≥ 0 for every task, in the order of ``tasks``. Starts preparing the next ones."""
        if self._coming is None or step != self._next:
            self._coming = iter(self._loader(step))
        self._next = step + 1
        return next(self._coming)

    def draw(self, step: int, task: str) -> Batch:
        """The batch of one task, drawn now and in this process."""
        return self._steps.draw(step, task)

    def describe(self) -> list[str]:
        """One line per entry: what was loaded and what was left out."""
        lines = []
        for source in self.sources:
            left_out = f", {source.skipped} smaller than the crop left out" if source.skipped else ""
            lines.append(f"{source.entry.name}: {len(source.scenes)} scenes{left_out}")
        return lines

    def close(self) -> None:
        """Stop the workers and drop pending batches."""
        self._coming = None

    def __enter__(self) -> TrainingData:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _loader(self, start: int) -> DataLoader[dict[str, Batch]]:
        from torch.utils.data import DataLoader

        # Forked workers share the images in memory; where there is no fork, each has its own.
        context = "fork" if self._workers and sys.platform.startswith("linux") else None
        return DataLoader(
            cast("Dataset[dict[str, Batch]]", self._steps),
            batch_size=None,
            sampler=itertools.count(start),
            num_workers=self._workers,
            prefetch_factor=max(self._ahead, 1) if self._workers else None,
            collate_fn=_as_it_is,
            worker_init_fn=_begin_worker,
            multiprocessing_context=context,
            pin_memory=self._pinned,
        )


class _Steps:
    """Steps and their batches, as PyTorch's loader wants a data set."""

    def __init__(
        self, sources: tuple[Source, ...], tasks: tuple[str, ...], draw: Draw, crop: int, seed: tuple[int, int]
    ) -> None:
        self._pools = {task: Pool([s for s in sources if s.entry.task == task]) for task in tasks}
        self._draw, self._crop, self._seed = draw, crop, seed

    def __getitem__(self, step: int) -> dict[str, Batch]:
        return {task: self.draw(step, task) for task in self._pools}

    def draw(self, step: int, task: str) -> Batch:
        return self._draw(self._pools[task], task, self._crop, (*self._seed, step, TASKS.index(task)))


def _as_it_is(batches: Any) -> Any:
    return batches


def _begin_worker(number: int) -> None:
    import cv2

    cv2.setNumThreads(1)
    # Ctrl-C reaches all processes of a terminal. The training process finishes its step and then ends its workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
