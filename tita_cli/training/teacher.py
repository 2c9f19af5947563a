"""Distillation: a network that is done shows another one its pictures (Hinton, Vinyals & Dean, 2015)."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from tita_cli.errors import ModelError, TrainingError


class Teacher:
    """A trained network of either kind, and the loss that compares pictures with its own.

    Raises ``TrainingError`` if ``path`` holds no network.
    """

    def __init__(self, path: Path, weight: float, device: torch.device) -> None:
        from tita_cli.models.checkpoint import load_network

        try:
            self._network = load_network(path).network.to(device).eval().requires_grad_(False)
        except ModelError as error:
            raise TrainingError(f"teacher: {error.message}", hint=error.hint) from error
        self._weight = weight

    def add_term(self, terms: dict[str, Tensor], frames: Tensor, fused: Tensor) -> dict[str, Tensor]:
        """``terms`` with "teacher", the mean distance from the teacher's picture of ``frames`` (B×N×H×W), added."""
        term = self._weight * F.l1_loss(fused, self.fuse(frames))
        return terms | {"teacher": term, "total": terms["total"] + term}

    @torch.no_grad()
    def fuse(self, frames: Tensor) -> Tensor:
        """Luminance B×N×H×W, two of them for a network for pairs → the picture B×1×H×W."""
        if self._network.spec.kind == "pair":
            return torch.as_tensor(self._network(frames[:, :1], frames[:, 1:]).fused)
        from tita_cli.network.tita_lite import blend

        return blend(frames, self._network(frames))[0]
