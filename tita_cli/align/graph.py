"""The frames of a stack adjusted as a whole: least squares over the graph of what was estimated between pairs.

Each pairwise estimate is an edge with its covariance. The motions of all frames are those that contradict the edges
least; an edge that contradicts the rest of its loops loses weight (Geman and McClure 1987). The scale changes smoothly
from frame to frame, as focus breathing does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from tita_cli.align.displacements import FREEDOM, Array, basis, matrix_of, parameters_of
from tita_cli.align.estimator import ACCEPTED, Estimate
from tita_cli.align.geometry import FRAME, Matrix, Size, corners, inverse, normalized
from tita_cli.align.modes import Model
from tita_cli.align.motion import projected

_ROUNDS, _NARROWING = 10, 0.3  # of the tolerance, from what covers the worst contradiction
_FLOOR = 0.1  # px on a 640-px-wide frame: no estimate is more certain
_UNKNOWN = 1.0  # the same: the uncertainty of an estimate that does not state its own
_SMOOTH = 1.0  # px at half the frame's longer side, on a 640-px-wide frame: by which breathing deviates from smooth
_TOLERATED = 3.0  # times the usual contradiction, at which an edge has a quarter of its weight
_SCALE = 2  # index of the scale among the parameters


@dataclass(frozen=True)
class Edge:
    """What was estimated between two frames: ``estimate.free`` maps pixels of ``second`` to pixels of ``first``."""

    first: int
    second: int
    estimate: Estimate


@dataclass(frozen=True)
class Solution:
    """``matrices``: of the frames that the root is connected with, frame → root. ``confidence``: of each, that of the
    weakest edge on the best way to the root. ``residual``: of each, the median of its edges, in pixels; None where none
    was measured. ``spread``: standard deviation of where the corners of each go, in pixels of the root."""

    matrices: Mapping[int, Matrix]
    confidence: Mapping[int, float]
    residual: Mapping[int, float | None] = field(default_factory=dict)
    spread: Mapping[int, float] = field(default_factory=dict)


def connected(edges: Sequence[Edge], root: int, weights: Sequence[float] | None = None) -> Solution:
    """Place frames along the best ways to the root (a maximum spanning tree), without adjustment.

    ``weights``: by which the confidence of each edge is multiplied.
    """
    weights = [1.0] * len(edges) if weights is None else weights
    matrices, confidence = {root: np.eye(3)}, {root: 1.0}
    open_edges = [(e.estimate.confidence * w, e) for e, w in zip(edges, weights, strict=True) if e.estimate.accepted]
    while True:
        ways = [
            (min(sure, confidence[near]), edge, near)
            for sure, edge in open_edges
            for near, far in ((edge.first, edge.second), (edge.second, edge.first))
            if near in matrices and far not in matrices
        ]
        if not ways:
            break
        sure, edge, near = max(ways, key=lambda way: way[0])
        step = edge.estimate.free if near == edge.first else inverse(edge.estimate.free)
        far = edge.second if near == edge.first else edge.first
        matrices[far], confidence[far] = normalized(matrices[near] @ step), sure
    return Solution(matrices, confidence)


def adjust(
    edges: Sequence[Edge], root: int, order: Sequence[int], sizes: Sequence[Size], model: Model = "homography"
) -> Solution:
    """The motions of ``model`` that all accepted edges together support best.

    ``order``: the frames in the order of their capture. ``sizes``: (width, height) of the frames.
    """
    used, free = [edge for edge in edges if edge.estimate.accepted], FREEDOM[model]
    matrices = {f: projected(m, model, sizes[f]) for f, m in connected(used, root).matrices.items()}
    used = [edge for edge in used if edge.first in matrices]
    frames = sorted(set(matrices) - {root})
    unit, place = sizes[root][0] / FRAME, {frame: 8 * number for number, frame in enumerate(frames)}
    moving = np.array([8 * number + k for number in range(len(frames)) for k in range(free)], dtype=np.intp)
    information = [_information(edge, sizes, root, unit) for edge in used]
    smooth = [frame for frame in order if frame in matrices]
    weights, covariance = [1.0] * len(used), np.zeros((8 * len(frames), 8 * len(frames)))
    for number in range(_ROUNDS if frames else 0):
        normal, right = np.eye(8 * len(frames)) * 1e-9, np.zeros(8 * len(frames))
        off = [_contradiction(edge, matrices, sizes[root]) for edge in used]
        weights = _robust([float(e @ info @ e) for e, info in zip(off, information, strict=True)], number)
        for edge, e, info, weight in zip(used, off, information, weights, strict=True):
            ends = [(place[f], sign) for f, sign in ((edge.first, 1.0), (edge.second, -1.0)) if f in place]
            _add(normal, right, ends, weight * info, e)
        for triple in zip(smooth, smooth[1:], smooth[2:], strict=False):
            _add_smoothness(normal, right, triple, place, matrices, sizes[root], unit)
        covariance = np.zeros_like(normal)
        covariance[np.ix_(moving, moving)] = np.linalg.inv(normal[np.ix_(moving, moving)])
        step = covariance @ right
        for frame in frames:
            own = step[place[frame] : place[frame] + 8]
            matrices[frame] = normalized(matrix_of(own, sizes[root]) @ matrices[frame])
    sure = connected(used, root, weights).confidence
    kept = {frame: matrix for frame, matrix in matrices.items() if sure.get(frame, 0.0) >= ACCEPTED}
    columns = basis(corners(sizes[root]), sizes[root])
    spread = {
        frame: float(np.sqrt(np.einsum("nij,jk,nik->n", columns, covariance[at : at + 8, at : at + 8], columns).mean()))
        for frame, at in place.items()
    }  # fmt: skip
    return Solution(kept, sure, {frame: _residual(frame, used, weights) for frame in kept}, spread)


def _information(edge: Edge, sizes: Sequence[Size], root: int, unit: float) -> Array:
    """The inverse of the edge's covariance, in pixels of the root."""
    floor = np.eye(8) * (_FLOOR * unit) ** 2
    if edge.estimate.covariance is None:
        return np.asarray(np.linalg.inv(floor + np.eye(8) * (_UNKNOWN * unit) ** 2))
    ratio = sizes[root][0] / sizes[edge.first][0]
    return np.asarray(np.linalg.inv(floor + edge.estimate.covariance * ratio**2))


