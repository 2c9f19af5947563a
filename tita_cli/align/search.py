"""Where to start: an exhaustive search over rotation and scale by FFT, and local features for large motion."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from tita_cli.align.geometry import (
    Matrix,
    Points,
    Size,
    corner_error,
    inverse,
    is_sane,
    mean_scale,
    normalized,
    resizing,
    transform,
    translating,
)
from tita_cli.align.structure import Field, FieldOf, orientation_field, reduced
from tita_cli.images.picture import FloatArray


@dataclass(frozen=True)
class Start:
    """A start for refinement: ``matrix`` (source → reference) and its score."""

    matrix: Matrix
    score: float


def search(
    reference: FloatArray,
    source: FloatArray,
    field_of: FieldOf,
    *,
    rotations: Iterable[float],
    scales: Iterable[float],
    least_overlap: float = 0.5,
) -> list[Start]:
    """Correlate the fields of two planes at every shift, for each rotation (degrees) and scale of the source.

    The correlation is normalised by what overlaps (Padfield 2012, "Masked object registration in the Fourier
    domain") and weighted by the root of the overlap, since a small overlap correlates by chance; shifts that overlap
    less than ``least_overlap`` of the smaller picture are left out. Returns the best shift of each rotation and scale,
    the best first.
    """
    height, width = reference.shape
    rows, columns = source.shape
    frame = _Frame(field_of(reference))
    starts = []
    for scale in scales:
        for rotation in rotations:
            turn, size = _about_centre(rotation, scale, (columns, rows))
            if min(size) < 16:
                continue
            shrink = scale < 1.0
            smooth = cv2.GaussianBlur(source, (0, 0), 0.5 / scale) if shrink and scale < 0.75 else source
            moved = cv2.warpPerspective(smooth, turn, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
            seen = cv2.warpPerspective(np.ones_like(source), turn, size, flags=cv2.INTER_LINEAR) > 0.99
            seen = cv2.erode(seen.astype(np.uint8), np.ones((5, 5), np.uint8), borderValue=0) > 0
            smaller = min(height * width, int(np.count_nonzero(seen)))
            score, shift = frame.best(field_of(moved), seen, least_overlap * smaller)
            starts.append(Start(translating(*shift) @ turn, score))
    return sorted(starts, key=lambda start: -start.score)


def _about_centre(rotation: float, scale: float, size: tuple[int, int]) -> tuple[Matrix, tuple[int, int]]:
    """The matrix that turns and scales a picture about its centre into a frame that holds it, and that frame's size."""
    angle = np.deg2rad(rotation)
    c, s = scale * np.cos(angle), scale * np.sin(angle)
    width = int(np.ceil(abs(c) * size[0] + abs(s) * size[1]))
    height = int(np.ceil(abs(s) * size[0] + abs(c) * size[1]))
    turn = np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])
    return (
        translating((width - 1) / 2, (height - 1) / 2) @ turn @ translating(-(size[0] - 1) / 2, -(size[1] - 1) / 2),
        (width, height),
    )


class _Frame:
    """The reference field, transformed once for every shape of source."""

    def __init__(self, field: Field) -> None:
        self._vectors = field[..., 0] + np.complex64(1j) * field[..., 1]
        self._energy = np.abs(self._vectors) ** 2
        self._ready: dict[tuple[int, int], tuple[npt.NDArray[np.complexfloating[Any, Any]], ...]] = {}

    def best(self, field: Field, seen: npt.NDArray[np.bool_], least: float) -> tuple[float, tuple[int, int]]:
        """Score and shift (x, y) at which ``field``, valid where ``seen``, correlates best with the reference."""
        height, width = self._energy.shape
        shape = cv2.getOptimalDFTSize(height + seen.shape[0]), cv2.getOptimalDFTSize(width + seen.shape[1])
        if shape not in self._ready:
            planes = self._vectors, self._energy, np.ones((height, width), np.float32)
            self._ready[shape] = tuple(np.fft.fft2(plane, shape) for plane in planes)
        vectors, energy, ones = self._ready[shape]
        other = (field[..., 0] + np.complex64(1j) * field[..., 1]) * seen
        mask = np.conj(np.fft.fft2(seen.astype(np.float32), shape))
        products = np.fft.ifft2(vectors * np.conj(np.fft.fft2(other, shape))).real
        # Two real correlations in one complex transform.
        energies = np.fft.ifft2(energy * mask + 1j * (ones * np.conj(np.fft.fft2(np.abs(other) ** 2, shape))))
        overlap = np.fft.ifft2(ones * mask).real
        product = np.maximum(energies.real, 0.0) * np.maximum(energies.imag, 0.0)
        score = np.where(
            overlap >= least, products / np.sqrt(product + 1e-6) * np.sqrt(np.maximum(overlap, 0.0)), -np.inf
        )
        y, x = np.unravel_index(int(score.argmax()), score.shape)
        shift = int(x) - (shape[1] if x >= width else 0), int(y) - (shape[0] if y >= height else 0)
        return float(score[y, x]), shift


