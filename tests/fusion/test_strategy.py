"""Strategies: the tree of pairs, what it reports, and that the types know any number of sources."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tita_cli import Picture
from tita_cli.fusion.finish import finish, winner_map
from tita_cli.fusion.pairs import PairTree
from tita_cli.fusion.plan import Plan
from tita_cli.fusion.source import describe_sources
from tita_cli.fusion.strategy import Fused, Step, Strategy, Weights
from tita_cli.runtime import Engine, load_engine


def _plan(count: int) -> Plan:
    rng = np.random.default_rng(0)
    pictures = [Picture(rng.random((24, 40, 1), dtype=np.float32), name=f"s{i}") for i in range(count)]
    return Plan(describe_sources(pictures), align="none")


class _Mean:
    """The mean of all sources at once: the smallest strategy that is no tree."""

    def fuse(self, plan: Plan) -> Fused:
        planes = [plan.read(index).pixels[..., 0] for index in range(len(plan.looks))]
        winner = np.argmax(planes, axis=0).astype(np.uint8)
        share = 1 / (3 * len(plan.looks))
        step = Step(tuple(Weights(look.name, (share,) * 3) for look in plan.looks))
        return Fused(np.mean(planes, axis=0), None, None, winner, (step,))


def test_a_strategy_may_fuse_a_set_at_once() -> None:
    plan, strategy = _plan(4), _Mean()
    typed: Strategy = strategy
    fused = typed.fuse(plan)
    picture = finish(plan, fused, model="mean", options={})
    np.testing.assert_allclose(picture.pixels[..., 0], fused.luminance)
    winners = winner_map(plan, fused)
    assert winners is not None
    np.testing.assert_allclose(np.unique(winners.pixels), [0, 1 / 3, 2 / 3, 1], atol=1e-6)
    assert len(fused.steps[0].describe()["sources"]) == 4


@pytest.mark.parametrize("count", [2, 3, 5])
def test_the_tree_reports_the_weights_of_both_sources_of_every_step(count: int, tiny_pair_model: Path) -> None:
    engine = load_engine(str(tiny_pair_model))
    assert isinstance(engine, Engine)
    fused = PairTree(engine).fuse(_plan(count))
    assert len(fused.steps) == count - 1
    for step in fused.steps:
        assert len(step.sources) == 2
        assert sum(sum(source.values) for source in step.sources) == pytest.approx(1, abs=1e-5)


def test_a_step_is_described_for_json() -> None:
    step = Step((Weights("a", (0.1, 0.1, 0.1)), Weights("b", (0.5, 0.1, 0.1))))
    assert step.describe()["sources"][1] == {"name": "b", "high-pass": 0.5, "add": 0.1, "multiply": 0.1}
