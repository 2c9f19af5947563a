"""The motion on which tracked points agree, and how well it is known.

MAGSAC (Barath et al. 2020) separates the points that move as one plane from the rest; weighted least squares with
Tukey's weights follows. The uncertainty is that of least squares with clustered errors: points of one block of the
picture err alike, so blocks count and not points (Liang and Zeger 1986, the "sandwich").
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from tita_cli.align.displacements import FREEDOM, Array, basis, matrix_of, parameters_of
from tita_cli.align.geometry import Matrix, Points, Size, corners, grid, is_sane, transform
from tita_cli.align.modes import MATRIX_MODELS, Model
from tita_cli.align.motion import MOTIONS
from tita_cli.align.tracks import Tracks

LEAST = 12  # points without which nothing is fitted
_INLIER = 1.5  # px: MAGSAC's threshold, at which the weights end
_LEAST_SCALE = 0.15  # px: no set of points is more precise than that
_CLOSE, _FAR = 0.3, 0.75  # px: threshold for points that agree closely, and where their weights end
_TIGHTER = 0.05  # by which the mean logarithm of squared distances must fall for it
_TUKEY = 4.685
_ROUNDS = 8
_STRETCH, _PERSPECTIVE = 0.015, 0.02  # usual between two views, at half the frame's longer side from the centre
_FREE = 1e3
_BLOCKS = 8  # along the longer side
_IN_BLOCK, _ALIKE = 3, 0.4  # points of a block that has a motion of its own; how alike, as a share of that motion
_ELSEWHERE, _BETTER = 0.15, 0.7  # the share of such blocks that ``found`` misses, and of the mismatch that may be left
_MANY_ROUNDS = 20
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
    start = _consensus(tracks, _INLIER, cv2.USAC_MAGSAC) if len(tracks) >= LEAST else None
    found = None if start is None else _fitted(tracks, start, model)
    if found is None:
        return None
    found = _unbent(tracks, found) or found
    return _over_the_frame(tracks, found) or found


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


def _consensus(tracks: Tracks, threshold: float, method: int) -> Array | None:
    """The parameters of the homography on which most points agree to within ``threshold`` pixels."""
    cv2.setRNGSeed(0)
    matrix, _ = cv2.findHomography(tracks.source, tracks.reference, method, threshold, None, 2000, 0.999)
    if matrix is None or not is_sane(matrix, tracks.size):
        return None
    return parameters_of(matrix, tracks.size)


def _block_of(tracks: Tracks) -> npt.NDArray[np.intp]:
    edge = max(tracks.size) / _BLOCKS
    column, row = (tracks.reference / edge).astype(np.intp).T
    return np.unique(row * _BLOCKS + column, return_inverse=True)[1].astype(np.intp)


def _unbent(tracks: Tracks, found: Fit) -> Fit | None:
    """The motion of the points that agree far more closely than all do on ``found``; None where there are none such.

    Clouds that drift above a town are off by more the higher they are, and a homography bends to that: all points are
    nearly right then, and those of the town wrong. Where they agree by themselves, their motion is that of the scene.
    """
    if float(np.median(np.hypot(*_off(tracks, found.parameters).T))) < _LEAST_SCALE:
        return None  # nothing to tell apart
    start = _consensus(tracks, _CLOSE, cv2.USAC_ACCURATE)
    other = None if start is None else _fitted(tracks, start, found.model, _FAR)
    if other is None or _mismatch(tracks, other) > _mismatch(tracks, found) - _TIGHTER:
        return None
    return other


def _off(tracks: Tracks, parameters: Array) -> Array:
    """N×2: how far the points are from where a motion puts them, in pixels."""
    return tracks.reference - tracks.source - basis(tracks.source, tracks.size) @ parameters


def _mismatch(tracks: Tracks, fit: Fit) -> float:
    """Mean over the blocks of the median logarithm of squared distances: how close the points are to the motion counts,
    and of those that are on none, not how far off they are."""
    logs = np.log(np.minimum((_off(tracks, fit.parameters) ** 2).sum(axis=1), _INLIER**2) + _LEAST_SCALE**2)
    return float(np.mean(_medians(logs, _block_of(tracks))))


def _medians(values: Array, block: npt.NDArray[np.intp]) -> Array:
    """The median of ``values`` (N) in each block, by its number; ``block`` (N) of each value."""
    ordered, count = values[np.lexsort((values, block))], np.bincount(block)
    first = np.cumsum(count) - count
    return np.asarray((ordered[first + (count - 1) // 2] + ordered[first + count // 2]) / 2.0)


def _means(values: Array, block: npt.NDArray[np.intp]) -> Array:
    """B×2: the mean of ``values`` (N×2) in each block."""
    sums = [np.bincount(block, values[:, k]) for k in range(2)]
    return np.asarray(np.stack(sums, axis=1) / np.bincount(block)[:, None])


def _fitted(tracks: Tracks, start: Array, model: Model, largest: float = 2.0 * _INLIER) -> Fit | None:
    """The motion near ``start`` by Tukey's weights, none beyond ``largest`` pixels; None where too few points are near
    it."""
    columns, offsets = basis(tracks.source, tracks.size), tracks.reference - tracks.source
    weighed, parameters = None, start
    for _ in range(_ROUNDS):
        weighed = _weighed(offsets - columns @ parameters, largest)
        if weighed is None:
            return None
        parameters = _solved(columns, offsets, weighed.weights / weighed.scale**2, model, tracks.size)
    return None if weighed is None else _described(tracks, model, parameters, weighed, offsets - columns @ parameters)


class _Weighed(NamedTuple):
    """Tukey's ``weights`` (N) of points, and the ``scale`` in pixels that they rest on."""

    weights: Array
    scale: float


