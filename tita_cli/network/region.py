"""Which source a whole region is taken from: every pixel's gate is a vote, and the votes around a place are counted.

What is in focus is a matter of regions, but a flat patch of wall tells nothing of it: decided pixel by pixel, the gate
of a focus pair is full of specks. So the outcome at a place is the mean of the votes around it, weighted by how
decided each is (normalised convolution: Knutsson & Westin, CVPR 1993): pixels that cannot tell get their neighbours'
outcome. Counted on tokens of 4×4 pixels, which is enough for a mean over some 20.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

REACH = 8
"""Tokens that a count sees to each side."""
SPREAD = 2.0
"""Of its Gaussian, in tokens: 8 pixels. Wider ones lose thin things in front of a blurred ground."""
UNDECIDED = 1e-3
"""Mean decidedness below which the outcome tends to 0, neither source."""


def gaussian() -> list[float]:
    """The count's weights along one axis, of sum 1."""
    kernel = [math.exp(-0.5 * (i / SPREAD) ** 2) for i in range(-REACH, REACH + 1)]
    return [weight / sum(kernel) for weight in kernel]


class Region(nn.Module):
    """Logits of a gate, B×1×H×W, → the outcome around every pixel, B×1×H×W in −1..1. ``patch``: pixels to a token."""

    kernel: Tensor

    def __init__(self, patch: int) -> None:
        super().__init__()
        self.patch = patch
        self.register_buffer("kernel", torch.tensor(gaussian()), persistent=False)

    def votes(self, logits: Tensor) -> Tensor:
        """B×1×H×W → B×2×H/patch×W/patch: mean vote and decidedness of each token's pixels."""
        vote = torch.tanh(logits / 2)
        return F.avg_pool2d(torch.cat((vote, vote.abs()), 1), self.patch)

    def count(self, votes: Tensor) -> Tensor:
        """:meth:`votes` → the outcome around each token, B×1×h×w. Nobody votes beyond the edge."""
        kernel = self.kernel.to(votes.dtype).reshape(1, 1, -1, 1)
        flat = votes.reshape(-1, 1, *votes.shape[-2:])
        flat = F.conv2d(flat, kernel, padding=(REACH, 0))
        flat = F.conv2d(flat, kernel.transpose(2, 3), padding=(0, REACH))
        counted = flat.reshape(votes.shape)
        return counted[:, :1] / (counted[:, 1:] + UNDECIDED)

    def forward(self, logits: Tensor) -> Tensor:
        outcome = self.count(self.votes(logits))
        return F.interpolate(outcome, scale_factor=float(self.patch), mode="bilinear", align_corners=False)
