"""Clips of infrared that a camera has coloured: back to intensity by a table, since every frame would take seconds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tita_cli.images.false_color import undo_palette
from tita_cli.images.picture import Picture
from tita_cli.video.frame import Codes, Frame, Layout

_BITS = 6
"""Of each of R, G and B, that the table tells apart."""


class PaletteLookup:
    """The intensity of every colour under the palette called ``name``."""

    def __init__(self, name: str) -> None:
        steps = np.arange(1 << _BITS, dtype=np.float32) / ((1 << _BITS) - 1)
        red, green, blue = np.meshgrid(steps, steps, steps, indexing="ij")
        colors = np.stack([red, green, blue], axis=-1).reshape(1 << _BITS, -1, 3)
        found = undo_palette(Picture(colors.astype(np.float32)), name).pixels
        self._table = np.rint(found * 255).astype(np.uint8).ravel()

    def intensity(self, frame: Frame) -> Codes:
        """H×W, 0..255."""
        shift = 8 - _BITS
        red, green, blue = (plane.astype(np.uint32) >> shift for plane in np.moveaxis(frame.rgb(), 2, 0))
        return np.asarray(self._table[(red << 2 * _BITS) | (green << _BITS) | blue])

    @staticmethod
    def layout(coloured: Layout) -> Layout:
        """What the frames are like then."""
        return replace(coloured, format="gray", depth=8, is_color=False, full=True, tags={})
