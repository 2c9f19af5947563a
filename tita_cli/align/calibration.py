"""Many estimates of one rig become one transform."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from tita_cli.align.geometry import FRAME, Matrix, Points, corners, normalized, transform
from tita_cli.align.placement import Placement
from tita_cli.align.rig import Rig, same_sizes
from tita_cli.errors import MismatchError

_FARTHEST = 3.0  # median deviations from the median: farther estimates are left out
_AT_LEAST = 1.0  # px on a 640-px-wide frame: nearer ones never are


def calibrated(shots: Sequence[Sequence[Placement]], reference: int) -> Rig:
    """The rig that the ``shots``, each a placement for every camera, agree on.

    For each camera, where its corners go: the median over the shots, then the mean, weighted by confidence, of those
    that are not far from it. Raises MismatchError where the shots have different sizes, or where a camera was placed in
    none of them.
    """
    sizes = tuple(placement.size for placement in shots[0])
    for shot in shots:
        same_sizes(shot[0].name, [placement.size for placement in shot], sizes)
    unit = sizes[reference][0] / FRAME
    matrices, spreads = [], [0.0]
    for index, size in enumerate(sizes):
        placed = [shot[index] for shot in shots if shot[index].accepted]
        if index == reference:
            matrices.append(np.eye(3))
            continue
        if not placed:
            raise MismatchError(
                f"{shots[0][index].name}: in none of {len(shots)} shots can its place be told",
                hint="take shots with more structure that all cameras see",
            )
        matrix, spread = _agreed(placed, size, unit)
        matrices.append(matrix)
        spreads.append(spread)
    return Rig(sizes, tuple(matrices), reference, len(shots), max(spreads))


def _agreed(placed: Sequence[Placement], size: tuple[int, int], unit: float) -> tuple[Matrix, float]:
    quads = np.stack([transform(placement.matrix, corners(size)) for placement in placed])
    off = np.hypot(*np.moveaxis(quads - np.median(quads, axis=0), -1, 0)).mean(axis=1)
    kept = off <= max(_FARTHEST * float(np.median(off)), _AT_LEAST * unit)
    weights = np.array([placement.confidence for placement in placed])[kept]
    mean: Points = np.average(quads[kept], axis=0, weights=weights)
    matrix = cv2.getPerspectiveTransform(corners(size).astype(np.float32), mean.astype(np.float32))
    spread = np.hypot(*np.moveaxis(quads[kept] - mean, -1, 0)).mean(axis=1)
    return normalized(np.asarray(matrix, dtype=np.float64)), float(np.median(spread))
