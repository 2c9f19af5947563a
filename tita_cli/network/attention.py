"""Windows of tokens and the multi-head attention inside them (Swin; Liu et al., ICCV 2021).

Feature maps are B×H×W×C with H and W multiples of the window side M; windows are N×T×C with T = M² tokens and
N = B·(H/M)·(W/M), batch first, then row by row. Everything that a transformer block does is local to a window, so its
work can be cut between windows without changing a result: ``tita_cli.runtime`` relies on that.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from tita_cli.network.spec import WINDOW

MASKED = -1000.0
"""Added to the score of two tokens that only the cyclic shift made neighbours. Swin's reference adds −100, whose
exponential is a denormal number in float32: products with it cost Intel processors tens of times as much as others. The
exponential of this one is 0, and the result is the same."""


def to_windows(x: Tensor, shift: int = 0, window: int = WINDOW) -> Tensor:
    """B×H×W×C → N×T×C, after a cyclic shift of ``shift`` tokens up and to the left."""
    if shift:
        x = torch.roll(x, (-shift, -shift), (1, 2))
    c = int(x.shape[-1])  # int(): a constant of the exported graph, not computed at every run
    x = x.reshape(-1, window, x.shape[2] // window, window, c)
    return x.permute(0, 2, 1, 3, 4).reshape(-1, window * window, c)


def from_windows(windows: Tensor, h: int, w: int, shift: int = 0, window: int = WINDOW) -> Tensor:
    """N×T×C → B×H×W×C: the inverse of :func:`to_windows`."""
    c = int(windows.shape[-1])
    x = windows.reshape(-1, w // window, window, window, c)
    x = x.permute(0, 2, 1, 3, 4).reshape(-1, h, w, c)
    if shift:
        x = torch.roll(x, (shift, shift), (1, 2))
    return x


def shift_mask(h: int, w: int, shift: int, device: torch.device, window: int = WINDOW) -> Tensor:
    """Which tokens of a shifted window may see each other: (H/M · W/M)×1×T×T, 0 or ``MASKED``.

    The cyclic shift brings the map's first rows below its last ones. Rows of the rolled map fall into three bands
    (untouched, last window before the cut, wrapped), columns likewise; tokens of different bands are masked.
    """

    def band(length: int) -> Tensor:
        i = torch.arange(length, device=device)
        return (i >= length - window).long() + (i >= length - shift).long()

    label = (band(h)[:, None] * 3 + band(w)[None, :]).reshape(1, h, w, 1)
    t = to_windows(label, window=window).squeeze(-1)
    return (t[:, None, :, None] != t[:, None, None, :]).to(torch.get_default_dtype()) * MASKED


class RelativePositionBias(nn.Module):
    """One learned score for every offset between two tokens of a window and every head: ((2M−1)², h)."""

    index: Tensor

    def __init__(self, heads: int, window: int = WINDOW) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.zeros((2 * window - 1) ** 2, heads))
        nn.init.trunc_normal_(self.table, std=0.02)
        i = torch.arange(window)
        rows, cols = (g.flatten() for g in torch.meshgrid(i, i, indexing="ij"))
        d_row = rows[:, None] - rows[None, :] + window - 1
        d_col = cols[:, None] - cols[None, :] + window - 1
        self.register_buffer("index", d_row * (2 * window - 1) + d_col, persistent=False)

    def forward(self) -> Tensor:
        """1×h×T×T."""
        t = int(self.index.shape[0])
        bias = self.table.index_select(0, self.index.reshape(-1)).reshape(t, t, -1)
        return bias.permute(2, 0, 1)[None]


class WindowAttention(nn.Module):
    """Multi-head attention inside windows: queries from one map, keys and values from the same or another."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.q = nn.Linear(dim, dim)
        self.kv = nn.Linear(dim, 2 * dim)
        self.proj = nn.Linear(dim, dim)
        self.bias = RelativePositionBias(heads)

    def forward(self, x: Tensor, source: Tensor, mask: Tensor | None = None) -> Tensor:
        """``x``, ``source``: N×T×C; ``mask``: K×1×T×T with N a multiple of K, added to the scores. → N×T×C.

        Written out instead of ``scaled_dot_product_attention``: with heads of 8 to 10 channels and a bias the fused CPU
        kernel is slower, and the scores of a window fit the cache.
        """
        t, c = map(int, x.shape[1:])
        h, d = self.heads, c // self.heads
        q = (self.q(x) * d**-0.5).reshape(-1, t, h, d).transpose(1, 2)
        k, v = self.kv(source).reshape(-1, t, 2, h, d).permute(2, 0, 3, 1, 4).unbind(0)
        scores = q @ k.transpose(-2, -1) + self.bias()
        if mask is not None:
            scores = (scores.reshape(-1, mask.shape[0], h, t, t) + mask.to(scores.dtype)).reshape(-1, h, t, t)
        out = (scores.softmax(-1) @ v).transpose(1, 2).reshape(-1, t, c)
        return cast(Tensor, self.proj(out))
