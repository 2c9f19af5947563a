"""How well patches of one picture match another at every small displacement, as log-likelihoods.

Dense features (``features``) of both pictures are correlated patch by patch. A softmax over the normalised
correlations, mixed with a uniform share for patches that match nowhere, turns each patch into a distribution over
displacements. Sums over the patches are evidence in nats for one motion against chance.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

from tita_cli.align.features import sharpness
from tita_cli.align.geometry import Points
from tita_cli.images.picture import FloatArray

HALF = 16  # half the side of a patch, in pixels of the features
OUTLIERS = 0.3  # the share of patches that match nowhere
_FIELD = 3 * HALF  # the side of a field of the chessboard
_LEAST_SEEN = 0.6  # the share of a patch that the other picture shows


@dataclass(frozen=True)
class Matches:
    """``centres``: of the patches, N×2 (x, y) in pixels of the features. ``chances``: N×n×n, the probability of each
    displacement (y, x) from −``reach`` to ``reach``, outliers apart. ``independent``: how many independent patches a
    patch counts for, since they overlap."""

    centres: Points
    chances: FloatArray
    reach: int
    independent: float

    def __len__(self) -> int:
        return len(self.centres)

    def where(self, chosen: npt.NDArray[np.bool_]) -> Matches:
        """The patches that the mask (N) keeps."""
        return Matches(self.centres[chosen], self.chances[chosen], self.reach, self.independent)

    def halves(self) -> Iterator[tuple[Matches, Matches]]:
        """Two parts that both cover the frame, in three ways: the fields of a chessboard, its columns, its rows."""
        fields = np.floor(self.centres / _FIELD).astype(np.intp)
        for number in (fields.sum(axis=1), fields[:, 0], fields[:, 1]):
            yield self.where(number % 2 == 0), self.where(number % 2 == 1)


def match(
    reference: FloatArray, source: FloatArray, seen: npt.NDArray[np.bool_], *, reach: int, step: int, half: int = HALF
) -> Matches:
    """Match patches of ``reference`` (H×W×C) in ``source`` (H×W×C, of one frame with it, valid where ``seen``).

    ``reach``: the largest displacement, ``step``: between patch centres, both in pixels of the features.
    """
    centres = _centres(reference.shape[:2], seen, step, half)
    count, area = 2 * reach + 1, 4.0 * half * half
    if not len(centres):
        return Matches(np.zeros((0, 2)), np.zeros((0, count, count), np.float32), reach, 1.0)
    padded = np.pad(source * seen[..., None], ((reach, reach), (reach, reach), (0, 0)))
    products = np.empty((len(centres), count, count), np.float32)
    own = np.empty((len(centres), 1, 1))
    for number, (x, y) in enumerate(centres):
        patch = reference[y - half : y + half, x - half : x + half]
        patch = patch - patch.mean(axis=(0, 1))
        own[number] = (patch * patch).sum()
        window = padded[y - half : y + half + 2 * reach, x - half : x + half + 2 * reach]
        products[number] = cv2.matchTemplate(window, patch, cv2.TM_CCORR)
    x, y = centres.T - half
    mean = np.stack([_sums(padded[..., k], 2 * half) for k in range(padded.shape[2])])
    energies = _sums((padded * padded).sum(axis=2), 2 * half) - (mean * mean).sum(axis=0) / area
    energy = sliding_window_view(energies, (count, count))[y, x]
    correlation = products / np.sqrt(np.maximum(energy * own, 0.0) + 1e-6)
    chances = np.exp(sharpness() * (correlation - correlation.max(axis=(1, 2), keepdims=True)))
    chances /= chances.sum(axis=(1, 2), keepdims=True)
    independent = min((step / (2.0 * half)) ** 2, 1.0)
    return Matches(centres.astype(np.float64), chances.astype(np.float32), reach, independent)


def _centres(size: tuple[int, ...], seen: npt.NDArray[np.bool_], step: int, half: int) -> npt.NDArray[np.intp]:
    """Centres, N×2 (x, y), of the patches that lie inside the reference and mostly inside the source."""
    if min(size) < 2 * half:
        return np.zeros((0, 2), np.intp)
    lines = [half + np.arange((side - 2 * half) // step + 1) * step for side in size]
    lines = [line + (side - half - line[-1]) // 2 for line, side in zip(lines, size, strict=True)]
    y, x = (side.ravel() for side in np.meshgrid(*lines, indexing="ij"))
    shown = _sums(seen.astype(np.float32), 2 * half)[y - half, x - half]
    kept = shown >= _LEAST_SEEN * (2 * half) ** 2
    return np.stack([x[kept], y[kept]], axis=1)


def _sums(plane: FloatArray, side: int) -> npt.NDArray[np.float64]:
    """Sums over all squares of ``side`` pixels."""
    total = cv2.integral(plane, sdepth=cv2.CV_64F)
    return np.asarray(total[side:, side:] - total[:-side, side:] - total[side:, :-side] + total[:-side, :-side])
