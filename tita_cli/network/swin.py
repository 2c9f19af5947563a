"""The blocks of the extractor and the reconstructor: windowed self-attention and MLP, with LayerNorm and residuals."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from tita_cli.network.attention import WindowAttention, from_windows, shift_mask, to_windows
from tita_cli.network.spec import WINDOW


class Mlp(nn.Module):
    """Linear, GELU (exact erf), linear, over the last dimension."""

    def __init__(self, dim_in: int, hidden: int, dim_out: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(dim_in, hidden)
        self.act = nn.GELU()
        self.fc2 = nn.Linear(hidden, dim_out)

    def forward(self, x: Tensor) -> Tensor:
        return cast(Tensor, self.fc2(self.act(self.fc1(x))))


class DropPath(nn.Module):
    """Stochastic depth (Huang et al., ECCV 2016): drop a residual branch for whole samples while training.

    Windows of one sample follow each other, so ``samples`` says how many samples the first dimension holds.
    """

    def __init__(self, probability: float) -> None:
        super().__init__()
        self.probability = probability

    def forward(self, branch: Tensor, samples: int) -> Tensor:
        if not self.training or self.probability == 0.0:
            return branch
        keep = 1.0 - self.probability
        drawn = torch.empty((samples, 1, 1, 1), device=branch.device, dtype=branch.dtype).bernoulli_(keep) / keep
        return (branch.reshape(samples, -1, *branch.shape[1:]) * drawn).reshape(branch.shape)


def drop_rates(highest: float, depth: int) -> list[float]:
    """Stochastic depth's rate a block: rising linearly from 0 to ``highest`` over a stage."""
    return [highest * i / max(depth - 1, 1) for i in range(depth)]


class SwinBlock(nn.Module):
    """``x += Attn(LN(x)); x += MLP(LN(x))`` on windows N×T×C."""

    def __init__(self, dim: int, heads: int, shift: int, mlp_ratio: int = 2, drop_path: float = 0.0) -> None:
        super().__init__()
        self.shift = shift
        self.norm1 = nn.LayerNorm(dim)
        self.attention = WindowAttention(dim, heads)
        self.norm2 = nn.LayerNorm(dim)
        self.mlp = Mlp(dim, dim * mlp_ratio, dim)
        self.drop_path = DropPath(drop_path)

    def forward(self, x: Tensor, mask: Tensor | None, samples: int) -> Tensor:
        n = self.norm1(x)
        x = x + self.drop_path(self.attention(n, n, mask), samples)
        return cast(Tensor, x + self.drop_path(self.mlp(self.norm2(x)), samples))


class SwinStage(nn.Module):
    """``depth`` Swin blocks over a map B×H×W×C, every second one on windows shifted by half a window."""

    def __init__(self, dim: int, heads: int, depth: int, drop_path: float = 0.0) -> None:
        super().__init__()
        rates = drop_rates(drop_path, depth)
        self.blocks = nn.ModuleList(
            SwinBlock(dim, heads, shift=(i % 2) * (WINDOW // 2), drop_path=rates[i]) for i in range(depth)
        )

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """``mask``: of the shifted windows, where it was made already."""
        b, h, w, _ = x.shape
        for block in self.blocks:
            shift = cast(SwinBlock, block).shift
            if shift and mask is None:
                mask = shift_mask(h, w, shift, x.device)
            x = from_windows(block(to_windows(x, shift), mask if shift else None, b), h, w, shift)
        return x
