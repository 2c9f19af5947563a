"""Plane projective geometry: 3×3 matrices that map pixels of one picture to pixels of another.

Everywhere in this package a matrix maps (x, y) of the source to (x, y) of the reference, and the centre of the top-left
pixel is (0, 0); so halving a picture does not halve its coordinates, see ``scaling``.
"""

from __future__ import annotations

from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from tita_cli.align.modes import Model

Matrix: TypeAlias = npt.NDArray[np.float64]
Points: TypeAlias = npt.NDArray[np.float64]
Size: TypeAlias = tuple[int, int]  # width, height

MODELS: Final[tuple[Model, ...]] = ("none", "translation", "similarity", "affine", "homography", "flow")
RIGID_MODELS: Final[tuple[Model, ...]] = MODELS[1:5]
FRAME: Final = 640.0
"""Width of the frame on which errors are stated, so that they compare across picture sizes."""


def scaling(x: float, y: float | None = None) -> Matrix:
    """The matrix that takes pixels of a picture to pixels of the same picture resized by ``x`` (and ``y``) about its
    corner, not about the centre of its first pixel."""
    y = x if y is None else y
    return np.array([[x, 0.0, (x - 1.0) / 2.0], [0.0, y, (y - 1.0) / 2.0], [0.0, 0.0, 1.0]])


def resizing(source: Size, target: Size) -> Matrix:
    """The matrix of a plain resize from one size (width, height) to another."""
    return scaling(target[0] / source[0], target[1] / source[1])


def translating(x: float, y: float) -> Matrix:
    return np.array([[1.0, 0.0, x], [0.0, 1.0, y], [0.0, 0.0, 1.0]])


def normalized(matrix: Matrix) -> Matrix:
    """The same mapping with a last element of one."""
    return np.asarray(matrix / matrix[2, 2])


def inverse(matrix: Matrix) -> Matrix:
    return np.asarray(np.linalg.inv(matrix), dtype=np.float64)


def transform(matrix: Matrix, points: Points) -> Points:
    """Map ``points`` (N×2) by ``matrix``."""
    mapped = points @ matrix[:, :2].T + matrix[:, 2]
    return np.asarray(mapped[:, :2] / mapped[:, 2:3])


def corners(size: Size) -> Points:
    """The four outermost pixel centres of a picture of ``size``, clockwise from the top left: 4×2."""
    right, bottom = size[0] - 1.0, size[1] - 1.0
    return np.array([[0.0, 0.0], [right, 0.0], [right, bottom], [0.0, bottom]])


def corner_error(first: Matrix, second: Matrix, size: Size) -> float:
    """Mean distance between the corners of a picture of ``size`` mapped by two matrices, in pixels of the target."""
    distance = transform(first, corners(size)) - transform(second, corners(size))
    return float(np.hypot(distance[:, 0], distance[:, 1]).mean())


def displacement(first: Matrix, second: Matrix, size: Size) -> float:
    """Median distance between the places of a picture of ``size`` mapped by two matrices, in pixels of the target.

    Unlike the corners', it is no extrapolation to where a picture often shows nothing.
    """
    grid = _grid(size, 9)
    distance = transform(first, grid) - transform(second, grid)
    return float(np.median(np.hypot(distance[:, 0], distance[:, 1])))


def _grid(size: Size, count: int) -> Points:
    return np.stack(np.meshgrid(*(np.linspace(0.0, side - 1.0, count) for side in size)), axis=-1).reshape(-1, 2)


def mean_scale(matrix: Matrix, size: Size) -> float:
    """By how much ``matrix`` lengthens the border of a picture of ``size``."""
    moved, own = transform(matrix, corners(size)), corners(size)
    lengths = [np.hypot(*(np.roll(quad, -1, axis=0) - quad).T).sum() for quad in (moved, own)]
    return float(lengths[0] / max(lengths[1], 1e-9))


def projected(matrix: Matrix, model: Model, size: Size) -> Matrix:
    """The member of ``model`` that maps a grid over a picture of ``size`` most nearly as ``matrix`` does."""
    if model in ("homography", "flow"):
        return matrix
    grid = _grid(size, 5)
    goal = transform(matrix, grid)
    if model in ("none", "translation"):
        return np.eye(3) if model == "none" else translating(*(goal - grid).mean(axis=0))
    x, y, one, zero = grid[:, 0], grid[:, 1], np.ones(len(grid)), np.zeros(len(grid))
    if model == "similarity":
        system = np.vstack([np.stack([x, -y, one, zero], axis=1), np.stack([y, x, zero, one], axis=1)])
        a, b, tx, ty = np.linalg.lstsq(system, goal.T.ravel(), rcond=None)[0]
        return np.array([[a, -b, tx], [b, a, ty], [0.0, 0.0, 1.0]])
    rows = np.linalg.lstsq(np.stack([x, y, one], axis=1), goal, rcond=None)[0].T
    return np.vstack([rows, [0.0, 0.0, 1.0]])


def is_sane(matrix: Matrix, size: Size, *, limit: float = 8.0) -> bool:
    """Whether ``matrix`` maps a picture of ``size`` to a convex, unmirrored quadrilateral that is not scaled by more
    than ``limit`` from corner to corner: anything else is no view of the same scene."""
    if not np.isfinite(matrix).all():
        return False
    depth = corners(size) @ matrix[2, :2] + matrix[2, 2]
    if depth.min() <= 0.0 or depth.max() / depth.min() > 2.0:
        return False
    quad = transform(matrix, corners(size))
    edges = np.roll(quad, -1, axis=0) - quad
    turns = edges[:, 0] * np.roll(edges[:, 1], -1) - edges[:, 1] * np.roll(edges[:, 0], -1)
    if turns.min() <= 0.0:
        return False
    lengths = np.hypot(edges[:, 0], edges[:, 1]) / np.maximum(np.array([size[0], size[1], size[0], size[1]]), 1)
    return bool(lengths.max() < limit * 4 and lengths.max() / lengths.min() < limit)
