"""Apply a network's decision at full size: sources are blended in a Laplacian pyramid, or pixel by pixel.

P. J. Burt, R. J. Kolczynski, "Enhanced image capture through fusion", ICCV 1993. Sources are added one after the other,
and large levels are worked on in strips of rows, so that memory grows neither with the number of sources nor by more
than a few planes with their size; several strips at a time, which changes no number. OpenCV does the arithmetic that
``tita_cli.network.pyramid`` was trained with.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import cv2
import numpy as np
import numpy.typing as npt

from tita_cli.fusion.coarse import Enlarged, Grid
from tita_cli.images.color import Chroma, luma, split_luma
from tita_cli.images.picture import FloatArray, Picture
from tita_cli.runtime.set_engine import Decision
from tita_cli.runtime.threads import each

STRIP = 1 << 18
"""Pixels of a strip: what is computed for one stays in the cache."""


class Blend:
    """The picture that grows as sources are added. Planes are H×W float32.

    ``color``: for every source its share of the chroma at the network's size, of sum 1; None for one without colour.
    ``behind``: for every source the luminance at the network's size that shines through where it is transparent; None
    for opaque ones, nothing where all are. ``threads``: how many strips are worked on at a time.
    """

    def __init__(
        self,
        grid: Grid,
        decision: Decision,
        color: Sequence[FloatArray | None],
        behind: Sequence[FloatArray | None] = (),
        threads: int = 1,
    ) -> None:
        self._threads = threads
        self._grid, self._decision, self._color, self._behind = grid, decision, color, behind
        self._levels: list[FloatArray] = []
        self._plain: FloatArray | None = None
        self._darkest: FloatArray | None = None
        self._chroma: Chroma | None = None

    def luminance_of(self, index: int, rows_of: Callable[[slice], Picture]) -> FloatArray:
        """What :meth:`add` takes of source ``index``, given some rows at a time; its chroma is added here."""
        height, width = self._grid.height, self._grid.width
        luminance = np.empty((height, width), np.float32)
        color = self._color[index]
        share = None if color is None else self._grid.enlarged(color, 0, height, width)
        if share is not None and self._chroma is None:
            self._chroma = Chroma(np.zeros_like(luminance), np.zeros_like(luminance))
        under = self._behind[index] if self._behind else None
        behind = None if under is None else self._grid.enlarged(under, 0, height, width)

        def take(rows: slice) -> None:
            part, y = rows_of(rows), luminance[rows]
            if share is None or self._chroma is None:
                y[...] = luma(part.pixels)
            else:
                y[...], *chroma = split_luma(part.pixels)
                weight = share.rows(rows)
                for total, plane in zip(self._chroma, chroma, strict=True):
                    cv2.accumulateProduct(weight, plane, total[rows])
            if part.alpha is not None and behind is not None:
                filling = behind.rows(rows)
                y[...] = filling + part.alpha * (y - filling)

        each(take, strips(height, width), self._threads)
        return luminance

    def add(self, index: int, luminance: FloatArray) -> None:
        """Source ``index``, once."""
        self._add_darkest(luminance)
        if self._decision.direct.any():
            self._add_plain(index, luminance)
        if (self._decision.direct < 1).any():
            self._add_bands(index, luminance)

    def _add_plain(self, index: int, luminance: FloatArray) -> None:
        plain = self._plain = np.zeros_like(luminance) if self._plain is None else self._plain
        share = self._grid.enlarged(self._decision.shares[0][index], 0, *luminance.shape)

        def take(rows: slice) -> None:
            cv2.accumulateProduct(share.rows(rows), luminance[rows], plain[rows])

        each(take, strips(*luminance.shape), self._threads)

    def _add_bands(self, index: int, luminance: FloatArray) -> None:
        image, last = luminance, len(self._decision.shares) - 1 + self._grid.hidden_levels
        for level in range(last + 1):
            smaller = None if level == last else np.asarray(cv2.pyrDown(image))
            if level == len(self._levels):
                self._levels.append(np.zeros_like(image))
            self._add_band(image, smaller, self._share(index, level, *image.shape), self._levels[level])
            image = image if smaller is None else smaller

    def _add_band(self, image: FloatArray, smaller: FloatArray | None, share: Enlarged, total: FloatArray) -> None:
        """``share`` of what ``smaller`` lacks of ``image`` (H×W) to ``total``; all of it where that is None."""

        def take(rows: slice) -> None:
            band = image[rows] if smaller is None else cv2.subtract(image[rows], expanded(smaller, rows, image))
            cv2.accumulateProduct(share.rows(rows), np.ascontiguousarray(band), total[rows])

        each(take, strips(*image.shape), self._threads)

    def luminance(self) -> FloatArray:
        """The picture in 0..1: nowhere darker than all sources around a pixel, which would draw rims. To be called
        once."""
        image, plain, darkest = self._collapsed() if self._levels else self._plain, self._plain, self._darkest
        if image is None or darkest is None:
            raise ValueError("no source was added")
        mixed = plain is not None and image is not plain
        direct = self._grid.enlarged_coarse(self._decision.direct, *image.shape) if mixed else None

        def finish(rows: slice) -> None:
            part = image[rows]
            if direct is not None and plain is not None:
                part += direct.rows(rows) * (plain[rows] - part)
            np.maximum(part, darkest[rows], out=part)
            np.clip(part, 0, 1, out=part)

        each(finish, strips(*image.shape), self._threads)
        return image

    def _collapsed(self) -> FloatArray:
        image = self._levels.pop()
        while self._levels:
            image = self._onto(image, self._levels.pop())
        return image

    def _onto(self, image: FloatArray, band: FloatArray) -> FloatArray:
        """``band`` (H×W) with ``image``, enlarged, added to it."""

        def add(rows: slice) -> None:
            band[rows] += expanded(image, rows, band)

        each(add, strips(*band.shape), self._threads)
        return band

    def chroma(self) -> Chroma | None:
        """None where no source had any."""
        return self._chroma

    def winner(self) -> npt.NDArray[np.uint8]:
        """H×W: the source with the largest share of the finest level."""
        grid, best = self._grid, np.minimum(self._decision.winner(), 255).astype(np.uint8)
        if grid.padded:
            return np.asarray(best[: grid.height, : grid.width])
        return np.asarray(cv2.resize(best, (grid.width, grid.height), interpolation=cv2.INTER_NEAREST))

    def _share(self, index: int, level: int, height: int, width: int) -> Enlarged:
        """Share and gain of a source in a level of the picture's pyramid. Levels that the network did not see go with
        the finest that it did."""
        known = max(level - self._grid.hidden_levels, 0)
        share = self._decision.shares[known][index]
        if known < len(self._decision.gains):
            share = share + self._decision.gains[known][index]
        return self._grid.enlarged(share, known, height, width)

    def _add_darkest(self, luminance: FloatArray) -> None:
        height, width = luminance.shape
        first = self._darkest is None
        darkest = np.empty_like(luminance) if self._darkest is None else self._darkest

        def take(rows: slice) -> None:
            above, below = max(rows.start - 1, 0), min(rows.stop + 1, height)
            dark = cv2.erode(luminance[above:below], np.ones((3, 3), np.uint8))
            dark = dark[rows.start - above : rows.stop - above]
            darkest[rows] = dark if first else np.minimum(darkest[rows], dark)

        each(take, strips(height, width), self._threads)
        self._darkest = darkest


def strips(height: int, width: int) -> Iterator[slice]:
    """Rows of a plane, some at a time, each strip beginning at an even one."""
    step = max(STRIP // width // 2, 1) * 2
    for top in range(0, height, step):
        yield slice(top, min(top + step, height))


def expanded(smaller: FloatArray, rows: slice, like: FloatArray) -> FloatArray:
    """The rows of ``pyrUp(smaller)``, of the size of ``like``."""
    height, width = like.shape
    top, bottom = max(rows.start // 2 - 1, 0), min(-(-rows.stop // 2) + 1, len(smaller))
    part = cv2.pyrUp(smaller[top:bottom], dstsize=(width, min(2 * bottom, height) - 2 * top))
    return np.asarray(part[rows.start - 2 * top : rows.stop - 2 * top])
