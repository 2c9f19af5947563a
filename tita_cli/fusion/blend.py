"""Apply a network's decision at full size: sources are blended in a Laplacian pyramid, or pixel by pixel.

P. J. Burt, R. J. Kolczynski, "Enhanced image capture through fusion", ICCV 1993. Sources are added one after the other,
so that memory does not grow with their number. OpenCV does the arithmetic that ``tita_cli.network.pyramid`` was trained
with.
"""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
import numpy.typing as npt

from tita_cli.fusion.coarse import Grid
from tita_cli.images.color import Chroma
from tita_cli.images.picture import FloatArray
from tita_cli.runtime.set_engine import Decision

_COLOR_LEVEL = 2
"""The level whose shares blend chroma: a quarter of the size, since eyes see colour coarsely."""
_LEAST_COLOR = np.float32(0.02)
"""Share that every coloured source has in the chroma at least, for places where only grey ones count."""


class Blend:
    """The picture that grows as sources are added. Planes are H×W float32."""

    def __init__(self, grid: Grid, decision: Decision) -> None:
        self._grid, self._decision = grid, decision
        self._levels: list[FloatArray] | None = None
        self._plain: FloatArray | None = None
        self._darkest: FloatArray | None = None
        self._color: list[FloatArray] | None = None

    def add(self, index: int, luminance: FloatArray, chroma: Chroma | None) -> None:
        """Source ``index``, once."""
        plain = self._share(index, 0, *luminance.shape, gained=False) * luminance
        self._plain = plain if self._plain is None else cv2.add(self._plain, plain, dst=self._plain)
        bands = _Bands(luminance, len(self._decision.shares) - 1 + self._grid.hidden_levels)
        first = self._levels is None
        levels: list[FloatArray] = [] if self._levels is None else self._levels
        for level, band in enumerate(bands):
            share = self._share(index, level, *band.shape)
            if first:
                levels.append(np.multiply(share, band, out=share))
            else:
                cv2.accumulateProduct(share, band, levels[level])
        self._levels = levels
        dark = np.asarray(cv2.erode(luminance, np.ones((3, 3), np.uint8)))
        self._darkest = dark if self._darkest is None else np.minimum(self._darkest, dark, out=self._darkest)
        if chroma is not None:
            self._add_color(index, chroma)

    def luminance(self) -> FloatArray:
        """The picture, not clipped: nowhere darker than all sources around a pixel, which would draw rims."""
        if self._levels is None or self._plain is None or self._darkest is None:
            raise ValueError("no source was added")
        image = self._levels[-1]
        for band in reversed(self._levels[:-1]):
            image = cv2.add(cv2.pyrUp(image, dstsize=band.shape[::-1]), band, dst=band)
        self._levels = None
        image += self._grid.enlarged_coarse(self._decision.direct, *image.shape) * (self._plain - image)
        return np.maximum(image, self._darkest, out=self._darkest)

    def chroma(self) -> Chroma | None:
        """None where no source had any."""
        if self._color is None:
            return None
        cb, cr, total = self._color
        return Chroma(np.divide(cb, total, out=cb), np.divide(cr, total, out=cr))

    def winner(self) -> npt.NDArray[np.uint8]:
        """H×W: the source with the largest share of the finest level."""
        grid = self._grid
        best = np.minimum(self._decision.shares[0].argmax(0), 255).astype(np.uint8)
        if grid.scale == 1:
            return np.asarray(best[: grid.height, : grid.width])
        return np.asarray(cv2.resize(best, (grid.width, grid.height), interpolation=cv2.INTER_NEAREST))

    def _share(self, index: int, level: int, height: int, width: int, *, gained: bool = True) -> FloatArray:
        """Share and gain of a source in a level of the picture's pyramid. Levels that the network did not see go with
        the finest that it did."""
        known = max(level - self._grid.hidden_levels, 0)
        share = self._decision.shares[known][index]
        if gained and known < len(self._decision.gains):
            share = share + self._decision.gains[known][index]
        return self._grid.enlarged(share, known, height, width)

    def _add_color(self, index: int, chroma: Chroma) -> None:
        height, width = chroma.cb.shape
        small = self._decision.shares[_COLOR_LEVEL][index]
        grid = self._grid
        if grid.scale == 1:
            big = cv2.resize(small, (grid.columns, grid.rows), interpolation=cv2.INTER_LINEAR)[:height, :width]
        else:
            big = cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)
        share = np.ascontiguousarray(big) + _LEAST_COLOR
        if self._color is None:
            self._color = [share * chroma.cb, share * chroma.cr, share]
        else:
            cv2.accumulateProduct(share, chroma.cb, self._color[0])
            cv2.accumulateProduct(share, chroma.cr, self._color[1])
            cv2.accumulate(share, self._color[2])


class _Bands:
    """The detail bands of an image, fine to coarse, and the base: made one at a time."""

    def __init__(self, image: FloatArray, count: int) -> None:
        self._image, self._count = np.ascontiguousarray(image), count

    def __iter__(self) -> Iterator[FloatArray]:
        image = self._image
        for _ in range(self._count):
            smaller = cv2.pyrDown(image)
            yield np.asarray(cv2.subtract(image, cv2.pyrUp(smaller, dstsize=image.shape[::-1])))
            image = np.asarray(smaller)
        yield image
