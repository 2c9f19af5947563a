"""Logits of N sources → shares that sum to 1."""

from __future__ import annotations

import torch
from torch import Tensor


@torch.jit.script_if_tracing  # type: ignore[untyped-decorator]
def sparsemax(z: Tensor) -> Tensor:
    """The projection of ``z``, B×N×h×w, onto the simplex, over dimension 1: like a softmax, but it can be exactly 0
    and 1.

    Martins & Astudillo, "From softmax to sparsemax", ICML 2016.
    """
    if z.shape[1] == 2:  # a choice that an exported graph has, too
        other = z.index_select(1, torch.tensor([1, 0], device=z.device))
        return ((z - other + 1) / 2).clamp(0, 1)
    ordered = z.sort(1, descending=True)[0]
    count = torch.arange(1, z.shape[1] + 1, device=z.device, dtype=z.dtype).reshape(1, -1, 1, 1)
    total = ordered.cumsum(1)
    inside = (1 + count * ordered > total).to(z.dtype)
    size = inside.sum(1, keepdim=True)
    threshold = ((ordered * inside).sum(1, keepdim=True) - 1) / size
    return (z - threshold).clamp_min(0)


def shares_of(logits: Tensor, training: bool) -> Tensor:
    """Shares B×N×h×w. In training with the gradient of a softmax: what sparsemax has cut off has none of its own."""
    hard: Tensor = sparsemax(logits)
    if not training:
        return hard
    soft = (2 * logits).softmax(1)
    return soft + (hard - soft).detach()
