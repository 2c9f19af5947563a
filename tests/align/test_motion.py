"""The table of motion models: every model fits what it made, and contains the models before it."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from tita_cli.align.geometry import corner_error, grid, transform, translating
from tita_cli.align.modes import MATRIX_MODELS, MODELS, Model
from tita_cli.align.motion import MOTIONS, compose, projected, richer, simpler

SIZE = 400, 320
STEPS: dict[Model, list[float]] = {
    "translation": [7.0, -4.0],
    "similarity": [7.0, -4.0, 0.02, 0.03],
    "affine": [7.0, -4.0, 0.02, 0.01, -0.03, 0.04],
    "homography": [7.0, -4.0, 0.02, 0.01, -0.03, 0.04, 1e-4, -2e-4],
}


def test_the_table_has_every_model() -> None:
    assert tuple(MOTIONS) == MODELS
    assert all(a.freedom <= b.freedom for a, b in pairwise(MOTIONS.values()))


@pytest.mark.parametrize("model", MATRIX_MODELS)
@pytest.mark.parametrize("count", [2, 5])
def test_a_model_fits_what_it_made(model: Model, count: int) -> None:
    motion, points = MOTIONS[model], grid(SIZE, count)  # 4 points, and 25
    matrix = motion.step(np.array(STEPS[model]))
    assert motion.freedom == len(STEPS[model])
    assert corner_error(motion.fit(points, transform(matrix, points)), matrix, SIZE) < 1e-3


@pytest.mark.parametrize("model", MATRIX_MODELS)
def test_derivatives_are_those_of_the_step(model: Model) -> None:
    """By finite differences of a plane f(x, y) = 2x + 3y at a few points near the origin."""
    motion = MOTIONS[model]
    u, v = np.array([[0.3], [-0.2], [0.5]]), np.array([[0.1], [0.4], [-0.6]])
    slopes = np.array([2.0, 3.0])
    columns = np.hstack(motion.derivatives(np.full((3, 1), 2.0), np.full((3, 1), 3.0), u, v))
    for index in range(motion.freedom):
        step = np.zeros(motion.freedom)
        step[index] = 1e-6
        moved = transform(motion.step(step), np.hstack([u, v])) @ slopes
        np.testing.assert_allclose(columns[:, index], (moved - np.hstack([u, v]) @ slopes) / 1e-6, atol=1e-4)


@pytest.mark.parametrize(("model", "smaller"), [(b, a) for a, b in pairwise(MATRIX_MODELS)])
def test_the_models_are_nested(model: Model, smaller: Model) -> None:
    matrix = MOTIONS[smaller].step(np.array(STEPS[smaller]))
    assert corner_error(projected(matrix, model, SIZE), matrix, SIZE) < 1e-6
    other = MOTIONS[model].step(np.array(STEPS[model]))
    assert corner_error(projected(other, smaller, SIZE), other, SIZE) > 1e-3
    assert (richer(model, smaller), simpler(model, smaller)) == (model, smaller)


def test_composition_is_of_the_richer_model_and_in_order() -> None:
    turn = MOTIONS["similarity"].step(np.array(STEPS["similarity"]))
    model, matrix = compose(("similarity", turn), ("translation", translating(10.0, 0.0)))
    assert model == "similarity"
    np.testing.assert_allclose(transform(matrix, np.array([[0.0, 0.0]])), transform(turn, np.array([[10.0, 0.0]])))
