"""Laplacian pyramids (Burt & Adelson 1983) as ``tita-lite`` blends in them.

:func:`reduce` and :func:`expand` do what OpenCV's ``pyrDown`` and ``pyrUp`` do, borders included, so that a network can
be trained in PyTorch on the very arithmetic that blends photographs at full size in OpenCV.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

_KERNEL = (1 / 16, 4 / 16, 6 / 16, 4 / 16, 1 / 16)


def reduce(x: Tensor) -> Tensor:
    """B×C×H×W → B×C×⌈H/2⌉×⌈W/2⌉: a binomial blur, then every second sample. H, W ≥ 3."""
    c = int(x.shape[1])  # int(): a constant of the exported graph, not computed at every run
    kernel = torch.tensor(_KERNEL, dtype=x.dtype, device=x.device).expand(c, 1, 5)
    x = F.pad(x, (2, 2, 2, 2), mode="reflect")
    x = F.conv2d(x, kernel[..., None], stride=(2, 1), groups=c)
    return F.conv2d(x, kernel[:, :, None], stride=(1, 2), groups=c)


def expand(x: Tensor, height: int, width: int) -> Tensor:
    """B×C×h×w → B×C×height×width, twice the size or one less: the interpolation that belongs to :func:`reduce`."""
    return _expand_rows(_expand_rows(x).transpose(-1, -2)).transpose(-1, -2)[..., :height, :width]


def _expand_rows(x: Tensor) -> Tensor:
    before = torch.cat((x[..., 1:2, :], x[..., :-1, :]), -2)
    after = torch.cat((x[..., 1:, :], x[..., -1:, :]), -2)
    even, odd = (before + 6 * x + after) / 8, (x + after) / 2
    return torch.stack((even, odd), -2).reshape(x.shape[0], int(x.shape[1]), -1, x.shape[3])


def laplacian(image: Tensor, levels: int) -> list[Tensor]:
    """B×C×H×W → ``levels`` detail bands from fine to coarse, and what is left, each half the size of the one before."""
    bands = []
    for _ in range(levels):
        smaller = reduce(image)
        bands.append(image - expand(smaller, image.shape[-2], image.shape[-1]))
        image = smaller
    return [*bands, image]


def collapse(pyramid: list[Tensor]) -> Tensor:
    """The image that :func:`laplacian` took apart."""
    image = pyramid[-1]
    for band in reversed(pyramid[:-1]):
        image = band + expand(image, band.shape[-2], band.shape[-1])
    return image
