"""Cross-validation: how far an estimate can be trusted, and which motion model explains a pair.

The samples are divided into two halves like a chequerboard. A motion fitted to one half is judged on the other, so that
its correlation there is evidence and not a result of the fitting.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from tita_cli.align.ecc import Gradients, Samples, block_shifts, compare, correlation, refine
from tita_cli.align.geometry import Matrix, corner_error, displacement
from tita_cli.align.modes import Model

_BLOCKS = 8  # blocks along the longer side of the frame
_OFFSETS = range(-16, 17, 2)  # by which a block is moved to see whether it matches better there, pixels of the field
_NEAR = 2  # the largest offset of the best match at which a block still agrees
_BY_CHANCE = 0.08  # the share of blocks that agree by chance; bench/align.py finds 3 % on unrelated pictures
_LEAST_SAMPLES = 40  # of a block that has a vote


@dataclass(frozen=True)
class Halves:
    """The samples, the block each belongs to (N), and which half (N)."""

    samples: Samples
    block: npt.NDArray[np.intp]
    odd: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Judged:
    """A cross-validated model.

    ``products``: what each block contributes to the correlation (B×3) under the motion fitted to the other half.
    ``spread``: mean distance of the corners under the two halves' motions. ``drift``: median distance between the mean
    of the two and the matrix they started from. Both in pixels of the field.
    """

    model: Model
    products: npt.NDArray[np.float64]
    spread: float
    drift: float

    @property
    def correlation(self) -> float:
        return correlation(self.products)


def halves(samples: Samples) -> Halves:
    """Divide samples like a chequerboard of blocks."""
    if not len(samples):
        return Halves(samples, np.zeros(0, dtype=np.intp), np.zeros(0, dtype=bool))
    x, y = samples.x - samples.x.min(), samples.y - samples.y.min()
    edge = max(float(x.max()), float(y.max()), 1.0) * 1.001 / _BLOCKS
    column, row = (x / edge).astype(np.intp), (y / edge).astype(np.intp)
    return Halves(samples, row * _BLOCKS + column, (row + column) % 2 == 1)


def judge(
    parts: Halves, source: Gradients, matrix: Matrix, model: Model, *, still: float = 0.01, rounds: int = 20
) -> Judged:
    """Fit ``model`` to each half, starting from ``matrix``, and judge it on the other half; "none" is not fitted.

    A fit ends when the corners move less than ``still`` pixels, or after ``rounds``.
    """
    size = (source.field.shape[1], source.field.shape[0])
    products = np.zeros((len(parts.samples), 3), dtype=np.float32)
    fitted = []
    for half in (parts.odd, ~parts.odd):
        own = parts.samples.where(half)
        fit = matrix if model == "none" else refine(own, source, matrix, model, still=still, rounds=rounds)[0]
        products[~half] = compare(parts.samples.where(~half), source.field, fit)
        fitted.append(fit)
    drift = displacement((fitted[0] + fitted[1]) / 2.0, matrix, size)
    return Judged(model, _by_block(parts, products), corner_error(fitted[0], fitted[1], size), drift)


def _by_block(parts: Halves, products: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    blocks = int(parts.block.max(initial=0)) + 1
    return np.stack([np.bincount(parts.block, products[:, k], minlength=blocks) for k in range(3)], axis=1)


def gain(simple: Judged, rich: Judged) -> tuple[float, float]:
    """By how much ``rich`` correlates better than ``simple``, and the t-value of that difference over the blocks."""
    difference = rich.correlation - simple.correlation
    norm = np.sqrt(np.maximum(rich.products[:, 1].sum() * rich.products[:, 2].sum(), 1e-12))
    by_block = _share(rich.products) - _share(simple.products)
    by_block = by_block[rich.products[:, 1] > 0]
    error = float(np.std(by_block, ddof=1) * np.sqrt(len(by_block)) / norm) if len(by_block) > 1 else np.inf
    return difference, difference / max(error, 1e-9)


def _share(products: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """What each block contributes to the correlation, linearised."""
    ab, aa, bb = products.sum(axis=0)
    return np.asarray(products[:, 0] - 0.5 * ab * (products[:, 1] / max(aa, 1e-12) + products[:, 2] / max(bb, 1e-12)))


@dataclass(frozen=True)
class Votes:
    """How many of the blocks with enough structure match best where the motion puts them: ``agreeing`` of ``asked``."""

    agreeing: int
    asked: int

    @property
    def deviations(self) -> float:
        """By how many standard deviations that is more than chance would give."""
        chance = _BY_CHANCE * self.asked
        return (self.agreeing - chance) / float(np.sqrt(max(chance * (1.0 - _BY_CHANCE), 1e-9)))


def vote(parts: Halves, source: Gradients, matrix: Matrix) -> Votes:
    """Move every block by each of ``_OFFSETS`` in x and y and see where it matches best.

    Blocks show different parts of the scene, so that their votes are nearly independent: a motion that a search finds
    between unrelated pictures matches as a whole, but not block by block.
    """
    samples, reach = parts.samples, max(_OFFSETS)
    if not len(samples):
        return Votes(0, 0)
    # The source is warped once; an offset is then a step in memory.
    laid = cv2.warpPerspective(source.field, matrix, samples.size, flags=cv2.INTER_LINEAR)
    seen = cv2.warpPerspective(np.ones(source.field.shape[:2], np.float32), matrix, samples.size) > 0.99
    laid[~seen] = 0.0
    height, width = laid.shape[:2]
    planes = np.zeros(
        (4, height + 2 * reach, width + 2 * reach), np.float32
    )  # x and y of a vector, its energy, whether it is inside
    inner = planes[:, reach : reach + height, reach : reach + width]
    inner[0], inner[1], inner[3] = laid[..., 0], laid[..., 1], seen
    inner[2] = inner[0] * inner[0] + inner[1] * inner[1]
    stride, cells = planes.shape[2], planes.reshape(4, -1)
    order = np.argsort(parts.block, kind="stable")
    known, starts, count = np.unique(parts.block[order], return_index=True, return_counts=True)
    own = np.ascontiguousarray(samples.vectors[order].T)
    strength = (own * own).sum(axis=0)
    index = ((samples.y.astype(np.intp) + reach) * stride + samples.x.astype(np.intp) + reach)[order]
    best = np.full(len(known), -1.0)
    near = np.zeros(len(known), dtype=bool)
    columns = np.array(_OFFSETS)
    for y in _OFFSETS:
        at = index - (y * stride + columns)[:, None]  # offsets × samples
        u, v, energy, inside = (plane.take(at) for plane in cells)
        terms = own[0] * u + own[1] * v, strength * inside, energy, inside
        ab, aa, bb, held = (np.add.reduceat(term, starts, axis=1) for term in terms)
        fits = np.where(held > 0.7 * count, ab / np.sqrt(np.maximum(aa * bb, 1e-12)), -1.0)  # offsets × blocks
        first = fits.argmax(axis=0)
        fit = fits.max(axis=0)
        better = fit > best
        best[better] = fit[better]
        near[better] = (np.maximum(np.abs(columns), abs(y)) <= _NEAR)[first[better]]
    able = (count >= _LEAST_SAMPLES) & (best > 0.0)
    return Votes(int(np.count_nonzero(near & able)), int(np.count_nonzero(able)))


def residual(parts: Halves, source: Gradients, matrix: Matrix) -> float | None:
    """How far the blocks still are from where they match best: the median length of their shifts, pixels of the field.

    None where too few blocks have structure in two directions.
    """
    steps = block_shifts(parts.samples, source, matrix, parts.block)
    lengths = np.hypot(steps[:, 0], steps[:, 1])
    lengths = lengths[np.isfinite(lengths)]
    return float(np.median(lengths)) if len(lengths) >= 4 else None
