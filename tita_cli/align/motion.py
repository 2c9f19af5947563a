"""The table of motion models: degrees of freedom, fit, derivatives and composition of each.

A motion is a 3×3 matrix, source → reference. The models are nested: each contains those before it. Their names are in
``modes``, which imports nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from tita_cli.align.geometry import Matrix, Points, Size, grid, normalized, transform, translating
from tita_cli.align.modes import MODELS, Model

Column: TypeAlias = npt.NDArray[np.float32]
Parameters: TypeAlias = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Motion:
    """One model.

    ``freedom``: the number of its parameters. ``fit``: the member that maps points (N×2) most nearly to others (N×2),
    by least squares. ``step``: the matrix of a small motion, from its parameters. ``derivatives``: by each parameter of
    such a step, at points ``u``, ``v`` (n×1) of a field whose own derivatives there are ``du``, ``dv`` (n×2).
    """

    freedom: int
    fit: Callable[[Points, Points], Matrix]
    step: Callable[[Parameters], Matrix]
    derivatives: Callable[[Column, Column, Column, Column], list[Column]]


def _fit_none(points: Points, targets: Points) -> Matrix:
    return np.eye(3)


def _fit_translation(points: Points, targets: Points) -> Matrix:
    return translating(*(targets - points).mean(axis=0))


def _fit_similarity(points: Points, targets: Points) -> Matrix:
    x, y, one, zero = points[:, 0], points[:, 1], np.ones(len(points)), np.zeros(len(points))
    system = np.vstack([np.stack([x, -y, one, zero], axis=1), np.stack([y, x, zero, one], axis=1)])
    a, b, tx, ty = np.linalg.lstsq(system, targets.T.ravel(), rcond=None)[0]
    return np.array([[a, -b, tx], [b, a, ty], [0.0, 0.0, 1.0]])


def _fit_affine(points: Points, targets: Points) -> Matrix:
    system = np.stack([points[:, 0], points[:, 1], np.ones(len(points))], axis=1)
    rows = np.linalg.lstsq(system, targets, rcond=None)[0].T
    return np.vstack([rows, [0.0, 0.0, 1.0]])


def _fit_homography(points: Points, targets: Points) -> Matrix:
    if len(points) == 4:
        matrix = cv2.getPerspectiveTransform(points.astype(np.float32), targets.astype(np.float32))
    else:
        matrix = cv2.findHomography(points, targets)[0]
    return normalized(np.asarray(matrix, dtype=np.float64))


def _step_similarity(p: Parameters) -> Matrix:
    return np.array([[1 + p[2], -p[3], p[0]], [p[3], 1 + p[2], p[1]], [0.0, 0.0, 1.0]])


def _step_affine(p: Parameters) -> Matrix:
    return np.array([[1 + p[2], p[3], p[0]], [p[4], 1 + p[5], p[1]], [0.0, 0.0, 1.0]])


def _step_homography(p: Parameters) -> Matrix:
    return np.array([[1 + p[2], p[3], p[0]], [p[4], 1 + p[5], p[1]], [p[6], p[7], 1.0]])


def _affine_derivatives(du: Column, dv: Column, u: Column, v: Column) -> list[Column]:
    return [du, dv, du * u, du * v, dv * u, dv * v]


def _homography_derivatives(du: Column, dv: Column, u: Column, v: Column) -> list[Column]:
    radial = du * u + dv * v
    return [*_affine_derivatives(du, dv, u, v), -radial * u, -radial * v]


_HOMOGRAPHY = Motion(8, _fit_homography, _step_homography, _homography_derivatives)

MOTIONS: Final[dict[Model, Motion]] = {
    "none": Motion(0, _fit_none, lambda p: np.eye(3), lambda du, dv, u, v: []),
    "translation": Motion(2, _fit_translation, lambda p: translating(p[0], p[1]), lambda du, dv, u, v: [du, dv]),
    "similarity": Motion(
        4, _fit_similarity, _step_similarity, lambda du, dv, u, v: [du, dv, du * u + dv * v, dv * u - du * v]
    ),
    "affine": Motion(6, _fit_affine, _step_affine, _affine_derivatives),
    "homography": _HOMOGRAPHY,
    "flow": _HOMOGRAPHY,  # and a displacement of every pixel, which ``flow`` estimates
}


def richer(first: Model, second: Model) -> Model:
    """The one of two models that contains the other."""
    return max(first, second, key=MODELS.index)


def simpler(first: Model, second: Model) -> Model:
    """The one of two models that the other contains."""
    return min(first, second, key=MODELS.index)


def compose(outer: tuple[Model, Matrix], inner: tuple[Model, Matrix]) -> tuple[Model, Matrix]:
    """The motion ``inner``, then ``outer``; of the richer of their two models."""
    return richer(outer[0], inner[0]), normalized(outer[1] @ inner[1])


def projected(matrix: Matrix, model: Model, size: Size) -> Matrix:
    """The member of ``model`` that maps a grid over a picture of ``size`` most nearly as ``matrix`` does."""
    if MOTIONS[model].freedom == _HOMOGRAPHY.freedom:
        return matrix  # is one
    points = grid(size, 5)
    return MOTIONS[model].fit(points, transform(matrix, points))
