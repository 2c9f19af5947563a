"""Points of one picture found again in another of the same kind, each with a check of its own.

Both pictures are reduced to a band of spatial frequencies at unit local contrast, which neither exposure nor moderate
defocus changes. What is no more than noise is left out of it: the fixed pattern of a sensor and the blocks of a
compression stay where they are whatever the scene does, and points tracked on them would agree on no motion. Corners
of the one, spread over its frame, are tracked into the other (Lucas and Kanade 1981, in a pyramid: Bouguet 2001) and
back; a point that does not come back to where it began does not count.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from tita_cli.align.geometry import Matrix, Points, Size, inverse, normalized, transform
from tita_cli.align.structure import View
from tita_cli.images.picture import FloatArray

Bytes = npt.NDArray[np.uint8]

_FINE, _COARSE, _AROUND = 1.5, 5.0, 8.0  # px: the band, and the neighbourhood that is brought to unit contrast
_FLOOR = 1.0 / 255.0  # the least contrast: finer steps are not in the files
# How much of white noise is in the band: its standard deviation after the two Gaussians, as a share of that before.
_IN_BAND = math.sqrt((1 / _FINE**2 + 1 / _COARSE**2) / (4 * math.pi) - 1 / (math.pi * (_FINE**2 + _COARSE**2)))
_CERTAIN = 2.0  # times the noise: neighbouring pixels share theirs, so the band has more of it than of white noise
_MEDIAN = 0.6745  # of the absolute value of what is normal, in standard deviations
_SAMPLES = 40_000  # pixels of the picture, of which the noise is known well enough
_SECOND_DIFFERENCE: Final = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], dtype=np.float32) / np.float32(6.0)
_LEVEL, _GAIN = 128.0, 50.0
_WINDOW: Final = (21, 21)
_STOP: Final = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 20, 0.01)
_RETURN = 0.5  # px by which a point may miss where it began
_BORDER = 4.0
_CELLS, _IN_CELL, _FEW_IN_CELL = 12, 12, 4  # cells along the longer side, and the most points in each


@dataclass(frozen=True)
class Tracks:
    """``reference`` and ``source``: N×2, the same points in either picture, both in pixels of a frame of ``size``.
    ``asked``: how many points there were to be found."""

    reference: Points
    source: Points
    size: Size
    asked: int

    def __len__(self) -> int:
        return len(self.reference)


def detail(plane: FloatArray) -> Bytes:
    """H×W luminance → H×W: a difference of Gaussians over its local standard deviation, 128 for none or noise alone."""
    band = cv2.GaussianBlur(plane, (0, 0), _FINE) - cv2.GaussianBlur(plane, (0, 0), _COARSE)
    height, width = plane.shape
    energy = cv2.resize(band * band, (max(1, width // 4), max(1, height // 4)), interpolation=cv2.INTER_AREA)
    around = np.maximum(cv2.GaussianBlur(energy, (0, 0), _AROUND / 4), np.float32(1e-12))
    scene = np.maximum(1.0 - np.float32((_CERTAIN * _IN_BAND * noise_of(plane)) ** 2) / around, 0.0)
    gain = cv2.resize(scene / (np.sqrt(around) + np.float32(_FLOOR)), (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(np.clip(_LEVEL + _GAIN * band * gain, 0, 255).astype(np.uint8))


def noise_of(plane: FloatArray) -> float:
    """The standard deviation of the noise in an H×W luminance, by a second difference that edges and slopes hardly
    change (Immerkaer 1996), and by its median, on which texture in less than half of the picture has no influence."""
    differences = np.abs(cv2.filter2D(plane, cv2.CV_32F, _SECOND_DIFFERENCE))
    step = max(1, math.isqrt(plane.size // _SAMPLES))
    return float(np.median(differences[::step, ::step]) / _MEDIAN)


def few_corners_of(image: Bytes) -> npt.NDArray[np.float32]:
    """A third of :func:`corners_of`, still all over the frame."""
    return corners_of(image, _FEW_IN_CELL)


def corners_of(image: Bytes, in_cell: int = _IN_CELL) -> npt.NDArray[np.float32]:
    """Corners of ``image``, N×2, the strongest of each cell so that they cover the frame."""
    strength = cv2.cornerMinEigenVal(image, 7)
    strength[strength < cv2.dilate(strength, np.ones((7, 7), np.uint8))] = 0.0
    y, x = np.nonzero(strength > 0.002 * strength.max(initial=0.0))
    order = np.argsort(-strength[y, x], kind="stable")
    y, x = y[order], x[order]
    edge = max(image.shape) / _CELLS
    cell = (y / edge).astype(np.intp) * _CELLS + (x / edge).astype(np.intp)
    by_cell = np.argsort(cell, kind="stable")
    _, first = np.unique(cell[by_cell], return_index=True)
    rank = np.arange(len(cell)) - np.repeat(first, np.diff([*first, len(cell)]))
    kept = np.sort(by_cell[rank < in_cell])
    return np.stack([x[kept], y[kept]], axis=1).astype(np.float32)


def track(reference: View, source: View, matrix: Matrix, longest: int, *, octaves: int, few: bool = False) -> Tracks:
    """Track corners of ``reference`` into ``source`` moved by ``matrix`` (source → reference, full pixels).

    At a size of ``longest`` pixels at most. ``octaves``: of the pyramid; a point may be off by about ten times two to
    the power of that. ``few``: only a third of the corners.
    """
    fixed, to_reference = reference.at(longest, detail)
    moving, to_source = source.at(longest, detail)
    size, shape = (fixed.shape[1], fixed.shape[0]), moving.shape
    points = reference.derived(longest, detail, few_corners_of if few else corners_of)
    laid = normalized(to_reference @ matrix @ inverse(to_source))
    if size != shape[1::-1] or not np.allclose(laid, np.eye(3), atol=1e-9):
        moving = cv2.warpPerspective(moving, laid, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    points = points[_inside(points, inverse(laid), shape)]
    if not len(points):
        return Tracks(np.zeros((0, 2)), np.zeros((0, 2)), size, 0)
    there, found = _follow(fixed, moving, points, octaves)
    back, kept = _follow(moving, fixed, there, octaves)
    good = found & kept & (np.hypot(*(back - points).T) < _RETURN) & _inside(there, inverse(laid), shape)
    return Tracks(points[good].astype(np.float64), there[good].astype(np.float64), size, len(points))


def _follow(
    one: Bytes, two: Bytes, points: npt.NDArray[np.float32], octaves: int
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    found, status, _ = cv2.calcOpticalFlowPyrLK(
        one, two, points[:, None], None, winSize=_WINDOW, maxLevel=octaves, criteria=_STOP, minEigThreshold=1e-3
    )
    return found[:, 0], status[:, 0] > 0


def _inside(points: npt.NDArray[np.float32], back: Matrix, shape: tuple[int, ...]) -> npt.NDArray[np.bool_]:
    x, y = transform(back, points.astype(np.float64)).T
    height, width = shape[:2]
    return np.asarray((x > _BORDER) & (y > _BORDER) & (x < width - 1 - _BORDER) & (y < height - 1 - _BORDER))
