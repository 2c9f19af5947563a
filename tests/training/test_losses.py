"""The losses: what is wanted costs nothing, and each term sees what it is there for."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from tita_cli.errors import TrainingError
from tita_cli.network.tita import FusionOutput
from tita_cli.training.losses import TASKS, WEIGHTS, build_losses
from tita_cli.training.pairs import PairBatch
from tita_cli.training.similarity import Moments


def _pictures(count: int) -> tuple[Tensor, ...]:
    generator = torch.Generator().manual_seed(3)
    return tuple(torch.rand((2, 1, 40, 40), generator=generator) * 0.6 + 0.2 for _ in range(count))


def _batch(a: Tensor, b: Tensor, target: Tensor, mask: Tensor | None = None) -> PairBatch:
    known = torch.ones(a.shape[0])
    mask = torch.zeros_like(a) if mask is None else mask
    return PairBatch(a=a, b=b, target=target, mask=mask, has_target=known, has_mask=known, hot=torch.zeros_like(a))


def _output(fused: Tensor) -> FusionOutput:
    return FusionOutput(fused, torch.full((fused.shape[0], 6), 1 / 6))


def test_the_wanted_picture_of_an_infrared_pair_costs_nothing() -> None:
    a, b, wanted = _pictures(3)
    losses = build_losses("truth")
    terms = losses("ivf", _output(wanted), _batch(a, b, wanted))
    assert set(terms) == {"total", *WEIGHTS["truth"]["ivf"]}
    assert float(terms["total"]) == pytest.approx(0, abs=1e-4)
    assert float(losses("ivf", _output(a), _batch(a, b, wanted))["total"]) > 1


def test_the_base_term_sees_brightness_and_not_detail() -> None:
    a, b, wanted = _pictures(3)
    losses = build_losses("truth")
    checkerboard = 0.05 * (-1.0) ** (torch.arange(40)[:, None] + torch.arange(40))
    fine = losses("ivf", _output(wanted + checkerboard), _batch(a, b, wanted))
    brighter = losses("ivf", _output(wanted + 0.05), _batch(a, b, wanted))
    assert float(fine["base"]) == pytest.approx(0, abs=1e-3)
    assert float(brighter["base"]) == pytest.approx(0.05 * WEIGHTS["truth"]["ivf"]["base"], rel=1e-3)
    assert float(fine["intensity"]) == pytest.approx(float(brighter["intensity"]), rel=1e-3)


def test_the_share_term_sees_what_goes_along_with_the_infrared() -> None:
    a, b, wanted = _pictures(3)
    a, b = (torch.nn.functional.interpolate(x[..., :5, :5], scale_factor=8) for x in (a, b))
    losses = build_losses("truth")
    apart = b - a
    size = float(apart.square().mean((1, 2, 3)).sqrt().mean())

    def cost(error: Tensor, hot: Tensor | None = None) -> float:
        batch = _batch(a, b, wanted)
        batch = batch if hot is None else replace(batch, hot=hot)
        return float(losses("ivf", _output(wanted + error), batch)["share"]) / WEIGHTS["truth"]["ivf"]["share"]

    assert cost(0.1 * apart) == pytest.approx(0.1 * size, rel=1e-2)
    left = torch.zeros_like(a)
    left[..., :16] = 1.0
    assert cost(left * apart, left) == pytest.approx(0, abs=1e-4)  # only where something is hot
    other = 1.0 - 2.0 * (torch.arange(40) // 8 % 2)
    assert cost(0.1 * other * apart) < 0.8 * cost(0.1 * apart)  # an error to both sides is no share


def test_a_small_hot_target_costs_as_much_as_a_large_one() -> None:
    a, b, wanted = _pictures(3)
    losses = build_losses("truth")

    def cost(side: int) -> tuple[float, float]:
        hot = torch.zeros_like(a)
        hot[..., 8 : 8 + side, 8 : 8 + side] = 0.5
        terms = losses("ivf", _output(wanted - 0.2 * (hot > 0)), replace(_batch(a, b, wanted), hot=hot))
        return float(terms["hot_targets"]), float(terms["base"])

    (small, small_base), (large, large_base) = cost(8), cost(24)
    assert large_base > 5 * small_base
    assert small == pytest.approx(0.2 * WEIGHTS["truth"]["ivf"]["hot_targets"] * 2 / 2.2, rel=1e-3)  # 4 blocks of 0.5
    assert small == pytest.approx(large, rel=0.1)
    assert float(losses("ivf", _output(a), _batch(a, b, wanted))["hot_targets"]) == 0  # where nothing is hot


def test_a_reversed_edge_costs_more_than_a_missing_one() -> None:
    a, b, wanted = _pictures(3)
    losses = build_losses("truth")
    mean = wanted.mean((2, 3), keepdim=True).expand_as(wanted)
    missing = losses("ivf", _output(mean), _batch(a, b, wanted))
    reversed_ = losses("ivf", _output(2 * mean - wanted), _batch(a, b, wanted))
    assert float(reversed_["gradient"]) > 1.5 * float(missing["gradient"])


def test_exposures_are_best_where_both_agree() -> None:
    a, b = _pictures(2)
    assert float(Moments(a, a, a).mef_ssim().min()) > 0.999
    assert float(Moments(a, b, a).mef_ssim().mean()) < 0.99
    one = build_losses("paper")("mef", _output(a), _batch(a, a, a))
    assert float(one["total"]) == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize("task", TASKS)
def test_both_recipes_give_gradients_everywhere(task: str) -> None:
    a, b, wanted = _pictures(3)
    for recipe in WEIGHTS:
        fused = wanted.clone().requires_grad_()
        terms = build_losses(recipe)(task, _output(fused), replace(_batch(a, b, a), target=(a + b) / 2))
        (gradient,) = torch.autograd.grad(terms["total"], fused)
        assert torch.isfinite(gradient).all()
        assert bool((gradient.abs().mean((2, 3)) > 0).all())


def test_weights_are_options() -> None:
    a, b, wanted = _pictures(3)
    batch, output = _batch(a, b, wanted), _output(a)
    plain = build_losses("truth")("ivf", output, batch)
    changed = build_losses("truth", {"ivf": {"base": 0, "gradient": 40.0}})("ivf", output, batch)
    assert "base" not in changed
    assert float(changed["gradient"]) == pytest.approx(2 * float(plain["gradient"]))
    for options in ({"video": {}}, {"ivf": {"gate": 1.0}}, {"ivf": {"base": "much"}}):
        with pytest.raises(TrainingError):
            build_losses("truth", options)
    with pytest.raises(TrainingError, match="unknown recipe"):
        build_losses("secret")
