"""Small motions as displacements that are linear in eight parameters, from the least freedom to the most.

The parameters are displacements in pixels at half the frame's longer side from its centre: x shift, y shift, scale,
turn, stretch, shear, and two of perspective. A model uses the first ``FREEDOM`` of them.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from tita_cli.align.geometry import Matrix, Points, Size, corners, grid, normalized, transform
from tita_cli.align.modes import Model

Array: TypeAlias = npt.NDArray[np.float64]

FREEDOM: Final[dict[Model, int]] = {
    "none": 0, "translation": 2, "similarity": 4, "affine": 6, "homography": 8, "flow": 8
}  # fmt: skip


def basis(points: Points, size: Size) -> Array:
    """N×2×8: how each parameter displaces ``points`` (N×2) of a frame of ``size``."""
    half = max(size) / 2.0
    x, y = ((points - (np.array(size) - 1.0) / 2.0) / half).T
    columns = np.zeros((len(points), 2, 8))
    across, down = columns[:, 0], columns[:, 1]
    across[:, 0] = down[:, 1] = 1.0
    across[:, 2] = across[:, 4] = down[:, 3] = down[:, 5] = x
    across[:, 5] = down[:, 2] = y
    across[:, 3] = down[:, 4] = -y
    across[:, 6], down[:, 7] = x * x, y * y
    across[:, 7] = down[:, 6] = x * y
    return columns


def matrix_of(parameters: Array, size: Size) -> Matrix:
    """The homography that displaces the corners of a frame of ``size`` as the parameters do."""
    own = corners(size)
    moved = own + basis(own, size) @ parameters
    return normalized(cv2.getPerspectiveTransform(own.astype(np.float32), moved.astype(np.float32)).astype(np.float64))


def parameters_of(matrix: Matrix, size: Size) -> Array:
    """The parameters that displace points all over a frame of ``size`` most nearly as ``matrix`` does."""
    points = grid(size, 5)
    return np.asarray(_solver(size) @ (transform(matrix, points) - points).ravel())


@lru_cache(maxsize=16)
def _solver(size: Size) -> Array:
    """8×50: from the displacements of 5×5 points all over a frame of ``size``, least squares gives the parameters."""
    return np.asarray(np.linalg.pinv(basis(grid(size, 5), size).reshape(-1, 8)))
