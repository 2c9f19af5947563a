"""OAF: Operation-based Adaptive Fusion (TITA, section "Operation-based Adaptive Fusion").

Three operations on each source's features (sharpen, add, multiply), mixed by six weights that a small MLP reads off the
whole image. The weights are what adapts the network to a task that it is never told.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tita_cli.network.swin import Mlp

OPERATIONS = ("high-pass", "add", "multiply")
"""The operations, in the order of the weights: three for source A, then three for source B."""


class Terms(NamedTuple):
    """What the three operations make of one source, each B×C×H×W."""

    high: Tensor
    add: Tensor
    mul: Tensor


class Operations(nn.Module):
    """The three operations for one source."""

    hamming: Tensor

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.compress = nn.Conv2d(dim, dim, 1)
        self.low_kernel = nn.Conv2d(dim, 9, 3, padding=1)
        self.addend = nn.Conv2d(dim, dim, 3, padding=1)
        self.factor = nn.Conv2d(dim, dim, 3, padding=1)
        side = torch.tensor([0.08, 1.0, 0.08])  # a Hamming window of three points
        self.register_buffer("hamming", torch.outer(side, side).reshape(1, 9, 1, 1), persistent=False)

    def forward(self, s: Tensor) -> Terms:
        """``s``: B×C×H×W."""
        z = self.compress(s)
        return Terms(s - self._low(s, self.low_kernel(z)), s + self.addend(z), s * self.factor(z))

    def _low(self, s: Tensor, logits: Tensor) -> Tensor:
        """Blur ``s`` with a 3×3 kernel of its own at every pixel, the same for all channels."""
        kernel = logits.softmax(1) * self.hamming
        kernel = kernel / kernel.sum(1, keepdim=True)
        h, w = s.shape[-2:]
        padded = F.pad(s, (1, 1, 1, 1), mode="reflect")
        low = torch.zeros_like(s)
        for i in range(9):
            row, col = divmod(i, 3)
            low = low + kernel[:, i : i + 1] * padded[..., row : row + h, col : col + w]
        return low


class OAF(nn.Module):
    """Merge two feature maps B×C×H×W into one by weighted operations.

    ``pool``, ``weigh`` and ``merge`` are separate steps, because the pooling runs over the whole image: one that is
    worked on in tiles is pooled over all of them before the first is merged.
    """

    def __init__(self, dim: int, weighted: bool = True) -> None:
        super().__init__()
        self.weighted = weighted
        self.weigh_mlp = Mlp(2 * dim, dim, 6)
        self.operations_a = Operations(dim)
        self.operations_b = Operations(dim)

    @staticmethod
    def pool(x: Tensor, y: Tensor) -> Tensor:
        """Global average pooling of both maps: B×2C."""
        return torch.cat((x.mean((-2, -1)), y.mean((-2, -1))), -1)

    def weigh(self, pooled: Tensor) -> Tensor:
        """B×2C → the six weights, B×6, positive with sum 1 (all equal where the weighting is switched off)."""
        if not self.weighted:
            return torch.full((pooled.shape[0], 6), 1 / 6, dtype=pooled.dtype, device=pooled.device)
        return torch.as_tensor(self.weigh_mlp(pooled).softmax(-1))

    def merge(self, x: Tensor, y: Tensor, weights: Tensor) -> Tensor:
        """Σ weights · operations, B×C×H×W."""
        shares = weights[..., None, None, None].unbind(1)
        terms = (*self.operations_a(x), *self.operations_b(y))
        merged: Tensor = shares[0] * terms[0]
        for share, term in zip(shares[1:], terms[1:], strict=True):
            merged = merged + share * term
        return merged
