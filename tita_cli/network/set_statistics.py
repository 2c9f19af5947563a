"""What a network for sets is told of its sources beside their pixels: local contrast, and numbers on each whole."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from tita_cli.network.pyramid import laplacian

STATISTICS = 11
"""Numbers on each source."""
NOISE = 0.004
"""Detail of this size, one of 255 levels, is none."""


def log_contrast(pyramid: list[Tensor]) -> Tensor:
    """How strong the detail of an image is around every fourth pixel, B×4×H/4×W/4: log2(1 + mean |L_l| / noise) / 4.

    A logarithm, so that a difference of two tells a sharp source from a blurred one at any contrast.
    """
    bands = []
    for level, band in enumerate(pyramid[:4]):
        strength = band.abs()
        if level < 2:
            strength = F.avg_pool2d(strength, 2 ** (2 - level))
        elif level > 2:
            strength = F.interpolate(strength, scale_factor=2.0, mode="bilinear", align_corners=False)
        bands.append(strength)
    return torch.log2(1 + torch.cat(bands, 1) / NOISE) / 4


def hidden_contrast(images: Tensor, factor: int) -> Tensor:
    """What :func:`log_contrast` says of the finest two bands, for images that the network sees reduced by ``factor``:
    B×1×H×W → B×2×H/(4·factor)×W/(4·factor)."""
    bands = laplacian(images, 2)
    sizes = (4 * factor, 2 * factor)
    strengths = [F.avg_pool2d(band.abs(), size) for band, size in zip(bands[:2], sizes, strict=True)]
    return torch.log2(1 + torch.cat(strengths, 1) / NOISE) / 4


def statistics(small: Tensor, images: Tensor, contrast: Tensor, role: Tensor) -> Tensor:
    """Numbers on each source as a whole, B×N×``STATISTICS``: mean, deviation, share of nearly black and nearly white
    pixels, contrast of four bands, and two on the others' mean: how far edges go the same way, and how far brightness
    differs; and ``role``, B×N. ``small``: the sources at 1/16 of their size; ``contrast``: B×N×4."""
    mean = images.mean((2, 3))
    spread = images.std((2, 3))
    dark = torch.sigmoid((0.04 - images) * 100).mean((2, 3))
    bright = torch.sigmoid((images - 0.96) * 100).mean((2, 3))
    apart = (small - others_mean(small)).abs().mean((2, 3))
    numbers = torch.stack((mean, spread, dark, bright, edge_agreement(small), apart / (apart + spread + 0.02)), -1)
    return torch.cat((4 * numbers - 1, contrast, role[..., None]), -1)


def edge_agreement(images: Tensor) -> Tensor:
    """B×N×H×W → B×N in −1..1: how far the steps of a source go the way of those of the others' mean."""
    others = others_mean(images)
    product = images.new_zeros(images.shape[:2])
    size = product + 1e-4
    for x, y in ((images, others), (images.transpose(2, 3), others.transpose(2, 3))):  # steps across, and down
        step = (x[..., 1:] - x[..., :-1]) * (y[..., 1:] - y[..., :-1])  # ONNX's exporter does not know diff()
        product, size = product + step.sum((2, 3)), size + step.abs().sum((2, 3))
    return product / size


def others_mean(x: Tensor) -> Tensor:
    """B×N×… → for each source the mean of the others."""
    return (x.sum(1, keepdim=True) - x) / max(x.shape[1] - 1, 1)
