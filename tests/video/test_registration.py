"""One alignment for a clip, and slow drift followed."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest

from tita_cli.align.geometry import translating
from tita_cli.align.placement import Placement
from tita_cli.errors import MismatchError
from tita_cli.video.registration import _Drift, choose_plan


def plan_at(x: float, *, accepted: bool = True, confidence: float = 0.9) -> Any:
    placed = Placement("a", (640, 480), "translation", translating(x, 0), confidence, 0.1, accepted)
    return SimpleNamespace(frame=object(), placements=(placed, Placement.reference("b", (640, 480))), reference=1)


def chosen(*plans: Any) -> Any:
    def maker(plan: Any) -> Callable[[], Any]:
        def make() -> Any:
            if isinstance(plan, Exception):
                raise plan
            return plan

        return make

    return choose_plan(map(maker, plans), lambda plan: 640)


def test_two_samples_that_agree_decide() -> None:
    first, wrong, second = plan_at(4), plan_at(60, confidence=0.99), plan_at(5, confidence=0.95)
    assert chosen(first, wrong, second, plan_at(0)) is second


def test_without_agreement_it_is_the_one_in_the_middle() -> None:
    plans = [plan_at(x) for x in (40, 0, 10)]
    assert chosen(*plans) is plans[2]


def test_what_is_not_aligned_says_nothing_where_others_are() -> None:
    dark, good = plan_at(0, accepted=False), plan_at(7)
    assert chosen(dark, MismatchError("no part in common"), good) is good
    assert chosen(dark, MismatchError("no part in common")) is dark
    with pytest.raises(MismatchError, match="strict"):
        chosen(MismatchError("strict"), MismatchError("other"))


def test_drift_is_followed_smoothly() -> None:
    """Two pictures of one kind, so that a look is quick; half a pixel a second."""
    noise = np.random.default_rng(0).random((300, 500), dtype=np.float32)
    wide = cv2.GaussianBlur(noise, (0, 0), 3)
    wide = (wide - wide.min()) / (wide.max() - wide.min())
    base = wide[30:270, 60:380]
    drift = _Drift(Placement("a", (320, 240), "translation", translating(-3, 0), 0.9, 0.1, True))
    steps, errors = [], []
    for index in range(0, 40):
        time = index / 2
        offset = -8 - time / 2
        moved = cv2.warpAffine(wide, np.array([[1, 0, -60 - offset], [0, 1, -30]]), (320, 240))
        drift.observe(base, moved, time)
        steps.append(drift.matrix(time)[0, 2])
        errors.append(abs(steps[-1] - offset))
    drift.close()
    assert errors[0] < 0.5  # although the clip was aligned elsewhere
    assert max(errors) < 4
    assert drift.farthest > 5
    assert np.abs(np.diff(steps)).max() < 1
