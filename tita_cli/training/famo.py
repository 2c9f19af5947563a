"""FAMO, Fast Adaptive Multitask Optimization (Liu, Feng, Stone, Liu, NeurIPS 2023), and plain equal weights.

FAMO minimises Σ zᵢ·log ℓᵢ / c, with z = softmax(ξ) and c = Σ zᵢ/ℓᵢ held constant. Its gradient is Σ wᵢ·∇ℓᵢ with
wᵢ = (zᵢ/ℓᵢ) / c, so a trainer only needs these factors, which sum to 1. After the step, ξ is updated so that tasks
whose log ℓ fell less get more weight.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, Protocol, TypeAlias

import torch
from torch import Tensor

FamoMode: TypeAlias = Literal["same-batch", "next-batch", "equal"]

_SMALLEST_LOSS = 1e-8
"""Lower bound on a loss, for its logarithm."""


class Balance(Protocol):
    """How the losses of the tasks are weighted. All losses are vectors with one element per task."""

    @property
    def weights(self) -> Tensor:
        """The share of each task, summing to 1, for the log."""

    def factors(self, losses: Tensor) -> Tensor:
        """The factor of each task's loss in this step, given the losses before it."""

    def stepped(self, losses: Tensor, remeasure: Callable[[], Tensor]) -> None:
        """Called after the optimiser's step. ``remeasure`` evaluates the losses of the same batch again."""

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state: dict[str, Any]) -> None: ...


class EqualWeights:
    """Equal weights, for comparison with FAMO."""

    def __init__(self, tasks: int) -> None:
        self.weights = torch.full((tasks,), 1.0 / tasks)

    def factors(self, losses: Tensor) -> Tensor:
        return self.weights

    def stepped(self, losses: Tensor, remeasure: Callable[[], Tensor]) -> None:
        """Nothing to update."""

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Nothing to restore."""


class Famo:
    """FAMO's task logits ξ and their update.

    ``mode``: how the loss after a step is measured. "same-batch" evaluates the batch again, as published (an extra
    forward pass, a third of the cost of a step); "next-batch" uses the losses of the next batch, which is free and
    noisier. ``lr``, ``decay``: Adam's learning rate and weight decay for ξ.
    """

    def __init__(self, tasks: int, *, mode: FamoMode = "same-batch", lr: float = 0.025, decay: float = 1e-3) -> None:
        self.mode = mode
        self.logits = torch.zeros(tasks, requires_grad=True)
        self.previous: Tensor | None = None
        self._adam = torch.optim.Adam([self.logits], lr=lr, weight_decay=decay)

    @property
    def weights(self) -> Tensor:
        """z = softmax(ξ)."""
        return torch.softmax(self.logits.detach(), 0)

    def factors(self, losses: Tensor) -> Tensor:
        """wᵢ = (zᵢ/ℓᵢ) / Σ zⱼ/ℓⱼ. In next-batch mode, ``losses`` also complete the update of the previous step."""
        if self.previous is not None:
            self.update(self.previous, losses)
            self.previous = None
        ratios = self.weights / losses.detach().clamp_min(_SMALLEST_LOSS)
        return ratios / ratios.sum()

    def stepped(self, losses: Tensor, remeasure: Callable[[], Tensor]) -> None:
        if self.mode == "same-batch":
            self.update(losses, remeasure())
        else:
            self.previous = losses.detach().clone()

    def update(self, before: Tensor, after: Tensor) -> None:
        """Update ξ along Jᵀδ, with J the Jacobian of softmax at ξ and δᵢ = log ℓᵢ(before) − log ℓᵢ(after)."""
        pair = torch.stack((before, after)).detach().clamp_min(_SMALLEST_LOSS).log()
        if not bool(torch.isfinite(pair).all()):
            return  # the trainer skips such a step; a NaN must not reach ξ
        delta = pair[0] - pair[1]
        z = self.weights
        self.logits.grad = z * (delta - (z * delta).sum())
        self._adam.step()

    def state_dict(self) -> dict[str, Any]:
        return {
            "logits": self.logits.detach().clone(),
            "previous": None if self.previous is None else self.previous.clone(),
            "adam": self._adam.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        with torch.no_grad():
            self.logits.copy_(state["logits"])
        self.previous = state["previous"]
        self._adam.load_state_dict(state["adam"])


def build_balance(mode: FamoMode, tasks: int) -> Balance:
    """The weighting for ``mode``."""
    return EqualWeights(tasks) if mode == "equal" else Famo(tasks, mode=mode)
