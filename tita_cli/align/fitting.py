"""The motion that the patches of a pair agree on: a search over similarities, then a robust fit.

The fit is expectation maximisation: a patch pulls the motion towards the displacements that are likely for it near
where the motion puts it now, with the precision of that peak, and the less the likelier it is to match nowhere. The
window narrows from round to round. Gaussian priors keep stretch, shear and perspective small unless many patches
support them.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from tita_cli.align.displacements import FREEDOM, Array, basis
from tita_cli.align.geometry import Size, corners
from tita_cli.align.matching import OUTLIERS, Matches
from tita_cli.align.modes import Model

_TURNS = np.deg2rad(np.arange(-6.0, 6.1, 1.5))
_SCALES = 1.03 ** np.arange(-3.0, 4.0)
_WINDOWS = (4.0, 2.5, 1.6, 1.0, 1.0, 1.0)  # px of the features: standard deviation, round by round
_LOCATED = 0.35  # px of the features: no single patch is more precise
_STRETCH, _PERSPECTIVE = 0.015, 0.02  # usual between two views, at half the frame's longer side from the centre
_FREE = 1e3
_DISTINCT = 4.0  # px of the features at the corners, between two starts
_MODEL_ERROR = 0.8  # px of the features: parallax, distortion
_CLEAR = 0.25  # of the precision of a patch, in 1/px²
_PRICE = 1.0  # nats a parameter: Akaike's


@dataclass(frozen=True)
class Fit:
    """A motion: ``parameters`` (8) as ``displacements`` has them.

    ``covariance``: of the parameters, 8×8. ``evidence``: nats over chance, of independent patches. ``score``: the
    evidence less the price of the model's freedom and of unusual parameters. ``residual``: median distance of the
    patches that match somewhere from where the motion puts them, in pixels of the features; None for too few.
    """

    model: Model
    parameters: Array
    covariance: Array
    evidence: float
    score: float
    residual: float | None

    def spread(self, size: Size) -> float:
        """Standard deviation of the corners of a frame of ``size``, root mean square, in pixels of the features."""
        columns = basis(corners(size), size)
        return float(np.sqrt(np.einsum("nij,jk,nik->n", columns, self.covariance, columns).mean()))


def prior(size: Size, model: Model) -> Array:
    """Standard deviations of the parameters (8); those that ``model`` lacks are zero."""
    half = max(size) / 2.0
    deviations = np.array([_FREE] * 4 + [_STRETCH * half] * 2 + [_PERSPECTIVE * half] * 2)
    deviations[FREEDOM[model] :] = 0.0
    return deviations


def starts(matches: Matches, size: Size, count: int = 3) -> list[Array]:
    """The similarities that most patches agree on, the best first: shifts within the reach, some turn and scale."""
    reach, side = matches.reach, 2 * matches.reach + 1
    padded = np.full((len(matches), 3 * side, 3 * side), np.log(OUTLIERS), np.float32)
    for plane, chances in zip(padded, matches.chances, strict=True):
        plane[side : 2 * side, side : 2 * side] = np.log(
            (1.0 - OUTLIERS) * side**2 * cv2.blur(chances, (3, 3)) + OUTLIERS
        )
    columns, half = basis(matches.centres, size), max(size) / 2.0
    found = []
    for scale in _SCALES:
        for turn in _TURNS:
            parameters = np.zeros(8)
            parameters[2:4] = (scale * np.cos(turn) - 1.0) * half, scale * np.sin(turn) * half
            offsets = np.clip(np.rint(columns @ parameters).astype(int), -side, side) + side
            total = np.zeros((side, side), np.float32)
            for plane, (x, y) in zip(padded, offsets, strict=True):
                total += plane[y : y + side, x : x + side]
            y, x = np.unravel_index(int(total.argmax()), total.shape)
            parameters[:2] = x - reach, y - reach
            found.append((float(total[y, x]), parameters))
    found.sort(key=lambda one: -one[0])
    kept: list[Array] = []
    for _, parameters in found:
        apart = [np.hypot(*(basis(corners(size), size) @ (parameters - other)).T).mean() for other in kept]
        if len(kept) < count and all(distance > _DISTINCT for distance in apart):
            kept.append(parameters)
    return kept


def fit(matches: Matches, size: Size, start: Array, known: Array, model: Model = "homography") -> Fit:
    """The motion of ``model`` near the parameters ``start`` (8) that the patches support best.

    ``known``: the parameters (8) of the motion that the patches were resampled by: ``model`` and its priors are of both
    together.
    """
    deviations = prior(size, model)
    active = deviations > 0.0
    parameters, normal = _solved(matches, size, start, known, model)
    covariance = np.zeros((8, 8))
    covariance[np.ix_(active, active)] = np.linalg.inv(normal)
    evidence = evidence_of(matches, size, parameters)
    unusual = 0.5 * float((((parameters + known)[active] / deviations[active]) ** 2).sum())
    score = evidence - unusual - _PRICE * FREEDOM[model]
    residual = _Pulls(matches).residual(basis(matches.centres, size) @ parameters)
    return Fit(model, parameters, covariance, evidence, score, residual)


def _solved(matches: Matches, size: Size, start: Array, known: Array, model: Model) -> tuple[Array, Array]:
    """The parameters (8) of :func:`fit`, and the inverse of the covariance of those that ``model`` has."""
    deviations = prior(size, model)
    active = deviations > 0.0
    columns = basis(matches.centres, size)
    used = columns[:, :, active].reshape(2 * len(columns), int(active.sum()))
    parameters = np.where(active, start, -known)
    rest = columns[:, :, ~active] @ parameters[~active]
    precision = np.diag(deviations[active] ** -2.0)
    pulls = _Pulls(matches)
    normal = precision
    for window in _WINDOWS if active.any() else ():
        target, weight = pulls.towards(columns @ parameters, window)
        normal = (used * np.repeat(weight, 2)[:, None]).T @ used + precision
        right = ((target - rest) * weight[:, None]).ravel() @ used - precision @ known[active]
        parameters = parameters.copy()
        parameters[active] = np.linalg.solve(normal, right)
    return parameters, normal


def disagreement(matches: Matches, size: Size, found: Fit, known: Array) -> Array:
    """The covariance (8×8) of ``found`` as halves of its patches show it, each fitted by itself.

    The covariance of the fit rests on how precise each patch says it is; that the halves agree does not. With the same
    arguments as ``fit``.
    """
    total = np.zeros((8, 8))
    for halves in matches.halves():
        one, two = (_solved(half, size, found.parameters, known, found.model)[0] for half in halves)
        total += np.outer(one - two, one - two) / 4.0
    return total / 3.0


class _Pulls:
    """Where the patches pull a motion to, and how hard."""

    def __init__(self, matches: Matches) -> None:
        self._matches = matches
        self._chances = matches.chances.astype(np.float64)
        self._grid = np.arange(2 * matches.reach + 1) - matches.reach

    def towards(self, at: Array, window: float) -> tuple[Array, Array]:
        """Targets (N×2) and weights (N) of the patches near the displacements ``at`` (N×2)."""
        grid = self._grid
        y, x = (np.exp(-0.5 * ((grid - at[:, k, None]) / window) ** 2) for k in (1, 0))
        # Sums over the rows and the columns of the chances inside the window.
        rows, columns = (self._chances @ x[:, :, None])[:, :, 0] * y, (y[:, None, :] @ self._chances)[:, 0] * x
        mass = rows.sum(axis=1)
        # What a patch that matches nowhere would have inside the window.
        chance = OUTLIERS / (1.0 - OUTLIERS) * y.sum(axis=1) * x.sum(axis=1) / len(grid) ** 2
        safe = np.maximum(mass, 1e-12)
        mean = np.stack([(columns * grid).sum(axis=1), (rows * grid).sum(axis=1)], axis=1) / safe[:, None]
        variance = ((columns + rows) * grid**2).sum(axis=1) / safe - (mean**2).sum(axis=1)
        variance = np.maximum(variance / 2.0, 1e-6)
        # The window narrows the peak and draws its mean to the window's centre: undo both.
        own = 1.0 / np.maximum(1.0 / variance - 1.0 / window**2, 1e-3)
        widened = np.minimum(1.0 / np.maximum(1.0 - variance / window**2, 0.1), 4.0)
        target = at + (mean - at) * widened[:, None]
        return target, mass / (mass + chance + 1e-12) * self._matches.independent / (own + _LOCATED**2)

    def residual(self, at: Array) -> float | None:
        """Median distance from ``at`` (N×2) of the patches with a clear peak near it; None for fewer than four."""
        if not len(self._matches):
            return None
        target, weight = self.towards(at, _WINDOWS[1])
        clear = weight > _CLEAR * self._matches.independent
        return float(np.median(np.hypot(*(target - at)[clear].T))) if clear.sum() >= 4 else None


def evidence_of(matches: Matches, size: Size, parameters: Array) -> float:
    """The evidence of a motion: log-likelihood over that of chance, in nats, of independent patches."""
    if not len(matches):
        return 0.0
    reach, side = matches.reach, 2 * matches.reach + 1
    at = basis(matches.centres, size) @ parameters + reach
    chances = []
    for plane, place in zip(matches.chances, at, strict=True):
        # Blurred to the precision of a model of the whole frame.
        blurred = cv2.GaussianBlur(plane, (0, 0), _MODEL_ERROR)
        inside = bool((place >= 0.0).all() and (place <= side - 1.0).all())
        chances.append(float(cv2.getRectSubPix(blurred, (1, 1), place.tolist())[0, 0]) if inside else 0.0)
    return float(matches.independent * np.log((1.0 - OUTLIERS) * side * side * np.array(chances) + OUTLIERS).sum())