def _contradiction(edge: Edge, matrices: Mapping[int, Matrix], size: Size) -> Array:
    """By how much the edge and the motions of its two frames differ: parameters in the root's frame."""
    loop = matrices[edge.first] @ edge.estimate.free @ inverse(matrices[edge.second])
    return parameters_of(normalized(loop), size)


def _robust(squares: list[float], number: int) -> list[float]:
    """Weights of the edges in a round, which reject at first nothing, so that the first tree does not decide (graduated
    non-convexity: Yang et al. 2020)."""
    usual = max(float(np.median(squares)), 8.0, max(squares) * _NARROWING**number)
    return [float((1.0 + square / usual / _TOLERATED**2) ** -2) for square in squares]


def _add(normal: Array, right: Array, ends: list[tuple[int, float]], information: Array, off: Array) -> None:
    """Add the equation that the steps of the ``ends``, with their signs, cancel ``off``."""
    for at, sign in ends:
        right[at : at + 8] -= sign * (information @ off)
        for other, other_sign in ends:
            normal[at : at + 8, other : other + 8] += sign * other_sign * information


def _add_smoothness(
    normal: Array, right: Array, triple: tuple[int, ...], place: Mapping[int, int], matrices: Mapping[int, Matrix],
    size: Size, unit: float,
) -> None:  # fmt: skip
    """Add the equation that the scales of three frames in a row lie on a line."""
    signs = (1.0, -2.0, 1.0)
    off = sum(s * parameters_of(matrices[f], size)[_SCALE] for s, f in zip(signs, triple, strict=True))
    ends = [(place[f] + _SCALE, s) for s, f in zip(signs, triple, strict=True) if f in place]
    precision = (_SMOOTH * unit) ** -2
    for at, sign in ends:
        right[at] -= sign * precision * off
        for other, other_sign in ends:
            normal[at, other] += sign * other_sign * precision


def _residual(frame: int, edges: Sequence[Edge], weights: Sequence[float]) -> float | None:
    known = [
        edge.estimate.residual for edge, weight in zip(edges, weights, strict=True)
        if frame in (edge.first, edge.second) and weight > 0.25 and edge.estimate.residual is not None
    ]  # fmt: skip
    return float(np.median(known)) if known else None
