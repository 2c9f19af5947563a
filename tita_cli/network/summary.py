"""What each source of a set sees of the others.

With two sources that is the other one, which costs nothing, and exported graphs choose as the network does: what is
decorated here becomes part of them as it is written, while everything else is traced with one number of sources.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Summary(nn.Module):
    """What each source of a set sees of the others: their mean, weighted by a score of theirs, without itself."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.score = nn.Linear(dim, 1)

    def forward(self, x: Tensor) -> Tensor:
        """B×N×…×C → the same."""
        return cast(Tensor, _others(x, self.score.weight, self.score.bias))

    def of_maps(self, x: Tensor) -> Tensor:
        """B×N×C×H×W → the same."""
        return cast(Tensor, _others_of_maps(x, self.score.weight, self.score.bias))


@torch.jit.script_if_tracing  # type: ignore[untyped-decorator]
def _others(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    if x.shape[1] == 2:
        return x.index_select(1, torch.tensor([1, 0], device=x.device))
    score = torch.sigmoid(F.linear(x, weight, bias)) + 0.05
    weighted = score * x
    return (weighted.sum(1, keepdim=True) - weighted) / (score.sum(1, keepdim=True) - score)


@torch.jit.script_if_tracing  # type: ignore[untyped-decorator]
def _others_of_maps(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    if x.shape[1] == 2:
        return x.index_select(1, torch.tensor([1, 0], device=x.device))
    score = F.conv2d(x.flatten(0, 1), weight[:, :, None, None], bias)
    score = (torch.sigmoid(score) + 0.05).reshape(x.shape[0], x.shape[1], 1, x.shape[3], x.shape[4])
    weighted = score * x
    return (weighted.sum(1, keepdim=True) - weighted) / (score.sum(1, keepdim=True) - score)
