"""What stands out in an infrared image: a warm figure is shown, however small, whatever the visible image has there.

Thermal saliency as most work on infrared–visible fusion has it: brighter than its wide surroundings by more than the
image's contrast makes likely (as a centre–surround contrast: Itti, Koch & Niebur, PAMI 1998). It takes the second
source's part, which is the infrared one where there is one; how far it is heeded is for the network to say.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from tita_cli.network import salience_rule as rule
from tita_cli.network.layout import pad_to_multiple


def salience(a: Tensor, b: Tensor) -> Tensor:
    """How salient B is beside A, B×1×H×W in 0..1: near 1 where it stands out and is brighter. Luminances in 0..1.

    Blocks tell where something stands out, pixels what belongs to it. A pixel of B darker than A's is not salient, or
    it would draw a dark rim; nor is one that is no brighter than its surroundings in A, or it would be lost there.
    """
    of_a, of_b = (F.avg_pool2d(pad_to_multiple(x, rule.BLOCK), rule.BLOCK) for x in (a, b))
    around_a, around_b = (_blurred(x, rule.SURROUNDINGS, rule.REACH) for x in (of_a, of_b))
    spread = (b - b.mean((1, 2, 3), keepdim=True)).square().mean((1, 2, 3), keepdim=True).sqrt()
    threshold = (rule.STANDS_OUT * spread).clamp(rule.LEAST, rule.MOST)
    stands_out = torch.sigmoid(((of_b - around_b) / threshold - 1) / rule.SOFTNESS)
    near = F.max_pool2d(stands_out, 2 * rule.NEAR + 1, 1, rule.NEAR)
    near, around_a, around_b = (_in_pixels(x, *a.shape[-2:]) for x in (near, around_a, around_b))
    b_smooth = _blurred(b, rule.SMOOTH, rule.SMOOTH_REACH)
    warm = (((b_smooth - around_b) / threshold - rule.FROM) / (1 - rule.FROM)).clamp(0, 1)
    brighter = ((b - a) / rule.BRIGHTER).clamp(0, 1)
    above = ((b_smooth - around_a) / rule.ABOVE).clamp(0, 1)
    return near * warm * brighter * above


def lift(gate: Tensor, salient: Tensor, heed: Tensor) -> Tensor:
    """The gate B×1×H×W with no more of A than leaves what is salient in B its share. ``heed``: B×1×1×1 in 0..1."""
    return torch.minimum(gate, 1 - rule.SHARE * heed * salient)


def _in_pixels(blocks: Tensor, height: int, width: int) -> Tensor:
    pixels = F.interpolate(blocks, scale_factor=float(rule.BLOCK), mode="bilinear", align_corners=False)
    return pixels[..., :height, :width]


def _blurred(image: Tensor, sigma: float, reach: int) -> Tensor:
    """By a Gaussian that ends at ``reach``, the border repeated."""
    weights = [math.exp(-0.5 * (step / sigma) ** 2) for step in range(-reach, reach + 1)]
    kernel = torch.tensor(weights, dtype=image.dtype, device=image.device).reshape(1, 1, -1, 1) / sum(weights)
    padded = F.pad(image, (reach,) * 4, mode="replicate")
    return F.conv2d(F.conv2d(padded, kernel), kernel.transpose(2, 3))
