"""Losses for sets: against the truth or a reference, and on shares where it is known which frame is the best."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional as F

from tita_cli.network.tita_lite import SetOutput
from tita_cli.training.similarity import blur, gradients, ssim

_C2 = 0.03**2
SCALES = (0.2, 0.4, 0.4)
"""Weights of MEF-SSIM at full, half and quarter size, where the metric has .07, .45 and .48."""
FLAT = 0.3
CANCELLED = 0.1
# Of exposures, the reference sets the tones and MEF-SSIM the contrast: the more frames, the more there is to choose.
WEIGHTS = {
    "ivf": {"intensity": 50.0, "base": 80.0, "hot": 40.0, "gradient": 20.0, "structure": 10.0},
    "mef": {
        "intensity": 12.0,
        "base": 18.0,
        "gradient": 10.0,
        "structure": 7.0,
        "exposure": 90.0,
        "range": 400.0,
        "direct": 2.0,
    },
    "sequence": {
        "intensity": 1.5,
        "base": 3.0,
        "gradient": 1.0,
        "structure": 1.0,
        "exposure": 240.0,
        "range": 800.0,
        "direct": 2.0,
    },
    "mff": {
        "intensity": 40.0,
        "gradient": 20.0,
        "structure": 10.0,
        "shares": 2.5,
        "outline": 2.0,
        "residual": 30.0,
        "direct": 0.5,
    },
}


def set_losses(
    task: str, frames: Tensor, fused: Tensor, residual: Tensor, output: SetOutput, target: Tensor,
    masks: Tensor | None, hot: Tensor | None, weights: Mapping[str, Mapping[str, float]],
) -> dict[str, Tensor]:  # fmt: skip
    """Named terms, times ``weights`` by task, with "total". ``frames``, ``masks``: B×N×H×W; the others B×1×H×W."""
    terms = {
        "intensity": F.l1_loss(fused, target),
        "gradient": F.l1_loss(gradients(fused), gradients(target)) * 2,
        "structure": (1 - ssim(fused, target)).mean(),
    }
    if task != "mff":
        terms["base"] = F.avg_pool2d(fused - target, 16).abs().mean()
    if task == "mef":
        shown = fused.clamp(0, 1)  # what is beyond gives no contrast, and a clamp alone no way back
        terms["exposure"] = structure_lost(frames, shown)
        terms["range"] = (fused - shown).abs().mean()
        terms["direct"] = output.direct.mean()  # pixel by pixel, shares of exposures draw halos and outlines
    if hot is not None:
        off, weight = F.avg_pool2d(fused - target, 4).abs(), F.avg_pool2d(hot, 4)
        terms["hot"] = ((weight * off).sum((1, 2, 3)) / (weight.sum((1, 2, 3)) + 0.2)).mean()
    if masks is not None:
        terms |= _share_terms(frames, output, masks)
        terms["residual"] = residual.abs().mean()
        terms["direct"] = (1 - output.direct).abs().mean()
    chosen = weights["sequence" if task == "mef" and frames.shape[1] > 2 else task]
    weighted = {name: chosen[name] * term for name, term in terms.items()}
    return {"total": torch.stack(list(weighted.values())).sum(), **weighted}


def _share_terms(frames: Tensor, output: SetOutput, masks: Tensor) -> dict[str, Tensor]:
    """Cross-entropy of every level's shares against the masks, weighted by how far the sources differ around a pixel,
    and the finest level's gradient against the masks': shares change where these do and nowhere else."""
    spread = F.pad(frames.amax(1, keepdim=True) - frames.amin(1, keepdim=True), (5, 5, 5, 5), mode="reflect")
    weight = (blur(spread, 11, 3.0) / 0.03).clamp(max=1.0) + FLAT
    total = torch.zeros(())
    for level, logits in enumerate(output.logits):
        size = 2**level
        wanted = F.avg_pool2d(masks, size) if level else masks
        at = F.avg_pool2d(weight, size) if level else weight
        each = -(wanted * (2 * logits).log_softmax(1)).sum(1, keepdim=True)
        total = total + (at * each).mean() * (2.0 if level == 0 else 1.0)
    n = frames.shape[1]
    soft = (2 * output.logits[0]).softmax(1)
    change = (gradients(soft.flatten(0, 1)[:, None]) - gradients(masks.flatten(0, 1)[:, None])).abs().mean() * n / 2
    return {"shares": total, "outline": change}


def structure_lost(frames: Tensor, fused: Tensor) -> Tensor:
    """What MEF-SSIM lacks to 1, over the three scales that the metric has: a scalar. At full size alone, a window of 11
    pixels does not see how tones run across an object."""
    total = torch.zeros(())
    for scale, weight in enumerate(SCALES):
        if scale:
            frames, fused = F.avg_pool2d(frames, 2), F.avg_pool2d(fused, 2)
        total = total + weight * (1 - mef_ssim(frames, fused)).mean()
    return total


def mef_ssim(frames: Tensor, fused: Tensor) -> Tensor:
    """MEF-SSIM map for N exposures (Ma, Zeng & Wang, TIP 2015), B×H'×W', under the window of SSIM.

    As in ``Moments.mef_ssim`` for two: the wanted patch has the strongest contrast of the sources and the direction of
    their weighted structures, and is a linear combination of their patches.
    """
    n = frames.shape[1]
    tiny = 1e-8
    known = blur(torch.cat((frames, frames * frames), 1))
    m = blur(torch.cat((fused, fused * fused, frames * fused), 1))
    mean, mean_f = known[:, :n], m[:, 0]
    var = (known[:, n:] - mean**2).clamp_min(0) + tiny
    var_f = (m[:, 1] - mean_f**2).clamp_min(0)
    cov_f = m[:, 2:] - mean * mean_f[:, None]
    sd = var.sqrt()
    total = frames.sum(1, keepdim=True)
    t = blur(torch.cat((total, total * total), 1))
    sd_of_sum = (t[:, 1] - t[:, 0] ** 2).clamp_min(tiny).sqrt()
    r = (sd_of_sum / sd.sum(1)).clamp(0, 1 - 1e-4)
    p = torch.tan(torch.pi / 2 * r).clamp(0, 10)[:, None]
    peak = sd.amax(1, keepdim=True)
    weight = (sd / peak) ** p
    scale = weight / sd  # of each frame's patch without its mean, in the mixed structure
    mixed = [(i, j) for i in range(n) for j in range(i, n)]
    products = blur(torch.stack([frames[:, i] * frames[:, j] for i, j in mixed], 1))
    square = torch.zeros_like(var_f)
    for k, (i, j) in enumerate(mixed):
        cov = products[:, k] - mean[:, i] * mean[:, j]
        square = square + (1 if i == j else 2) * scale[:, i] * scale[:, j] * cov
    # Where structures cancel (an edge against its negative), what is left of their sum has no direction to follow.
    length = torch.maximum(square.clamp_min(tiny).sqrt(), CANCELLED * (scale * sd).sum(1))
    wanted = peak[:, 0] / length
    cov = (wanted[:, None] * scale).detach().mul(cov_f).sum(1)
    return (2 * cov + _C2) / (peak[:, 0].detach() ** 2 + var_f + _C2)