def by_features(reference: FloatArray, source: FloatArray) -> Start | None:
    """SIFT features, Lowe's ratio test, MAGSAC: large motion between pictures of one kind. ``score`` counts inliers."""
    detector = cv2.SIFT.create(nfeatures=3000, contrastThreshold=0.02)
    found = [detector.detectAndCompute(_contrast(plane), None) for plane in (reference, source)]
    if any(words is None or len(words) < 8 for _, words in found):
        return None
    (points_a, words_a), (points_b, words_b) = found
    pairs = [(p, q) for p, *rest in cv2.BFMatcher().knnMatch(words_b, words_a, k=2) for q in rest]
    kept = [p for p, q in pairs if p.distance < 0.8 * q.distance]
    if len(kept) < 8:
        return None
    source_points: Points = np.array([points_b[m.queryIdx].pt for m in kept])
    reference_points: Points = np.array([points_a[m.trainIdx].pt for m in kept])
    cv2.setRNGSeed(0)
    matrix, inliers = cv2.findHomography(source_points, reference_points, cv2.USAC_MAGSAC, 3.0, None, 5000, 0.999)
    if matrix is None or not is_sane(matrix, (source.shape[1], source.shape[0])):
        return None
    distance = np.hypot(*(transform(matrix, source_points) - reference_points).T)
    count = len(np.unique(reference_points[(distance < 3.0) & (inliers[:, 0] > 0)].round(), axis=0))
    return Start(matrix, float(count)) if count >= 8 else None


def _contrast(plane: FloatArray) -> npt.NDArray[np.uint8]:
    """Eight bits, with local contrast equalised, so that the frames of a bracket look similar."""
    stretched = np.clip(plane * 255.0, 0, 255).astype(np.uint8)
    return np.asarray(cv2.createCLAHE(clipLimit=3.0, tileGridSize=(8, 8)).apply(stretched))


_WIDE = 192  # px of the longer side: enough to find the scale
_RATIO = 1.12
_SMALLEST_VIEW = 0.2  # of the wider field of view's longer side
_CANDIDATES = 6
_APART = 0.12  # of the frame's width at the corners, between two candidates


def fields_of_view(reference: FloatArray, source: FloatArray, full: Size, source_full: Size) -> list[Matrix]:
    """Motions source → reference (in pixels of the full pictures) for pictures of different fields of view, the best
    first: either shows from a fifth to all of what the other shows."""
    planes = [reduced(plane, _WIDE) for plane in (reference, source)]
    up, down = (
        resizing((plane.shape[1], plane.shape[0]), size)
        for plane, size in zip(planes, (full, source_full), strict=True)
    )
    steps = int(np.ceil(np.log(1.0 / _SMALLEST_VIEW) / np.log(_RATIO)))
    scales = _RATIO ** np.arange(-steps, 3.0)
    inside, around = (
        search(one, two, orientation_field, rotations=(0.0,), scales=scales, least_overlap=0.7)
        for one, two in (planes, planes[::-1])
    )
    found = [(one.score, one.matrix) for one in inside] + [(one.score, inverse(one.matrix)) for one in around]
    kept: list[Matrix] = []
    for _, matrix in sorted(found, key=lambda one: -one[0]):
        whole = normalized(up @ matrix @ inverse(down))
        limit = _APART * mean_scale(whole, source_full) * source_full[0]
        if len(kept) < _CANDIDATES and all(corner_error(whole, one, source_full) > limit for one in kept):
            kept.append(whole)
    return kept
