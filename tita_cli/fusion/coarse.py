"""What a network for sets sees of pictures of any size: a reduction, and how strong the detail is that it hides."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from tita_cli.images.picture import FloatArray

MOST_PIXELS = 350_000
"""Of a source, that the network sees."""
_TOTAL_PIXELS = 6_000_000
"""Of all sources together: 100 of them are seen smaller than two, which bounds the memory that their features take."""
_NARROW = 2
"""Times as many pixels of a source are seen at most, for pictures that are hardly wider than a window."""
_CELL = 4
_FADES = 6  # levels of a pyramid
_NOISE = np.float32(0.004)


@dataclass(frozen=True, slots=True)
class Grid:
    """How pictures of ``height``×``width`` become the network's ``rows``×``columns``.

    ``scale``: pixels of the picture to one of the network's, as the root of their number. ``padded``: small pictures
    are, at the bottom and right. Larger ones are reduced to multiples of a window, so that there is nothing to pad;
    those narrower than a window are enlarged in this direction.
    """

    height: int
    width: int
    rows: int
    columns: int
    scale: float
    padded: bool

    @classmethod
    def of(cls, height: int, width: int, count: int, multiple: int, most: int | None = None) -> Grid:
        """For ``count`` pictures and a network that takes multiples of ``multiple``, and sees ``most`` pixels of each
        at most."""
        most = min(most or MOST_PIXELS, _TOTAL_PIXELS // count)
        scale = (height * width / most) ** 0.5
        rows, columns = _up(height, multiple), _up(width, multiple)
        if scale <= 1 and rows * columns <= _NARROW * most:
            return cls(height, width, rows, columns, 1.0, padded=True)
        rows, columns = (max(round(side / max(scale, 1) / multiple), 1) * multiple for side in (height, width))
        if rows * columns > _NARROW * most:
            longest = max(most // multiple // multiple, 1) * multiple
            rows, columns = min(rows, longest), min(columns, longest)
        return cls(height, width, rows, columns, (height * width / (rows * columns)) ** 0.5, padded=False)

    @property
    def hidden_levels(self) -> int:
        """Levels of the picture's pyramid that are finer than the network's finest."""
        return max(round(float(np.log2(self.scale))), 0)

    def reduced(self, plane: FloatArray) -> FloatArray:
        """A plane H×W of the picture as the network sees it."""
        if not self.padded:
            return np.asarray(cv2.resize(plane, (self.columns, self.rows), interpolation=cv2.INTER_AREA))
        below, right = self.rows - self.height, self.columns - self.width
        if below >= self.height or right >= self.width:  # OpenCV reflects as often as needed, but not around one pixel
            return np.asarray(cv2.copyMakeBorder(plane, 0, below, 0, right, cv2.BORDER_REFLECT))
        return np.asarray(cv2.copyMakeBorder(plane, 0, below, 0, right, cv2.BORDER_REFLECT_101))

    def sampled(self, plane: FloatArray) -> FloatArray:
        """H×W or H×W×C of the picture at the network's size: single pixels of it, where :meth:`reduced` has means."""
        if not self.padded:
            return np.asarray(cv2.resize(plane, (self.columns, self.rows), interpolation=cv2.INTER_NEAREST))
        return self.reduced(plane)

    def hidden(self, plane: FloatArray) -> FloatArray:
        """2×rows/4×columns/4: log2(1 + mean |band| / noise) / 4 of the picture's two finest bands."""
        image = self.reduced(plane) if self.padded else plane
        size = (self.columns // _CELL, self.rows // _CELL)
        bands = []
        for _ in range(2):
            smaller = cv2.pyrDown(image)
            band = cv2.absdiff(image, cv2.pyrUp(smaller, dstsize=image.shape[::-1]))
            bands.append(cv2.resize(band, size, interpolation=cv2.INTER_AREA))
            image = smaller
        return np.asarray(np.log2(1 + np.stack(bands) / _NOISE) / 4, np.float32)

    def enlarged(self, plane: FloatArray, level: int, height: int, width: int) -> Enlarged:
        """A map of the network's pyramid at ``level`` as one of ``height``×``width`` over the same picture."""
        if self.padded:
            return Enlarged(plane[:height, :width], height, width)
        return Enlarged(plane, height, width)

    def enlarged_coarse(self, plane: FloatArray, height: int, width: int) -> Enlarged:
        """A map of a fraction of the network's size as one of the picture's size, ``height``×``width``."""
        if self.padded:
            plane = cv2.resize(plane, (self.columns, self.rows), interpolation=cv2.INTER_LINEAR)[:height, :width]
        return Enlarged(plane, height, width)


class Enlarged:
    """A plane enlarged to ``height``×``width`` by linear interpolation, some rows at a time."""

    def __init__(self, plane: FloatArray, height: int, width: int) -> None:
        self._height = height
        same = plane.shape[1] == width
        self._wide = plane if same else cv2.resize(plane, (width, len(plane)), interpolation=cv2.INTER_LINEAR)

    def rows(self, rows: slice) -> FloatArray:
        """rows×width float32, contiguous."""
        wide = self._wide
        if len(wide) == self._height:
            return np.ascontiguousarray(wide[rows])
        place = (np.arange(rows.start, rows.stop, dtype=np.float32) + 0.5) * (len(wide) / self._height) - 0.5
        place = np.clip(place, 0, len(wide) - 1)
        above = np.minimum(place.astype(np.intp), max(len(wide) - 2, 0))
        part = wide[np.minimum(above + 1, len(wide) - 1)]
        upper = wide[above]
        part -= upper
        part *= (place - above).astype(np.float32)[:, None]
        part += upper
        return np.asarray(part)


def continued(plane: FloatArray, known: FloatArray) -> FloatArray:
    """A plane H×W, ``known`` to 0..1, led on into what is not known, where it fades to 0 within some 100 pixels.

    By pulling and pushing in a pyramid: S. J. Gortler et al., "The lumigraph", SIGGRAPH 1996.
    """
    levels: list[tuple[FloatArray, FloatArray]] = [(plane * known, known)]
    while len(levels) <= _FADES and min(levels[-1][1].shape) > 1:
        levels.append((np.asarray(cv2.pyrDown(levels[-1][0])), np.asarray(cv2.pyrDown(levels[-1][1]))))
    found = np.zeros_like(levels[-1][1])
    for values, weight in reversed(levels):
        if found.shape != values.shape:
            found = np.asarray(cv2.pyrUp(found, dstsize=values.shape[::-1]))
        found = values + (1 - weight) * found
    return found


def _up(side: int, multiple: int) -> int:
    return -(-side // multiple) * multiple
