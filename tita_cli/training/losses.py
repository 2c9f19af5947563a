"""The losses, by recipe: "paper", as published, and "truth", which compares with the target where there is one.

A recipe is a function of task, network output and batch that returns named scalars, "total" among them. Every term
is a mean over pixels and samples, times its weight in ``WEIGHTS``. docs/explanation/training.md says why each exists.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

import torch
from torch import Tensor
from torch.nn import functional as F

from tita_cli.errors import TrainingError
from tita_cli.network.tita import FusionOutput
from tita_cli.training.similarity import Moments, gradients, sobel, ssim

if TYPE_CHECKING:
    from tita_cli.training.pairs import PairBatch

TASKS = ("ivf", "mef", "mff")


Terms: TypeAlias = dict[str, Tensor]
Loss: TypeAlias = "Callable[[str, FusionOutput, PairBatch], Terms]"

WEIGHTS: dict[str, dict[str, dict[str, float]]] = {
    "paper": {task: {"intensity": 20.0, "gradient": 20.0, "structure": 10.0} for task in TASKS},
    "truth": {
        "ivf": {
            "intensity": 40.0,
            "base": 30.0,
            "share": 60.0,
            "hot_targets": 25.0,
            "gradient": 20.0,
            "structure": 10.0,
        },
        "mef": {"intensity": 30.0, "base": 30.0, "gradient": 20.0, "structure": 10.0, "exposure": 5.0},
        "mff": {"intensity": 40.0, "gradient": 20.0, "structure": 10.0},
    },
}


BASE = 8
"""Side in pixels of the blocks of the terms "base" and "share"."""
HOT_BLOCK = 4
"""Side in pixels of the blocks of the term "hot_targets"."""
HOT = 0.05
"""Blocks with this much added brightness or more do not count in the term "share"."""
LEAST_HOT = 0.2
"""Added to the denominator of "hot_targets" (two blocks brighter by 0.1), so that fainter targets count for less."""


def build_losses(recipe: str, options: Mapping[str, Any] | None = None) -> Loss:
    """The losses of ``recipe``, with weights replaced by ``options``, such as ``{"mff": {"gradient": 10.0}}``.

    Raises ``TrainingError`` for a recipe, task or term that does not exist.
    """
    if recipe not in WEIGHTS:
        raise TrainingError(f"unknown recipe {recipe!r}", hint=f"known: {', '.join(WEIGHTS)}")
    weights = changed_weights(WEIGHTS[recipe], options or {})
    terms_of = _paper_terms if recipe == "paper" else _truth_terms

    def losses(task: str, output: FusionOutput, batch: PairBatch) -> Terms:
        terms = terms_of(task, output, batch)
        weighted = {name: weights[task][name] * term for name, term in terms.items() if weights[task][name]}
        return {"total": torch.stack(list(weighted.values())).sum(), **weighted}

    return losses


def changed_weights(
    weights: Mapping[str, Mapping[str, float]], options: Mapping[str, Any]
) -> dict[str, dict[str, float]]:
    """``weights`` of terms by task, with those replaced that ``options`` names.

    Raises ``TrainingError`` for a task or term that does not exist.
    """
    changed = {task: dict(terms) for task, terms in weights.items()}
    for task, changes in options.items():
        if task not in changed or not isinstance(changes, Mapping):
            raise TrainingError(f"losses.{task}: not a task", hint=f"known: {', '.join(changed)}")
        for term, value in changes.items():
            if term not in changed[task] or not isinstance(value, int | float):
                raise TrainingError(f"losses.{task}.{term}: no such term", hint=f"terms: {', '.join(changed[task])}")
            changed[task][term] = float(value)
    return changed


def _paper_terms(task: str, output: FusionOutput, batch: PairBatch) -> Terms:
    """As published: intensity against a mean or maximum, the stronger gradient, globally weighted SSIM."""
    a, b, f = batch.a, batch.b, output.fused
    wanted = torch.maximum(a, b) if task == "ivf" else (a + b) / 2
    grad_a, grad_b = sobel(a), sobel(b)
    if task == "mef":
        alpha = torch.full_like(grad_a[:, 0, 0, 0], 0.5)
    else:
        mean_a, mean_b = grad_a.mean((1, 2, 3)), grad_b.mean((1, 2, 3))
        alpha = mean_a / (mean_a + mean_b).clamp_min(1e-6)
    return {
        "intensity": F.l1_loss(f, wanted),
        "gradient": F.l1_loss(sobel(f), torch.maximum(grad_a, grad_b)),
        "structure": (1 - alpha * ssim(a, f) - (1 - alpha) * ssim(b, f)).mean(),
    }


def _truth_terms(task: str, output: FusionOutput, batch: PairBatch) -> Terms:
    """Against the target where there is one, else against the mean or maximum of the sources."""
    if task == "mff":
        return _distance(output.fused, batch.target)
    a, b, f = batch.a, batch.b, output.fused
    known = batch.has_target.reshape(-1, 1, 1, 1).to(f.dtype)
    unknown = torch.maximum(a, b) if task == "ivf" else (a + b) / 2
    reference = known * batch.target + (1 - known) * unknown
    # The pixel-wise term is dominated by detail and hardly changes with the brightness of large areas.
    terms = {"base": F.avg_pool2d(f - reference, BASE).abs().mean(), **_distance(f, reference)}
    if task == "ivf":
        terms["share"] = _share_loss(f - reference, b - a, batch.hot)
        terms["hot_targets"] = _hot_loss(f - reference, batch.hot)
    if task == "mef":
        terms["exposure"] = (1 - Moments(a, b, f).mef_ssim()).mean()
    return terms


def _share_loss(error: Tensor, apart: Tensor, hot: Tensor) -> Tensor:
    """The error of the infrared's share in the brightness of a whole sample, hot targets excluded.

    The projection of the error on the difference of the sources: the error of the least-squares share, times the root
    mean square of the difference, so that it counts as much as it is visible.
    """
    error, apart, hot = (F.avg_pool2d(x, BASE) for x in (error, apart, hot))
    weight = (1 - hot / HOT).clamp_min(0)
    along = (weight * apart * error).sum((1, 2, 3)).abs()
    return (along / (weight.sum((1, 2, 3)) * (weight * apart * apart).sum((1, 2, 3)) + 1e-6).sqrt()).mean()


def _hot_loss(error: Tensor, hot: Tensor) -> Tensor:
    """The error in the brightness of hot targets, however small: a person may be one pixel in five hundred.

    Each sample's mean over its blocks, weighted by the brightness added there.
    """
    off, weight = F.avg_pool2d(error, HOT_BLOCK).abs(), F.avg_pool2d(hot, HOT_BLOCK)
    return ((weight * off).sum((1, 2, 3)) / (weight.sum((1, 2, 3)) + LEAST_HOT)).mean()


def _distance(f: Tensor, wanted: Tensor) -> Terms:
    """Distance from the target. Gradients are signed: a reversed edge counts twice."""
    return {
        "intensity": F.l1_loss(f, wanted),
        "gradient": F.l1_loss(gradients(f), gradients(wanted)) * 2,  # two components, as |Sobel_x| + |Sobel_y|
        "structure": (1 - ssim(f, wanted)).mean(),
    }
