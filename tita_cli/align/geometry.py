"""Plane projective geometry: 3×3 matrices that map pixels of one picture to pixels of another.

Everywhere in this package a matrix maps (x, y) of the source to (x, y) of the reference, and the centre of the top-left
pixel is (0, 0); so halving a picture does not halve its coordinates, see ``scaling``.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

Matrix: TypeAlias = npt.NDArray[np.float64]
Points: TypeAlias = npt.NDArray[np.float64]
Size: TypeAlias = tuple[int, int]  # width, height

FRAME: Final = 640.0
"""Errors are stated in pixels on a picture of this width, so that they compare across sizes."""


def scaling(x: float, y: float | None = None) -> Matrix:
    """The matrix that takes pixels of a picture to pixels of the same picture resized by ``x`` (and ``y``) about its
    corner, not about the centre of its first pixel."""
    y = x if y is None else y
    return np.array([[x, 0.0, (x - 1.0) / 2.0], [0.0, y, (y - 1.0) / 2.0], [0.0, 0.0, 1.0]])


def resizing(source: Size, target: Size) -> Matrix:
    """The matrix of a plain resize from one size (width, height) to another."""
    return scaling(target[0] / source[0], target[1] / source[1])


def translating(x: float, y: float) -> Matrix:
    """The matrix of a shift by (x, y) pixels."""
    return np.array([[1.0, 0.0, x], [0.0, 1.0, y], [0.0, 0.0, 1.0]])


def normalized(matrix: Matrix) -> Matrix:
    """The same mapping with a last element of one."""
    return np.asarray(matrix / matrix[2, 2])


def inverse(matrix: Matrix) -> Matrix:
    """The matrix that undoes ``matrix``."""
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
    """Median distance between points all over a picture of ``size`` mapped by two matrices, in pixels of the target.

    Unlike :func:`corner_error` it does not rest on the corners, where a picture often shows nothing.
    """
    points = grid(size, 9)
    distance = transform(first, points) - transform(second, points)
    return float(np.median(np.hypot(distance[:, 0], distance[:, 1])))


@lru_cache(maxsize=64)
def grid(size: Size, count: int) -> Points:
    """``count``×``count`` points spread evenly over a picture of ``size``: N×2, not to be written into."""
    points = np.stack(np.meshgrid(*(np.linspace(0.0, side - 1.0, count) for side in size)), axis=-1).reshape(-1, 2)
    points.flags.writeable = False
    return points


def mean_scale(matrix: Matrix, size: Size) -> float:
    """The mean scale of ``matrix``: by how much it lengthens the outline of a picture of ``size``."""
    moved, own = transform(matrix, corners(size)), corners(size)
    lengths = [np.hypot(*(np.roll(quad, -1, axis=0) - quad).T).sum() for quad in (moved, own)]
    return float(lengths[0] / max(lengths[1], 1e-9))


def is_sane(matrix: Matrix, size: Size, *, limit: float = 8.0) -> bool:
    """Whether ``matrix`` can be a second view of a scene.

    A picture of ``size`` becomes a convex quadrilateral that is not mirrored, whose scale varies by ``limit`` at most.
    """
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
