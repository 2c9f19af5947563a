"""FAMO, Fast Adaptive Multitask Optimization (Liu, Feng, Stone, Liu, NeurIPS 2023), and plain equal weights.

FAMO descends Σ zᵢ·log ℓᵢ / c, with z = softmax(ξ) and c = Σ zᵢ/ℓᵢ held constant. The gradient of that is Σ wᵢ·∇ℓᵢ with
wᵢ = (zᵢ/ℓᵢ) / c, so all a trainer needs are these factors, constants that add up to 1. After the step, ξ moves so
that tasks which gained less in log ℓ count more.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, Protocol, TypeAlias

import torch
from torch import Tensor

FamoMode: TypeAlias = Literal["same-batch", "next-batch", "equal"]

_SMALLEST_LOSS = 1e-8
"""A loss of 0 has no logarithm."""


class Balance(Protocol):
    """How the tasks' losses are weighted against each other. All losses are vectors of one number a task."""

    @property
    def weights(self) -> Tensor:
        """The share of each task, adding up to 1: for the log."""

    def factors(self, losses: Tensor) -> Tensor:
        """What each task's loss is multiplied by in this step, given the losses before it."""

    def stepped(self, losses: Tensor, remeasure: Callable[[], Tensor]) -> None:
        """The parameters have moved. ``remeasure`` computes the losses of the same batch once more."""

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state: dict[str, Any]) -> None: ...


class EqualWeights:
    """Every task counts the same: the ablation of FAMO."""

    def __init__(self, tasks: int) -> None:
        self.weights = torch.full((tasks,), 1.0 / tasks)

    def factors(self, losses: Tensor) -> Tensor:
        return self.weights

    def stepped(self, losses: Tensor, remeasure: Callable[[], Tensor]) -> None:
        """Equal weights learn nothing from a step."""

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """There is nothing to restore."""


class Famo:
    """FAMO's task logits ξ and their update.

    ``mode``: where the loss after a step comes from. "same-batch" computes the batch once more, as the reference does
    (a forward pass more, a third of a step's cost); "next-batch" takes the losses of the next batch, for nothing, with
    the noise of another draw. ``lr``, ``decay``: Adam's learning rate and weight decay for ξ.
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
        """wᵢ = (zᵢ/ℓᵢ) / Σ zⱼ/ℓⱼ. In next-batch mode ``losses`` first serve as those after the last step."""
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
        """Move ξ along Jᵀδ, J the Jacobian of softmax at ξ, δᵢ = log ℓᵢ(before) − log ℓᵢ(after)."""
        pair = torch.stack((before, after)).detach().clamp_min(_SMALLEST_LOSS).log()
        if not bool(torch.isfinite(pair).all()):
            return  # the trainer deals with a loss that is no number; ξ must not catch it
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
    """The weighting that a configuration names."""
    return EqualWeights(tasks) if mode == "equal" else Famo(tasks, mode=mode)
