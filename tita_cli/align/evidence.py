"""How far a known motion can be trusted: votes of blocks of the picture, and how far each is from where it matches."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from tita_cli.align.ecc import Gradients, Samples, block_shifts
from tita_cli.align.geometry import Matrix

_BLOCKS = 8  # blocks along the longer side of the frame
_OFFSETS = range(-16, 17, 2)  # by which a block is moved to see whether it matches better there, pixels of the field
_NEAR = 2  # the largest offset of the best match at which a block still agrees
_BY_CHANCE = 0.08  # the share of blocks that agree by chance; bench/align.py finds 3 % on unrelated pictures
_LEAST_SAMPLES = 40  # of a block that has a vote


@dataclass(frozen=True)
class Blocks:
    """The samples, and the block each belongs to (N)."""

    samples: Samples
    block: npt.NDArray[np.intp]


def divided(samples: Samples) -> Blocks:
    """Divide samples into blocks."""
    if not len(samples):
        return Blocks(samples, np.zeros(0, dtype=np.intp))
    x, y = samples.x - samples.x.min(), samples.y - samples.y.min()
    edge = max(float(x.max()), float(y.max()), 1.0) * 1.001 / _BLOCKS
    column, row = (x / edge).astype(np.intp), (y / edge).astype(np.intp)
    return Blocks(samples, row * _BLOCKS + column)


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


def vote(parts: Blocks, source: Gradients, matrix: Matrix) -> Votes:
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


def residual(parts: Blocks, source: Gradients, matrix: Matrix) -> float | None:
    """How far the blocks still are from where they match best: the median length of their shifts, pixels of the field.

    None where too few blocks have structure in two directions.
    """
    steps = block_shifts(parts.samples, source, matrix, parts.block)
    lengths = np.hypot(steps[:, 0], steps[:, 1])
    lengths = lengths[np.isfinite(lengths)]
    return float(np.median(lengths)) if len(lengths) >= 4 else None
