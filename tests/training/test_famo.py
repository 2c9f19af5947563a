from __future__ import annotations

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from tita_cli.training.famo import EqualWeights, Famo, build_balance

LOSSES = st.lists(st.floats(0.01, 100), min_size=3, max_size=3)


def never() -> Tensor:
    raise AssertionError("the batch must not be measured again")


@given(losses=LOSSES, logits=st.lists(st.floats(-3, 3), min_size=3, max_size=3))
@settings(deadline=None, max_examples=30)
def test_factors_give_the_gradient_of_the_published_objective(losses: list[float], logits: list[float]) -> None:
    """Σ zᵢ·log ℓᵢ / c with c = Σ zᵢ/ℓᵢ held constant, differentiated by autograd."""
    famo = Famo(3)
    with torch.no_grad():
        famo.logits.copy_(torch.tensor(logits))
    values = torch.tensor(losses, requires_grad=True)
    z = torch.softmax(torch.tensor(logits), 0)
    c = (z / values).sum().detach()
    (expected,) = torch.autograd.grad((z * values.log()).sum() / c, values)
    torch.testing.assert_close(famo.factors(values.detach()), expected)


@given(before=LOSSES, after=LOSSES)
@settings(deadline=None, max_examples=30)
def test_logits_move_along_the_jacobian_of_softmax(before: list[float], after: list[float]) -> None:
    famo = Famo(3)
    reference = torch.zeros(3, requires_grad=True)
    adam = torch.optim.Adam([reference], lr=0.025, weight_decay=1e-3)
    for start, end in ((before, after), (after, before), (before, after)):
        delta = torch.tensor(start).log() - torch.tensor(end).log()
        reference.grad = torch.autograd.grad(torch.softmax(reference, 0), reference, grad_outputs=delta)[0]
        adam.step()
        famo.update(torch.tensor(start), torch.tensor(end))
    torch.testing.assert_close(famo.logits.detach(), reference.detach(), atol=2e-3, rtol=0)


def test_a_task_that_gains_less_comes_to_count_more() -> None:
    famo = Famo(3)
    for _ in range(20):
        famo.update(torch.tensor([1.0, 1.0, 1.0]), torch.tensor([0.5, 0.99, 0.5]))
    assert famo.weights.argmax() == 1
    assert float(famo.weights.sum()) == pytest.approx(1.0)


def test_same_batch_measures_again_and_next_batch_waits() -> None:
    before, after = torch.tensor([1.0, 2.0, 3.0]), torch.tensor([0.5, 1.9, 3.0])
    same, following = Famo(3, mode="same-batch"), Famo(3, mode="next-batch")
    for famo, remeasure in ((same, lambda: after), (following, never)):
        famo.factors(before)
        famo.stepped(before, remeasure)
    assert not torch.equal(same.weights, torch.full((3,), 1 / 3))
    assert torch.equal(following.logits.detach(), torch.zeros(3))
    following.factors(after)
    torch.testing.assert_close(following.logits.detach(), same.logits.detach())


def test_a_loss_that_is_no_number_leaves_the_logits_alone() -> None:
    famo = Famo(2)
    famo.update(torch.tensor([1.0, 1.0]), torch.tensor([float("nan"), 1.0]))
    assert torch.equal(famo.weights, torch.tensor([0.5, 0.5]))


def test_a_loss_of_zero_is_no_catastrophe() -> None:
    famo = Famo(2)
    factors = famo.factors(torch.tensor([0.0, 1.0]))
    famo.stepped(torch.tensor([0.0, 1.0]), lambda: torch.tensor([0.0, 0.0]))
    assert bool(torch.isfinite(factors).all()) and bool(torch.isfinite(famo.weights).all())


@pytest.mark.parametrize("mode", ["same-batch", "next-batch"])
def test_state_continues_exactly(mode: str) -> None:
    torch.manual_seed(0)
    straight = build_balance(mode, 3)  # type: ignore[arg-type]
    draws = [torch.rand(3) + 0.1 for _ in range(8)]
    for losses in draws[:4]:
        straight.factors(losses)
        straight.stepped(losses, lambda losses=losses: losses * 0.9)  # type: ignore[misc]
    resumed = build_balance(mode, 3)  # type: ignore[arg-type]
    resumed.load_state_dict(copy.deepcopy(straight.state_dict()))
    for losses in draws[4:]:
        factors = [balance.factors(losses) for balance in (straight, resumed)]
        assert torch.equal(*factors)
        for balance in (straight, resumed):
            balance.stepped(losses, lambda losses=losses: losses.flip(0))  # type: ignore[misc]
    assert torch.equal(straight.weights, resumed.weights)


def test_equal_weights_stay_equal() -> None:
    balance = build_balance("equal", 4)
    assert isinstance(balance, EqualWeights)
    assert torch.equal(balance.factors(torch.tensor([1.0, 2.0, 3.0, 4.0])), torch.full((4,), 0.25))
    balance.stepped(torch.ones(4), never)
    assert torch.equal(balance.weights, torch.full((4,), 0.25))
