"""Statistics of two whole images, by which a network tells what kind of pair it has before it."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from tita_cli.network.layout import pad_to_multiple
from tita_cli.network.tita_lite_filters import EDGE_BLOCK, FLAT, NO_EDGES

STATISTICS = 7


def image_statistics(a: Tensor, b: Tensor, block: int) -> Tensor:
    """Statistics of two luminances B×1×H×W, before any padding: B×7.

    Mean of A, of B, standard deviation of A, of B; which of the two has the contrast, 1 / (1 + (σ_A / σ_B)⁴): 0 where A
    has all of it, 1 where B has; their disagreement d / (d + s): d is the mean absolute difference of the means of
    blocks of pixels (reflected at the bottom and right), s the mean of the standard deviations; and
    :func:`edge_agreement`. Defocus moves little light out of a block; another exposure or another spectrum changes the
    block, but only another spectrum reverses its edges. What an infrared image shows at night depends on the balance of
    contrasts, which the MLP that reads these numbers would otherwise have to raise to the fourth power.
    """
    means = [x.mean((1, 2, 3), keepdim=True) for x in (a, b)]
    sigmas = [(x - mean).square().mean((1, 2, 3), keepdim=True).sqrt() for x, mean in zip((a, b), means, strict=True)]
    difference = F.avg_pool2d(pad_to_multiple(a - b, block), block).abs().mean((1, 2, 3), keepdim=True)
    disagreement = difference / (difference + (sigmas[0] + sigmas[1]) / 2 + FLAT)
    balance = 1 / (1 + ((sigmas[0] + FLAT) / (sigmas[1] + FLAT)).square().square())
    return torch.cat((*means, *sigmas, balance, disagreement, edge_agreement(a, b)), 1)[..., 0, 0]


def edge_agreement(a: Tensor, b: Tensor) -> Tensor:
    """How far edges of two luminances B×1×H×W go the same way: B×1×1×1, 0 where all are reversed, 1 where none is.

    Of the products of both images' differences between neighbouring blocks of ``EDGE_BLOCK`` pixels, the share of those
    above 0. Two images of which one is flat agree.
    """
    left, right = (F.avg_pool2d(pad_to_multiple(x, EDGE_BLOCK), EDGE_BLOCK) for x in (a, b))
    down = (left[..., 1:, :] - left[..., :-1, :]) * (right[..., 1:, :] - right[..., :-1, :])
    across = (left[..., 1:] - left[..., :-1]) * (right[..., 1:] - right[..., :-1])
    same, total = (
        (of(down).sum((1, 2, 3), keepdim=True) + of(across).sum((1, 2, 3), keepdim=True) + NO_EDGES)
        for of in (F.relu, torch.abs)
    )
    return same / total
