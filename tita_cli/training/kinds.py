"""What training a network for pairs and one for sets have apart: how batches are drawn, and how losses are measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import torch
from torch import nn

from tita_cli.errors import TrainingError
from tita_cli.network import network_class
from tita_cli.training.batch import Batch, TaskReport
from tita_cli.training.config import TrainingConfig
from tita_cli.training.sources import Pool


class Draw(Protocol):
    """Makes the batch of a task."""

    def __call__(self, pool: Pool, task: str, crop: int, seed: Sequence[int]) -> Batch: ...


class Measure(Protocol):
    """Computes the losses of the batches of all tasks."""

    def __call__(self, network: nn.Module, batches: Mapping[str, Any]) -> dict[str, TaskReport]: ...


def build_draw(config: TrainingConfig) -> Draw:
    """Raises ``TrainingError`` for sizes or data that the kind of network cannot use."""
    if is_for_pairs(config):
        from tita_cli.training.pairs import PairDraw

        return PairDraw(config.batch, config.manifest.tasks)
    from tita_cli.network.tita_lite import MULTIPLE
    from tita_cli.training.sets import SetDraw

    if config.crop % MULTIPLE:
        raise TrainingError(f"crop is {config.crop}; for a network for sets it is a multiple of {MULTIPLE}")
    return SetDraw(config.frames, config.counts, config.manifest.entries)


def build_measure(config: TrainingConfig, precision: str, device: torch.device) -> Measure:
    """Raises ``TrainingError`` for losses that do not exist, or a teacher that cannot be loaded."""
    from tita_cli.training.losses import build_losses, changed_weights
    from tita_cli.training.teacher import Teacher

    teacher = None if config.teacher is None else Teacher(config.teacher, config.teacher_weight, device)
    losses = config.losses
    if is_for_pairs(config):
        from tita_cli.training.pairs import PairMeasure

        return PairMeasure(build_losses(losses.recipe or "paper", losses.options), precision, teacher)
    from tita_cli.training.set_losses import WEIGHTS
    from tita_cli.training.sets import SetMeasure

    if losses.recipe not in ("", "truth"):
        raise TrainingError(f"unknown recipe {losses.recipe!r}", hint='a network for sets has the recipe "truth" only')
    return SetMeasure(changed_weights(WEIGHTS, losses.options), precision, teacher)


def is_for_pairs(config: TrainingConfig) -> bool:
    """Whether the network takes two sources and not any number."""
    return bool(network_class(config.network.variant).kind == "pair")
