"""The learning rate schedule."""

from __future__ import annotations

import math

from tita_cli.training.config import Optimizer, Schedule


def learning_rate(optimizer: Optimizer, schedule: Schedule, *, step: int, progress: float) -> float:
    """The rate for ``step`` (from 0) at ``progress`` (0..1) of the run, in steps or in time."""
    rise = min(1.0, (step + 1) / schedule.warmup) if schedule.warmup else 1.0
    if schedule.kind == "constant":
        return optimizer.lr * rise
    if schedule.kind == "decay":
        left = (1.0 - progress) / schedule.decay if schedule.decay else 1.0
        return optimizer.lr * rise * (schedule.final + (1.0 - schedule.final) * min(max(left, 0.0), 1.0))
    cosine = 0.5 * (1.0 + math.cos(math.pi * min(max(progress, 0.0), 1.0)))
    return optimizer.lr * rise * (schedule.final + (1.0 - schedule.final) * cosine)
