"""Many estimates of one rig become one calibration."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tita_cli.align.calibration import Calibration
from tita_cli.align.geometry import FRAME, Matrix, Points, Size, corners, transform
from tita_cli.align.motion import MOTIONS
from tita_cli.align.placement import Placement
from tita_cli.errors import MismatchError

_OUTLIER = 3.0  # median deviations from the median from which an estimate is left out
_TOLERATED = 1.0  # px on a 640-px-wide frame: a deviation that is never left out


def calibrate(shots: Sequence[Sequence[Placement]], reference: int) -> Calibration:
    """The calibration that the ``shots``, each a placement for every camera, agree on.

    For each camera, where its corners go: the median over the shots, then the mean, weighted by confidence, of those
    that are not far from it; ``shots`` counts those that every camera has a part in. Raises MismatchError where the
    shots have different sizes, or where a camera was aligned in none of them.
    """
    sizes = tuple(placement.size for placement in shots[0])
    for shot in shots:
        _check_sizes(shot[0].name, [placement.size for placement in shot], sizes)
    unit = sizes[reference][0] / FRAME
    matrices, spreads, counts = [], [0.0], [len(shots)]
    for index, size in enumerate(sizes):
        placed = [shot[index] for shot in shots if shot[index].is_confirmed]
        if index == reference:
            matrices.append(np.eye(3))
            continue
        if not placed:
            raise MismatchError(
                f"{shots[0][index].name}: could not be aligned in any of {len(shots)} shots",
                hint="take shots with more structure that all cameras show",
            )
        matrix, spread, count = _agreed(placed, size, unit)
        matrices.append(matrix)
        spreads.append(spread)
        counts.append(count)
    return Calibration(sizes, tuple(matrices), reference, min(counts), max(spreads))


def _agreed(placed: Sequence[Placement], size: Size, unit: float) -> tuple[Matrix, float, int]:
    """The matrix on which most shots agree, how far these differ from it, and how many they are."""
    quads = np.stack([transform(placement.matrix, corners(size)) for placement in placed])
    off = np.hypot(*np.moveaxis(quads - np.median(quads, axis=0), -1, 0)).mean(axis=1)
    kept = off <= max(_OUTLIER * float(np.median(off)), _TOLERATED * unit)
    weights = np.array([placement.confidence for placement in placed])[kept]
    mean: Points = np.average(quads[kept], axis=0, weights=weights)
    spread = np.hypot(*np.moveaxis(quads[kept] - mean, -1, 0)).mean(axis=1)
    return MOTIONS["homography"].fit(corners(size), mean), float(np.median(spread)), int(kept.sum())


def _check_sizes(name: str, sizes: Sequence[Size], known: Sequence[Size]) -> None:
    """Raises MismatchError where a shot has other sizes than the first."""
    if tuple(sizes) != tuple(known):
        said = ", ".join(f"{w}×{h}" for w, h in sizes)
        raise MismatchError(f"{name}: sizes {said}, but the first shot has {', '.join(f'{w}×{h}' for w, h in known)}")
