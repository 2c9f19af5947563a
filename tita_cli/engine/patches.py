"""Rectangles of a map with what lies around them: for whatever sees across its own edge."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from tita_cli.engine.windows import WINDOW, to_map, to_windows

if TYPE_CHECKING:
    from tita_cli.images.picture import FloatArray


class Span(NamedTuple):
    """Windows ``start`` … ``stop − 1`` of one axis, and ``before``, ``after`` tokens more, fewer at the map's edge."""

    start: int
    stop: int
    before: int
    after: int

    @classmethod
    def around(cls, start: int, stop: int, length: int, reach: int) -> Span:
        """With ``reach`` tokens to each side, as far as an axis of ``length`` windows goes."""
        return cls(start, stop, min(reach, start * WINDOW), min(reach, (length - stop) * WINDOW))

    @property
    def windows(self) -> slice:
        return slice(self.start, self.stop)

    @property
    def all_windows(self) -> slice:
        """The windows that the span and its halo touch."""
        return slice(self.start - -(-self.before // WINDOW), self.stop + -(-self.after // WINDOW))

    def tokens(self, scale: int = 1, origin: int = 0) -> slice:
        """The span with its halo in tokens, or in pixels of ``scale`` to a token, counted from window ``origin``."""
        start = (self.start - origin) * WINDOW - self.before
        return slice(start * scale, ((self.stop - origin) * WINDOW + self.after) * scale)

    def inside(self, scale: int = 1) -> slice:
        """The span without its halo, in what :meth:`tokens` cut out."""
        return slice(self.before * scale, (self.before + (self.stop - self.start) * WINDOW) * scale)

    def narrowed(self, reach: int) -> Span:
        """The same windows with at most ``reach`` tokens around them."""
        return self._replace(before=min(self.before, reach), after=min(self.after, reach))

    def within(self, outer: Span, scale: int = 1) -> slice:
        """The span with its halo, in what ``outer``, the same windows with more around them, cut out."""
        start = outer.before - self.before
        return slice(start * scale, (start + self.before + (self.stop - self.start) * WINDOW + self.after) * scale)

    def core(self, scale: int = 1) -> slice:
        """The span without its halo, in the map."""
        return slice(self.start * WINDOW * scale, self.stop * WINDOW * scale)


class Patch(NamedTuple):
    """A rectangle of a map."""

    rows: Span
    cols: Span

    def cut_windows(self, windows: FloatArray) -> FloatArray:
        """The patch with its halo out of H×W×C×64 windows, as C×h×w tokens."""
        rows, cols = self.rows.all_windows, self.cols.all_windows
        features = to_map(windows[rows, cols])
        return features[:, self.rows.tokens(origin=rows.start), self.cols.tokens(origin=cols.start)]

    def paste_windows(self, windows: FloatArray, features: FloatArray) -> None:
        """Write the inside of C×h×w tokens, cut with a halo, to its place among the windows."""
        windows[self.rows.windows, self.cols.windows] = to_windows(features[:, self.rows.inside(), self.cols.inside()])

    def narrowed(self, reach: int) -> Patch:
        """The same windows with at most ``reach`` tokens around them."""
        return Patch(self.rows.narrowed(reach), self.cols.narrowed(reach))

    def within(self, outer: Patch, scale: int = 1) -> tuple[slice, slice]:
        """Rows and columns of this patch in what ``outer``, the same windows with more around them, cut out."""
        return self.rows.within(outer.rows, scale), self.cols.within(outer.cols, scale)

    def cut_image(self, image: FloatArray, scale: int) -> FloatArray:
        """The patch with its halo out of an image H×W of ``scale`` pixels to a token's side."""
        return image[self.rows.tokens(scale), self.cols.tokens(scale)]

    def paste_image(self, image: FloatArray, part: FloatArray, scale: int) -> None:
        """Write the inside of ``part``, cut with a halo, to its place in the image."""
        image[self.rows.core(scale), self.cols.core(scale)] = part[self.rows.inside(scale), self.cols.inside(scale)]


def patches(rows: int, cols: int, high: int, wide: int, reach: int) -> Iterator[Patch]:
    """Cut a map of rows × cols windows into patches of at most high × wide, ``reach`` tokens around each."""
    for top, bottom in parts(rows, high):
        for left, right in parts(cols, wide):
            yield Patch(Span.around(top, bottom, rows, reach), Span.around(left, right, cols, reach))


def parts(length: int, size: int) -> Iterator[tuple[int, int]]:
    """Cut ``length`` into parts of at most ``size``, about equal: their starts and stops."""
    count = -(-length // size)
    return pairwise(length * i // count for i in range(count + 1))
