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

    Blocks reach beyond what stands out: a pixel of B darker than A's is not salient, or it would draw a dark rim.
    """
    of_a, of_b = (F.avg_pool2d(pad_to_multiple(x, rule.BLOCK), rule.BLOCK) for x in (a, b))
    spread = (b - b.mean((1, 2, 3), keepdim=True)).square().mean((1, 2, 3), keepdim=True).sqrt()
    threshold = (rule.STANDS_OUT * spread).clamp(rule.LEAST, rule.MOST)
    stands_out = torch.sigmoid(((of_b - _surroundings(of_b)) / threshold - 1) / rule.SOFTNESS)
    blocks = stands_out * ((of_b - of_a) / rule.BRIGHTER).clamp(0, 1)
    pixels = F.interpolate(blocks, scale_factor=float(rule.BLOCK), mode="bilinear", align_corners=False)
    return pixels[..., : a.shape[-2], : a.shape[-1]] * (b > a)


def lift(gate: Tensor, salient: Tensor, heed: Tensor) -> Tensor:
    """The gate B×1×H×W with no more of A than leaves what is salient in B its share. ``heed``: B×1×1×1 in 0..1."""
    return torch.minimum(gate, 1 - rule.HALF * heed * salient)


def gaussian() -> list[float]:
    """Weights of the surroundings along one axis, of sum 1."""
    i = range(-rule.REACH, rule.REACH + 1)
    kernel = [math.exp(-0.5 * (step / rule.SURROUNDINGS) ** 2) for step in i]
    return [weight / sum(kernel) for weight in kernel]


def _surroundings(blocks: Tensor) -> Tensor:
    kernel = torch.tensor(gaussian(), dtype=blocks.dtype, device=blocks.device).reshape(1, 1, -1, 1)
    padded = F.pad(blocks, (rule.REACH,) * 4, mode="replicate")
    return F.conv2d(F.conv2d(padded, kernel), kernel.transpose(2, 3))
