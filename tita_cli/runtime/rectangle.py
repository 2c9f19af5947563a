"""Rectangles of a map or an image."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple


class Rectangle(NamedTuple):
    """Rows ``top`` to ``bottom − 1``, columns ``left`` to ``right − 1``, in windows, tokens or pixels."""

    top: int
    bottom: int
    left: int
    right: int

    @property
    def slices(self) -> tuple[slice, slice]:
        return slice(self.top, self.bottom), slice(self.left, self.right)

    def grown(self, by: int, rows: int, cols: int) -> Rectangle:
        """With a halo of ``by`` on each side, as far as a map of rows × cols goes."""
        return Rectangle(
            max(self.top - by, 0), min(self.bottom + by, rows), max(self.left - by, 0), min(self.right + by, cols)
        )

    def scaled(self, by: int) -> Rectangle:
        """In a unit ``by`` times finer."""
        return Rectangle(*(by * edge for edge in self))

    def coarsened(self, by: int) -> Rectangle:
        """The smallest around it in a unit ``by`` times coarser."""
        return Rectangle(self.top // by, -(-self.bottom // by), self.left // by, -(-self.right // by))

    def relative_to(self, outer: Rectangle) -> Rectangle:
        """Counted from the corner of a rectangle around this one."""
        return Rectangle(self.top - outer.top, self.bottom - outer.top, self.left - outer.left, self.right - outer.left)


def rectangles(rows: int, cols: int, height: int, width: int) -> Iterator[Rectangle]:
    """Cut rows × cols into rectangles of at most height × width, about equal."""
    for top, bottom in _parts(rows, height):
        for left, right in _parts(cols, width):
            yield Rectangle(top, bottom, left, right)


def _parts(length: int, size: int) -> Iterator[tuple[int, int]]:
    count = -(-length // size)
    return pairwise(length * i // count for i in range(count + 1))