def _weighed(off: Array, largest: float = 2.0 * _INLIER) -> _Weighed | None:
    """The weights of points that are ``off`` (N×2); none where that is more than ``largest``."""
    length = np.hypot(*off.T)
    near = length[length < largest]
    if len(near) < LEAST:
        return None
    scale = max(1.2 * float(np.median(near)), _LEAST_SCALE)
    return _Weighed(np.clip(1.0 - (length / min(_TUKEY * scale, largest)) ** 2, 0.0, None) ** 2, scale)


def _precision(model: Model, size: Size) -> Array:
    """What is known of the parameters beforehand: the inverse of their covariance."""
    half = max(size) / 2.0
    deviations = np.array([_FREE] * 4 + [_STRETCH * half] * 2 + [_PERSPECTIVE * half] * 2)[: FREEDOM[model]]
    return np.diag(deviations**-2.0)


def _normal(columns: Array, weights: Array, model: Model, size: Size) -> Array:
    used = columns[:, :, : FREEDOM[model]].reshape(-1, FREEDOM[model])
    return np.asarray((used * np.repeat(weights, 2)[:, None]).T @ used + _precision(model, size))


def _solved(columns: Array, offsets: Array, weights: Array, model: Model, size: Size) -> Array:
    """The parameters (8) of the motion by weighted least squares; ``weights`` in 1/px²."""
    parameters, used = np.zeros(8), columns[:, :, : FREEDOM[model]].reshape(-1, FREEDOM[model])
    right = (offsets * weights[:, None]).ravel() @ used
    parameters[: FREEDOM[model]] = np.linalg.solve(_normal(columns, weights, model, size), right)
    return parameters


def _over_the_frame(tracks: Tracks, found: Fit) -> Fit | None:
    """The motion nearest to that of a lens that changes its distortion, where that is what the points show; else None.

    A refocused lens may do so: the middle of the frame agrees on ``found``, and blocks towards the border are the
    farther off. No model here fits that. What is nearest to it over the whole frame serves better than the middle does.
    """
    size, moved = tracks.size, tracks.reference - tracks.source
    block, off = _block_of(tracks), moved - basis(tracks.source, size) @ found.parameters
    middles = np.stack([_medians(off[:, k], block) for k in range(2)], axis=1)
    apart = _medians(np.hypot(*(off - middles[block]).T), block)
    known = apart < np.maximum(_INLIER, _ALIKE * np.hypot(*middles.T))
    known &= np.bincount(block) >= _IN_BLOCK
    middles = middles[known]
    before = np.hypot(*middles.T)
    if len(middles) < LEAST or np.mean(before > _INLIER) < _ELSEWHERE:
        return None
    columns, weights = _distorted(_means(tracks.source, block)[known], size), np.ones(len(middles))
    for _ in range(_MANY_ROUNDS):  # least distances: a few blocks that move by themselves decide nothing
        used = columns * weights[:, None, None]
        changed = np.linalg.lstsq(used.reshape(-1, used.shape[2]), (middles * weights[:, None]).ravel(), rcond=None)[0]
        left = np.hypot(*(middles - columns @ changed).T)
        weights = np.maximum(left, _LEAST_SCALE) ** -0.5
    if left.mean() > _BETTER * before.mean():
        return None
    points, lens = grid(size, 9), basis(tracks.source, size) @ found.parameters
    field = basis(points, size) @ found.parameters + _distorted(points, size) @ changed
    parameters = _solved(basis(points, size), field, np.ones(len(points)), found.model, size)
    # How well the points determine the motion of the lens, and how far the matrix is from it, are two things.
    off = moved - lens - _distorted(tracks.source, size) @ changed
    weighed = _weighed(off)
    return None if weighed is None else _described(tracks, found.model, parameters, weighed, off)


def _distorted(points: Points, size: Size) -> Array:
    """N×2×6: a similarity as in ``basis``, and the radial distortion of a lens, of third and fifth order."""
    half = max(size) / 2.0
    towards = (points - (np.array(size) - 1.0) / 2.0) / half
    square = (towards**2).sum(axis=1, keepdims=True)
    radial = [towards * square, towards * square**2]
    return np.concatenate([basis(points, size)[:, :, : FREEDOM["similarity"]], np.stack(radial, axis=2)], axis=2)


def _described(tracks: Tracks, model: Model, parameters: Array, weighed: _Weighed, scatter: Array) -> Fit:
    """A motion, and how well the points determine it; ``scatter`` (N×2): what is left of their offsets."""
    free, size, block = FREEDOM[model], tracks.size, _block_of(tracks)
    columns, weights, scale = basis(tracks.source, size), weighed.weights, weighed.scale
    off = tracks.reference - tracks.source - columns @ parameters
    bread = np.linalg.inv(_normal(columns, weights / scale**2, model, size))
    count = int(block.max()) + 1
    scores = np.zeros((count, free))
    np.add.at(scores, block, np.einsum("nij,n,ni->nj", columns[:, :, :free], weights / scale**2, scatter))
    meat = scores.T @ scores * (count / max(count - 1, 1)) + _precision(model, size)
    covariance = np.zeros((8, 8))
    covariance[:free, :free] = bread @ meat @ bread + bread
    total, agreeing = (np.bincount(block, values, count) for values in (np.ones(len(off)), weights > 0.0))
    weight = np.maximum(np.bincount(block, weights, count), 1e-9)
    means = np.stack([np.bincount(block, weights * off[:, k], count) for k in range(2)], axis=1) / weight[:, None]
    supporting = agreeing >= np.maximum(2.0, 0.5 * total)
    residual = float(np.median(np.hypot(*means[supporting].T))) if supporting.any() else np.inf
    return Fit(model, parameters, covariance, size, weights, int(supporting.sum()), count, residual)
