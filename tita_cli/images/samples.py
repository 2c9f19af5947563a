"""``Samples``: what a decoder hands over, and how that becomes a float picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tita_cli.images.metadata import upright_exif, upright_xmp
from tita_cli.images.picture import Depth, FloatArray, Metadata, Picture


@dataclass(frozen=True, slots=True)
class Samples:
    """The samples of one image as stored, H×W×C of any dtype, C = 1, 2, 3 or 4; 2 and 4 have alpha last.

    ``black`` and ``white``: the values that become 0 and 1. ``orientation``: EXIF's 1..8, not yet applied.
    ``premultiplied``: colour was multiplied by alpha. ``notes``: what could not be kept, for the user.
    """

    data: npt.NDArray[Any]
    white: float
    black: float = 0.0
    depth: Depth = 8
    orientation: int = 1
    premultiplied: bool = False
    exif: bytes | None = None
    icc: bytes | None = None
    xmp: bytes | None = None
    notes: tuple[str, ...] = ()

    def to_picture(self, name: str) -> Picture:
        """Turn upright, and scale to float: the only copy of the samples that is made."""
        data = _upright(self.data, self.orientation)
        channels = data.shape[2]
        scaled = self._scaled(data)
        pixels, alpha = scaled, None
        if channels in (2, 4):
            pixels = np.ascontiguousarray(scaled[..., :-1])
            alpha = np.clip(scaled[..., -1], 0, 1)
            if self.premultiplied:
                np.divide(pixels, alpha[..., None], out=pixels, where=alpha[..., None] > 0)
        metadata = Metadata(upright_exif(self.exif), self.icc, upright_xmp(self.xmp))
        return Picture(pixels, alpha, self.depth, name, metadata, notes=self.notes)

    def _scaled(self, data: npt.NDArray[Any]) -> FloatArray:
        if data.dtype == np.bool_:
            data = data.view(np.uint8)
        scaled = np.empty(data.shape, np.float32)
        if self.black == 0.0:
            np.divide(data, np.asarray(self.white, scaled.dtype), out=scaled, dtype=scaled.dtype, casting="same_kind")
        else:
            np.subtract(data, self.black, out=scaled, casting="same_kind")
            scaled /= np.float32(self.white - self.black)
        return scaled


def _upright(data: npt.NDArray[Any], orientation: int) -> npt.NDArray[Any]:
    """Apply EXIF's orientation (1..8, anything else counts as 1) as a view."""
    if orientation in (5, 6, 7, 8):
        data = data.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        data = data[:, ::-1]
    if orientation in (3, 4, 7, 8):
        data = data[::-1]
    return data
