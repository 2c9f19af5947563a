"""OAF's merging step with as few passes over the features as it takes.

    Σ w_h (s − low) + w_a (s + add) + w_m s⊙mul  =  s ⊙ (w_m mul + w_h + w_a)  +  w_a add  −  w_h low

The three convolutions become one.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tita_cli.network.oaf import OAF, Operations

TAPS = 9


class FoldedMerge(nn.Module):
    """OAF's ``merge``: features B×C×H×W of both sources and guidance → B×C×H×W."""

    def __init__(self, oaf: OAF) -> None:
        super().__init__()
        self.a, self.b = _Source(oaf.operations_a), _Source(oaf.operations_b)

    def forward(self, x: Tensor, y: Tensor, guidance: Tensor) -> Tensor:
        of_x, of_y = torch.split(guidance[:, :6, None, None, None], 3, 1)
        return cast(Tensor, self.a(x, *of_x.unbind(1)) + self.b(y, *of_y.unbind(1)))

    def once(self, x: Tensor, y: Tensor, guidance: Tensor) -> Tensor:
        """The same for one image, B = 1, in half the time: the weights go into the convolution's.

        Features and guidance in fp32; of a module in bf16 the convolutions are, and nothing else.
        """
        of_x, of_y = torch.split(guidance[0, :6], 3)
        return self.a.once(x, *of_x).add_(self.b.once(y, *of_y))


class _Source(nn.Module):
    window: Tensor

    def __init__(self, operations: Operations) -> None:
        super().__init__()
        self.compress = operations.compress
        parts = [operations.factor, operations.addend, operations.low_kernel]
        self.weight = nn.Parameter(torch.cat([part.weight for part in parts]).detach(), requires_grad=False)
        biases = [torch.zeros(part.out_channels) if part.bias is None else part.bias for part in parts]
        self.bias = nn.Parameter(torch.cat(biases).detach(), requires_grad=False)
        self.register_buffer("window", operations.hamming.clone())

    def forward(self, s: Tensor, high: Tensor, add: Tensor, mul: Tensor) -> Tensor:
        c = s.shape[1]
        predicted = F.conv2d(self.compress(s), self.weight, self.bias, padding=1)
        factor, addend, logits = torch.split(predicted, [c, c, TAPS], 1)
        taps = logits.softmax(1) * self.window
        taps = taps / taps.sum(1, keepdim=True)
        shifted = _shifted(s)
        low = taps[:, :1] * shifted[0]
        for i in range(1, TAPS):
            low = low + taps[:, i : i + 1] * shifted[i]
        return s * (mul * factor + (high + add)) + add * addend - high * low

    def once(self, s: Tensor, high: Tensor, add: Tensor, mul: Tensor) -> Tensor:
        c, dtype = s.shape[1], self.weight.dtype
        scale = torch.cat((mul.expand(c), add.expand(c), torch.ones(TAPS)))
        bias = self.bias * scale
        bias[:c] += high + add
        weight = self.weight * scale[:, None, None, None]
        compressed = self.compress(s.to(dtype))
        predicted = F.conv2d(compressed, weight.to(dtype), bias.to(dtype), padding=1).float()
        factor, total, logits = torch.split(predicted, [c, c, TAPS], 1)
        total.addcmul_(factor, s)
        taps = logits.softmax(1).mul_(self.window)
        taps.mul_(-high / taps.sum(1, keepdim=True))
        for tap, shifted in zip(torch.split(taps, 1, 1), _shifted(s), strict=True):
            total.addcmul_(tap, shifted)
        return total


def _shifted(s: Tensor) -> list[Tensor]:
    """What lies at each of the nine places of a 3×3 kernel, for every token; reflected at the edges."""
    padded = F.pad(s, (1, 1, 1, 1), mode="reflect")
    inside = (slice(0, -2), slice(1, -1), slice(2, None))
    return [padded[..., rows, cols] for rows in inside for cols in inside]
