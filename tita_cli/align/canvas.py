"""The part of the reference that a source covers, at a working size, and the source laid over it."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from tita_cli.align.features import features
from tita_cli.align.geometry import Matrix, Size, corners, normalized, resizing, scaling, transform, translating
from tita_cli.align.matching import Matches, match
from tita_cli.align.structure import View, reduced
from tita_cli.images.picture import FloatArray

_MARGIN = 0.08  # of the covered part's longer side, which is kept around it
_WHOLE = 0.8  # of either side of the reference, from which the whole is used
_HALF = scaling(0.5)  # from pixels of a canvas to pixels of its features


@dataclass(frozen=True)
class Canvas:
    """``to``: reference in full pixels → this frame, of ``size`` (width, height; even). ``field``: its features."""

    to: Matrix
    size: Size
    field: FloatArray

    @classmethod
    def of(cls, reference: View, source: Size, matrix: Matrix, longest: int) -> Canvas:
        """What ``reference`` shows around a source of that size under ``matrix``, ``longest`` pixels on its longer
        side."""
        width, height = reference.full
        quad = transform(matrix, corners(source))
        low, high = quad.min(axis=0), quad.max(axis=0)
        margin = _MARGIN * float((high - low).max())
        low = np.maximum(low - margin, 0.0)
        high = np.minimum(high + margin, (width - 1.0, height - 1.0))
        extent = high - low + 1.0
        if (extent > _WHOLE * np.array(reference.full)).all() or (extent < 8.0).any():
            low, extent = np.zeros(2), np.array([width, height], dtype=np.float64)
        scale = longest / float(extent.max())
        size = _even(extent[0] * scale), _even(extent[1] * scale)
        to = scaling(size[0] / extent[0], size[1] / extent[1]) @ translating(-low[0], -low[1])
        return cls(to, size, features(_laid(reference, to, size)))

    @property
    def field_size(self) -> Size:
        """Width and height of the features."""
        return self.size[0] // 2, self.size[1] // 2

    def matches(self, source: View, matrix: Matrix, *, reach: int, step: int) -> Matches:
        """The patches of the reference in ``source``, resampled by ``matrix`` (source → reference, full pixels)."""
        to = self.to @ matrix
        mask = cv2.warpPerspective(
            np.ones((64, 64), np.uint8), _HALF @ to @ resizing((64, 64), source.full), self.field_size,
            flags=cv2.INTER_NEAREST,
        )  # fmt: skip
        seen = cv2.erode(mask, np.ones((3, 3), np.uint8), borderValue=1) > 0
        return match(self.field, features(_laid(source, to, self.size)), np.asarray(seen), reach=reach, step=step)

    def moved(self, matrix: Matrix, offset: Matrix) -> Matrix:
        """``matrix`` corrected: the source's features lie at ``offset`` (of pixels of the features) of where they
        belong."""
        inside = _HALF @ self.to
        return normalized(np.linalg.inv(inside) @ np.linalg.inv(offset) @ inside @ matrix)

    def offset(self, matrix: Matrix, other: Matrix) -> Matrix:
        """The offset (in pixels of the features) that ``moved`` takes from ``matrix`` to ``other``."""
        inside = _HALF @ self.to
        return normalized(inside @ matrix @ np.linalg.inv(inside @ other))

    def pixel(self) -> float:
        """The size of a pixel of the features, in pixels of the reference."""
        return float(2.0 / np.sqrt(self.to[0, 0] * self.to[1, 1]))


def _even(side: float) -> int:
    return max(2, int(side) // 2 * 2)


def _laid(view: View, matrix: Matrix, size: Size) -> FloatArray:
    """The luminance of ``view``, moved by ``matrix`` (from full pixels) into a frame of ``size``."""
    quad = transform(matrix, corners(view.full))
    longest = float(np.hypot(*(np.roll(quad, -1, axis=0) - quad).T).max())
    plane = reduced(view.plane, max(8, min(view.longest, round(longest))))
    whole = matrix @ resizing((plane.shape[1], plane.shape[0]), view.full)
    laid: npt.NDArray[np.float32] = cv2.warpPerspective(
        plane, whole, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(laid)
