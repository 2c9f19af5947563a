"""Differentiable similarity of luminance B×1×H×W in 0..1: gradients, SSIM, MEF-SSIM."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

_C1, _C2 = 0.01**2, 0.03**2


def gradients(x: Tensor) -> Tensor:
    """Sobel_x and Sobel_y, B×2×H×W, zero-padded as in the reference."""
    # Slices instead of a convolution, whose backward is slow with one channel on a CPU.
    p = F.pad(x, (1, 1, 1, 1))
    across, down = p[..., 2:] - p[..., :-2], p[..., 2:, :] - p[..., :-2, :]
    horizontal = across[..., :-2, :] + 2 * across[..., 1:-1, :] + across[..., 2:, :]
    vertical = down[..., :-2] + 2 * down[..., 1:-1] + down[..., 2:]
    return torch.cat((horizontal, vertical), 1)


def sobel(x: Tensor) -> Tensor:
    """|Sobel_x| + |Sobel_y|, B×1×H×W."""
    return gradients(x).abs().sum(1, keepdim=True)


def blur(x: Tensor, size: int = 11, sigma: float = 1.5) -> Tensor:
    """Mean under a Gaussian window, only where the window fits: B×C×(H−size+1)×(W−size+1)."""
    return torch.as_tensor(_Blur.apply(x, size, sigma))  # type: ignore[no-untyped-call]


class _Blur(torch.autograd.Function):
    """A symmetric separable window, whose gradient is a full correlation with the same window."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, size: int, sigma: float) -> Tensor:
        ctx.window = size, sigma
        rows, columns = x.shape[-2] - size + 1, x.shape[-1] - size + 1
        gaussian = _gaussian(size, sigma)
        x = _weighted_sum([x[..., k : k + rows, :] for k in range(size)], gaussian)
        return _weighted_sum([x[..., k : k + columns] for k in range(size)], gaussian)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        size, sigma = ctx.window
        (gradient,) = gradients
        *lead, rows, columns = gradient.shape
        wide = gradient.new_zeros(*lead, rows, columns + size - 1)
        full = gradient.new_zeros(*lead, rows + size - 1, columns + size - 1)
        for k, weight in enumerate(_gaussian(size, sigma)):
            wide[..., k : k + columns].add_(gradient, alpha=weight)
        for k, weight in enumerate(_gaussian(size, sigma)):
            full[..., k : k + rows, :].add_(wide, alpha=weight)
        return full, None, None


def _gaussian(size: int, sigma: float) -> list[float]:
    weights = [math.exp(-0.5 * ((k - size // 2) / sigma) ** 2) for k in range(size)]
    return [weight / sum(weights) for weight in weights]


def _weighted_sum(parts: Sequence[Tensor], weights: Sequence[float]) -> Tensor:
    """Σ weight · part, in place. A convolution with one channel takes five times as long on a CPU."""
    total = parts[0] * weights[0]
    for part, weight in zip(parts[1:], weights[1:], strict=True):
        total.add_(part, alpha=weight)
    return total


class Moments:
    """Local means, variances and covariances of the sources and the fused picture.

    All maps are B×1×H'×W' under the 11×11 Gaussian window of SSIM (σ = 1.5).
    """

    def __init__(self, a: Tensor, b: Tensor, f: Tensor) -> None:
        m = blur(torch.cat((a, b, f, a * a, b * b, f * f, a * b, a * f, b * f), 1)).unbind(1)
        self.mean_a, self.mean_b, self.mean_f = m[:3]
        self.var_a = (m[3] - m[0] ** 2).clamp_min(0)
        self.var_b = (m[4] - m[1] ** 2).clamp_min(0)
        self.var_f = (m[5] - m[2] ** 2).clamp_min(0)
        self.cov_ab, self.cov_af, self.cov_bf = m[6] - m[0] * m[1], m[7] - m[0] * m[2], m[8] - m[1] * m[2]

    def ssim(self, which: str) -> Tensor:
        """SSIM map between source ``which`` ("a" or "b") and the fused picture (Wang et al., 2004)."""
        mean, var, cov = (
            (self.mean_a, self.var_a, self.cov_af) if which == "a" else (self.mean_b, self.var_b, self.cov_bf)
        )
        luminance = (2 * mean * self.mean_f + _C1) / (mean**2 + self.mean_f**2 + _C1)
        return luminance * (2 * cov + _C2) / (var + self.var_f + _C2)

    def mef_ssim(self) -> Tensor:
        """MEF-SSIM map for two exposures (Ma, Zeng & Wang, TIP 2015), B×H'×W'.

        The desired patch has the larger contrast ĉ of the sources and the direction s̄ of their weighted structures; the
        exponent of the weights depends on the consistency R of the structures. It is a linear combination of the
        sources' patches, so its covariance with the fused picture needs local moments only. Window and constants are
        those of SSIM; the published metric uses a flat window.
        """
        tiny = 1e-8
        sd_a, sd_b = (self.var_a + tiny).sqrt(), (self.var_b + tiny).sqrt()
        both = (self.var_a + self.var_b + 2 * self.cov_ab).clamp_min(tiny)
        r = (both.sqrt() / (sd_a + sd_b)).clamp(0, 1 - 1e-4)
        p = torch.tan(torch.pi / 2 * r).clamp(0, 10)
        peak = torch.maximum(sd_a, sd_b)
        w_a, w_b = (sd_a / peak) ** p, (sd_b / peak) ** p
        norm = (w_a**2 + w_b**2 + 2 * w_a * w_b * self.cov_ab / (sd_a * sd_b)).clamp_min(tiny).sqrt()
        share_a, share_b = peak * w_a / (sd_a * norm), peak * w_b / (sd_b * norm)
        cov = share_a.detach() * self.cov_af + share_b.detach() * self.cov_bf
        return (2 * cov + _C2) / (peak.detach() ** 2 + self.var_f + _C2)


def ssim(x: Tensor, y: Tensor) -> Tensor:
    """SSIM of each picture, averaged over it: B."""
    m = torch.cat([blur(part) for part in (x, y, x * x, y * y, x * y)], 1).unbind(1)
    var_x, var_y, cov = m[2] - m[0] ** 2, m[3] - m[1] ** 2, m[4] - m[0] * m[1]
    s = (2 * m[0] * m[1] + _C1) * (2 * cov + _C2) / ((m[0] ** 2 + m[1] ** 2 + _C1) * (var_x + var_y + _C2))
    return s.mean((-2, -1))
