"""The fusion stage's blocks: windowed cross attention, then IPA, then an MLP, for both sources side by side."""

from __future__ import annotations

from typing import cast

from torch import Tensor, nn

from tita_cli.network.attention import WindowAttention, from_windows, shift_mask, to_windows
from tita_cli.network.ipa import IPA
from tita_cli.network.spec import WINDOW
from tita_cli.network.swin import DropPath, Mlp, drop_rates


class CrossBlock(nn.Module):
    """One cross block on windows N×T×C of both sources."""

    def __init__(
        self, dim: int, heads: int, shift: int, *, mlp_ratio: int = 2, drop_path: float = 0.0, ipa: bool = True
    ) -> None:
        super().__init__()
        self.shift = shift
        self.norm1_a = nn.LayerNorm(dim)
        self.norm1_b = nn.LayerNorm(dim)
        self.attention_a = WindowAttention(dim, heads)
        self.attention_b = WindowAttention(dim, heads)
        self.ipa = IPA(dim, heads) if ipa else None
        self.norm2_a = nn.LayerNorm(dim)
        self.norm2_b = nn.LayerNorm(dim)
        self.mlp_a = Mlp(dim, dim * mlp_ratio, dim)
        self.mlp_b = Mlp(dim, dim * mlp_ratio, dim)
        self.drop_path = DropPath(drop_path)

    def forward(self, a: Tensor, b: Tensor, mask: Tensor | None, samples: int) -> tuple[Tensor, Tensor]:
        n_a, n_b = self.norm1_a(a), self.norm1_b(b)
        x = self.attention_a(n_a, n_b, mask)
        y = self.attention_b(n_b, n_a, mask)
        if self.ipa is not None:
            x, y = self.ipa(x, y)
        a = a + self.drop_path(x, samples)
        b = b + self.drop_path(y, samples)
        a = a + self.drop_path(self.mlp_a(self.norm2_a(a)), samples)
        b = b + self.drop_path(self.mlp_b(self.norm2_b(b)), samples)
        return a, b


class CrossStage(nn.Module):
    """``depth`` cross blocks over two maps B×H×W×C, every second one on shifted windows."""

    def __init__(self, dim: int, heads: int, depth: int, drop_path: float = 0.0, ipa: bool = True) -> None:
        super().__init__()
        rates = drop_rates(drop_path, depth)
        self.blocks = nn.ModuleList(
            CrossBlock(dim, heads, shift=(i % 2) * (WINDOW // 2), drop_path=rates[i], ipa=ipa) for i in range(depth)
        )

    def forward(self, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
        n, h, w, _ = a.shape
        for block in self.blocks:
            shift = cast(CrossBlock, block).shift
            mask = shift_mask(h, w, shift, a.device) if shift else None
            wa, wb = block(to_windows(a, shift), to_windows(b, shift), mask, n)
            a, b = from_windows(wa, h, w, shift), from_windows(wb, h, w, shift)
        return a, b
