"""The motion on which tracked points agree, and how well it is known.

MAGSAC (Barath et al. 2020) separates the points that move as one plane from the rest; weighted least squares with
Tukey's weights follows. The uncertainty is that of least squares with clustered errors: points of one block of the
picture err alike, so blocks count and not points (Liang and Zeger 1986, the "sandwich").
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from tita_cli.align.displacements import FREEDOM, Array, basis, matrix_of, parameters_of
from tita_cli.align.geometry import Matrix, Size, corners, grid, is_sane, transform
from tita_cli.align.modes import MATRIX_MODELS, Model
from tita_cli.align.motion import MOTIONS
from tita_cli.align.tracks import Tracks

LEAST = 12  # points without which nothing is fitted
_INLIER = 1.5  # px: MAGSAC's threshold, at which the weights end
_LEAST_SCALE = 0.15  # px: no set of points is more precise than that
_TUKEY = 4.685
_ROUNDS = 8
_STRETCH, _PERSPECTIVE = 0.015, 0.02  # usual between two views, at half the frame's longer side from the centre
_FREE = 1e3
_BLOCKS = 8  # along the longer side
_SAME = 0.15  # px: a richer model that differs less from a simpler one is not worth it


@dataclass(frozen=True)
class Fit:
    """``parameters`` (8) of the motion source → reference as ``displacements`` has them, in pixels of a frame of
    ``size``, and their ``covariance`` (8×8). ``weights`` (N) of the points, 0 for outliers. ``support``: in how many
    blocks of the picture most points agree; ``blocks``: how many have points. ``residual``: median over the blocks of
    how far their points are off in the mean, in pixels."""

    model: Model
    parameters: Array
    covariance: Array
    size: Size
    weights: Array
    support: int
    blocks: int
    residual: float

    @property
    def matrix(self) -> Matrix:
        """The motion between frames of ``size``."""
        return matrix_of(self.parameters, self.size)

    @property
    def share(self) -> float:
        """The share of the points that agree."""
        return float(np.mean(self.weights > 0.0)) if len(self.weights) else 0.0

    @property
    def spread(self) -> float:
        """Standard deviation of where the corners go, root of the mean square, in pixels."""
        columns = basis(corners(self.size), self.size)
        return float(np.sqrt(np.einsum("nij,jk,nik->n", columns, self.covariance, columns).mean()))

    @property
    def distance(self) -> float:
        """By how much the motion displaces the picture: median over the frame, in pixels."""
        offsets = basis(grid(self.size, 9), self.size) @ self.parameters
        return float(np.median(np.hypot(*offsets.T)))


def agree(tracks: Tracks, model: Model) -> Fit | None:
    """Fit ``model`` to the points; None where too few of them agree."""
    start = _consensus(tracks) if len(tracks) >= LEAST else None
    return None if start is None else _fitted(tracks, start, model)


def simplest(fit: Fit, tracks: Tracks, matrix: Matrix, before: Matrix) -> tuple[Model, Matrix]:
    """The simplest model that describes the points as well as ``matrix`` does, and its motion.

    ``fit``: of ``tracks``, under which the motion is ``matrix``; ``before``: where the points of the source were before
    it, source of the tracks → source of ``matrix``. All in pixels of the frame of the tracks.
    """
    inliers = fit.weights > 0.0
    source, target = transform(before, tracks.source[inliers]), tracks.reference[inliers]
    points = grid(tracks.size, 7)
    columns = basis(points, tracks.size)
    unsure = float(np.sqrt(np.einsum("nij,jk,nik->n", columns, fit.covariance, columns).mean()))
    for model in MATRIX_MODELS[: MATRIX_MODELS.index(fit.model)]:
        fitted = MOTIONS[model].fit(source, target)
        apart = transform(fitted, points) - transform(matrix, points)
        if np.sqrt((apart**2).sum(axis=1).mean()) < max(_SAME, unsure):
            return model, fitted
    return fit.model, matrix


def _consensus(tracks: Tracks) -> Array | None:
    """The parameters of the homography on which most points agree."""
    cv2.setRNGSeed(0)
    matrix, _ = cv2.findHomography(tracks.source, tracks.reference, cv2.USAC_MAGSAC, _INLIER, None, 2000, 0.999)
    if matrix is None or not is_sane(matrix, tracks.size):
        return None
    return parameters_of(matrix, tracks.size)


def _block_of(tracks: Tracks) -> npt.NDArray[np.intp]:
    edge = max(tracks.size) / _BLOCKS
    column, row = (tracks.reference / edge).astype(np.intp).T
    return np.unique(row * _BLOCKS + column, return_inverse=True)[1].astype(np.intp)


def _fitted(tracks: Tracks, start: Array, model: Model) -> Fit | None:
    free, size, half = FREEDOM[model], tracks.size, max(tracks.size) / 2.0
    columns, offsets, block = basis(tracks.source, size), tracks.reference - tracks.source, _block_of(tracks)
    deviations = np.array([_FREE] * 4 + [_STRETCH * half] * 2 + [_PERSPECTIVE * half] * 2)[:free]
    used, precision = columns[:, :, :free], np.diag(deviations**-2.0)
    parameters = start
    weights = np.ones(len(offsets))
    for _ in range(_ROUNDS):
        off = offsets - columns @ parameters
        length = np.hypot(*off.T)
        near = length[length < 2.0 * _INLIER]
        if len(near) < LEAST:
            return None
        scale = max(1.2 * float(np.median(near)), _LEAST_SCALE)
        weights = np.clip(1.0 - (length / min(_TUKEY * scale, 2.0 * _INLIER)) ** 2, 0.0, None) ** 2
        normal = np.einsum("nij,n,nik->jk", used, weights / scale**2, used) + precision
        right = np.einsum("nij,n,ni->j", used, weights / scale**2, offsets)
        parameters = np.zeros(8)
        parameters[:free] = np.linalg.solve(normal, right)
    off = offsets - columns @ parameters
    bread = np.linalg.inv(normal)
    count = int(block.max()) + 1
    scores = np.zeros((count, free))
    np.add.at(scores, block, np.einsum("nij,n,ni->nj", used, weights / scale**2, off))
    meat = scores.T @ scores * (count / max(count - 1, 1)) + precision
    covariance = np.zeros((8, 8))
    covariance[:free, :free] = bread @ meat @ bread + bread
    total, agreeing = (np.bincount(block, values, count) for values in (np.ones(len(off)), weights > 0.0))
    weight = np.maximum(np.bincount(block, weights, count), 1e-9)
    means = np.stack([np.bincount(block, weights * off[:, k], count) for k in range(2)], axis=1) / weight[:, None]
    supporting = agreeing >= np.maximum(2.0, 0.5 * total)
    residual = float(np.median(np.hypot(*means[supporting].T))) if supporting.any() else np.inf
    return Fit(model, parameters, covariance, size, weights, int(supporting.sum()), count, residual)
