"""Rectangles of an image or of a map, and what an image shows in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from tita_cli.images.picture import FloatArray


class Box(NamedTuple):
    """A rectangle of windows."""

    top: int
    bottom: int
    left: int
    right: int

    @property
    def slices(self) -> tuple[slice, slice]:
        return slice(self.top, self.bottom), slice(self.left, self.right)

    def grown(self, by: int, rows: int, cols: int) -> Box:
        """With ``by`` windows more on each side, as far as a map of rows × cols windows goes."""
        return Box(
            max(self.top - by, 0), min(self.bottom + by, rows), max(self.left - by, 0), min(self.right + by, cols)
        )

    def scaled(self, by: int) -> Box:
        """In tokens or pixels, ``by`` to a window."""
        return Box(*(by * edge for edge in self))

    def seen_from(self, outer: Box) -> Box:
        """Counted from the corner of a rectangle around this one."""
        return Box(self.top - outer.top, self.bottom - outer.top, self.left - outer.left, self.right - outer.left)


def padded_part(image: FloatArray, box: Box) -> FloatArray:
    """A rectangle of pixels of an image that is reflected at its bottom and right, as ``pad_to_multiple`` does."""
    h, w = image.shape
    if box.bottom <= h and box.right <= w:
        return image[box.slices]
    reflected: FloatArray = image[np.ix_(_reflected(box.top, box.bottom, h), _reflected(box.left, box.right, w))]
    return reflected


def _reflected(start: int, stop: int, length: int) -> Any:
    period = max(2 * (length - 1), 1)
    i = np.arange(start, stop) % period
    return np.minimum(i, period - i)
