"""What stands out in an infrared image: a warm figure is shown, however small, whatever the visible image has there.

Thermal saliency as most work on infrared–visible fusion has it: brighter than its surround by more than the image's
contrast makes likely (a centre–surround contrast: Itti, Koch & Niebur, PAMI 1998). It is measured in the second source,
which is the infrared one where there is one; how much it counts is for the network to say.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from tita_cli.network import tita_lite_filters as rule
from tita_cli.network.layout import pad_to_multiple


def saliency(a: Tensor, b: Tensor) -> Tensor:
    """How salient B is beside A, B×1×H×W in 0..1: near 1 where it stands out and is brighter. Luminances in 0..1.

    Blocks tell where something stands out, pixels what belongs to it. A pixel of B darker than A's is not salient, or
    it would draw a dark rim; nor is one that is no brighter than its surround in A, or it would be lost there.
    """
    of_a, of_b = (F.avg_pool2d(pad_to_multiple(x, rule.SALIENCY_BLOCK), rule.SALIENCY_BLOCK) for x in (a, b))
    around_a, around_b = (_blurred(x, rule.SURROUND_SIGMA, rule.SURROUND_REACH) for x in (of_a, of_b))
    deviation = (b - b.mean((1, 2, 3), keepdim=True)).square().mean((1, 2, 3), keepdim=True).sqrt()
    threshold = (rule.THRESHOLD * deviation).clamp(rule.THRESHOLD_MIN, rule.THRESHOLD_MAX)
    stands_out = torch.sigmoid(((of_b - around_b) / threshold - 1) / rule.SOFTNESS)
    near = F.max_pool2d(stands_out, 2 * rule.NEAR + 1, 1, rule.NEAR)
    near, around_a, around_b = (_to_pixels(x, *a.shape[-2:]) for x in (near, around_a, around_b))
    smooth = _blurred(b, rule.SMOOTH_SIGMA, rule.SMOOTH_REACH)
    warm = (((smooth - around_b) / threshold - rule.PIXEL_FROM) / (1 - rule.PIXEL_FROM)).clamp(0, 1)
    brighter = ((b - a) / rule.BRIGHTER).clamp(0, 1)
    above = ((smooth - around_a) / rule.ABOVE).clamp(0, 1)
    return near * warm * brighter * above


def lift(gate: Tensor, salient: Tensor, weight: Tensor) -> Tensor:
    """The gate B×1×H×W, limited so that salient parts of B get their share. ``weight``: B×1×1×1 in 0..1."""
    return torch.minimum(gate, 1 - rule.SHARE * weight * salient)


def _to_pixels(blocks: Tensor, height: int, width: int) -> Tensor:
    pixels = F.interpolate(blocks, scale_factor=float(rule.SALIENCY_BLOCK), mode="bilinear", align_corners=False)
    return pixels[..., :height, :width]


def _blurred(image: Tensor, sigma: float, reach: int) -> Tensor:
    """By a Gaussian that ends at ``reach``, the border repeated."""
    weights = [math.exp(-0.5 * (step / sigma) ** 2) for step in range(-reach, reach + 1)]
    kernel = torch.tensor(weights, dtype=image.dtype, device=image.device).reshape(1, 1, -1, 1) / sum(weights)
    padded = F.pad(image, (reach,) * 4, mode="replicate")
    return F.conv2d(F.conv2d(padded, kernel), kernel.transpose(2, 3))
