"""Small matters of layout that both variants share: padding, channel order, the network's answer."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from tita_cli.network.config import EDGE, FLAT, NO_EDGES


class FusionOutput(NamedTuple):
    """What a network answers.

    ``fused``: B×1×H×W luminance, not clamped. ``weights``: B×6, OAF's, three for A and three for B.
    ``gate``: B×1×H×W in 0..1, the share of A in every pixel, and ``residual``: B×1×H×W, what is added to the blend:
    both None for a network that paints its picture itself. For the losses, ``logits``: the gate before its sigmoid, and
    ``region``: B×1×H×W in −1..1, which source the neighbourhood voted for, and ``heed``: B×1 in 0..1, how far what is
    salient in B counts.
    """

    fused: Tensor
    weights: Tensor
    gate: Tensor | None = None
    residual: Tensor | None = None
    logits: Tensor | None = None
    region: Tensor | None = None
    heed: Tensor | None = None


def tones(a: Tensor, b: Tensor, block: int) -> Tensor:
    """What two luminances B×1×H×W, before any padding, look like from afar: B×7.

    Mean of A, of B, standard deviation of A, of B; which of the two has the contrast, 1 / (1 + (σ_A / σ_B)⁴): 0 where A
    has all of it, 1 where B has; their disagreement d / (d + s): d is the mean absolute difference of the means of
    blocks of pixels (reflected at the bottom and right), s the mean of the standard deviations; and :func:`same_edges`.
    Defocus moves little light out of a block; another exposure or another spectrum changes the block, but only another
    spectrum reverses its edges. What an infrared image shows at night hangs on the balance of contrasts, which the MLP
    that reads these numbers would have to raise to the fourth power.
    """
    means = [x.mean((1, 2, 3), keepdim=True) for x in (a, b)]
    spreads = [(x - mean).square().mean((1, 2, 3), keepdim=True).sqrt() for x, mean in zip((a, b), means, strict=True)]
    apart = F.avg_pool2d(pad_to_multiple(a - b, block), block).abs().mean((1, 2, 3), keepdim=True)
    share = apart / (apart + (spreads[0] + spreads[1]) / 2 + FLAT)
    balance = 1 / (1 + ((spreads[0] + FLAT) / (spreads[1] + FLAT)).square().square())
    return torch.cat((*means, *spreads, balance, share, same_edges(a, b)), 1)[..., 0, 0]


def same_edges(a: Tensor, b: Tensor) -> Tensor:
    """How far edges of two luminances B×1×H×W go the same way: B×1×1×1, 0 where all are reversed, 1 where none is.

    Of the products of both images' differences between neighbouring blocks of ``EDGE`` pixels, the share of those above
    0. Two images of which one is flat agree.
    """
    left, right = (F.avg_pool2d(pad_to_multiple(x, EDGE), EDGE) for x in (a, b))
    down = (left[..., 1:, :] - left[..., :-1, :]) * (right[..., 1:, :] - right[..., :-1, :])
    across = (left[..., 1:] - left[..., :-1]) * (right[..., 1:] - right[..., :-1])
    same, all_of_them = (
        (of(down).sum((1, 2, 3), keepdim=True) + of(across).sum((1, 2, 3), keepdim=True) + NO_EDGES)
        for of in (F.relu, torch.abs)
    )
    return same / all_of_them


def reflect_index(length: int, padded: int, device: torch.device) -> Tensor:
    """Where position 0..padded−1 of an axis of ``length`` looks when reflected at its end, as often as needed.

    ``torch.nn.functional.pad`` refuses to reflect by more than the axis holds; images of one pixel exist.
    """
    period = max(2 * (length - 1), 1)
    i = torch.arange(padded, device=device)
    i = i.remainder(torch.full_like(i, period))  # by a tensor: a symbolic length can be exported only so
    return torch.minimum(i, period - i)


def pad_to_multiple(x: Tensor, multiple: int) -> Tensor:
    """Reflect ``x`` (B×C×H×W) at the bottom and right until H and W are multiples of ``multiple``."""
    h, w = x.shape[-2:]
    # Not -(-n // multiple): ONNX divides integers towards zero.
    padded_h, padded_w = ((n + multiple - 1) // multiple * multiple for n in (h, w))
    if padded_h != h:
        x = x.index_select(-2, reflect_index(h, padded_h, x.device))
    if padded_w != w:
        x = x.index_select(-1, reflect_index(w, padded_w, x.device))
    return x


def to_tokens(x: Tensor) -> Tensor:
    """B×C×H×W → B×H×W×C."""
    return x.permute(0, 2, 3, 1).contiguous()


def to_map(x: Tensor) -> Tensor:
    """B×H×W×C → B×C×H×W, in channels-last memory: no copy."""
    return x.permute(0, 3, 1, 2)
