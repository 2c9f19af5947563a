"""Logits of N sources → shares that sum to 1."""

from __future__ import annotations

import torch
from torch import Tensor


def sparsemax(z: Tensor) -> Tensor:
    """The projection of ``z`` onto the simplex, over dimension 1: like a softmax, but it can be exactly 0 and 1.

    Martins & Astudillo, "From softmax to sparsemax", ICML 2016.
    """
    ordered = z.sort(1, descending=True).values
    count = torch.arange(1, z.shape[1] + 1, device=z.device, dtype=z.dtype).reshape(1, -1, *[1] * (z.ndim - 2))
    total = ordered.cumsum(1)
    inside = (1 + count * ordered > total).to(z.dtype)
    size = inside.sum(1, keepdim=True)
    threshold = ((ordered * inside).sum(1, keepdim=True) - 1) / size
    return (z - threshold).clamp_min(0)


def shares_of(logits: Tensor, training: bool) -> Tensor:
    """Shares B×N×h×w. In training with the gradient of a softmax: what sparsemax has cut off has none of its own."""
    hard = sparsemax(logits)
    if not training:
        return hard
    soft = (2 * logits).softmax(1)
    return soft + (hard - soft).detach()
