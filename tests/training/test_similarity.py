"""Filters of the losses against PyTorch's own operations."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from tita_cli.training.similarity import blur


def _convolved(x: Tensor, size: int, sigma: float) -> Tensor:
    offsets = torch.arange(size, dtype=x.dtype) - size // 2
    window = torch.exp(-0.5 * (offsets / sigma) ** 2)
    window = torch.outer(window, window) / window.sum() ** 2
    b, c, h, w = x.shape
    blurred = F.conv2d(x.reshape(b * c, 1, h, w), window[None, None])
    return blurred.reshape(b, c, *blurred.shape[-2:])


@pytest.mark.parametrize(("size", "sigma"), [(11, 1.5), (11, 3.0), (5, 1.0)])
def test_a_blur_and_its_gradient_are_those_of_a_convolution(size: int, sigma: float) -> None:
    generator = torch.Generator().manual_seed(5)
    x = torch.rand((2, 3, 23, 18), generator=generator, dtype=torch.float64, requires_grad=True)
    ours, theirs = blur(x, size, sigma), _convolved(x, size, sigma)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-14)
    weight = torch.rand(ours.shape, generator=generator, dtype=torch.float64)
    gradients = [torch.autograd.grad((weight * y).sum(), x)[0] for y in (ours, theirs)]
    torch.testing.assert_close(*gradients, rtol=0, atol=1e-14)
