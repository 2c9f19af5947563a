"""``Samples``: what a decoder hands over, and how that becomes a float picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tita_cli.images.geo import GeoTags
from tita_cli.images.metadata import upright_exif, upright_xmp
from tita_cli.images.picture import FloatArray, Metadata, Picture, Thermal
from tita_cli.images.profile import is_usable
from tita_cli.images.provenance import find_provenance
from tita_cli.images.transfer import encode_srgb
from tita_cli.options import Depth


@dataclass(frozen=True, slots=True)
class Samples:
    """The samples of one image as stored, H×W×C of any dtype, C = 1, 2, 3 or 4; 2 and 4 have alpha last.

    ``black`` and ``white``: the values that become 0 and 1. ``missing``: where the file says that it has no value, H×W.
    ``orientation``: EXIF's 1..8, not yet applied. ``premultiplied``: colour is multiplied by alpha. ``linear``: samples
    are light, not display values. ``thermal``: as :class:`Picture` has it. ``format``: where that is not the one whose
    decoder was asked. ``notes``: what could not be kept, for the user.
    """

    data: npt.NDArray[Any]
    white: float
    black: float = 0.0
    depth: Depth = 8
    missing: npt.NDArray[np.bool_] | None = None
    orientation: int = 1
    premultiplied: bool = False
    linear: bool = False
    exif: bytes | None = None
    icc: bytes | None = None
    xmp: bytes | None = None
    geo: GeoTags | None = None
    thermal: Thermal | None = None
    format: str | None = None
    notes: tuple[str, ...] = ()

    def to_picture(self, name: str, format_name: str) -> Picture:
        """Turn upright, and scale to float: the only copy of the samples that is made.

        Where there is no value (``missing``, NaN) the picture is black and transparent.
        """
        pixels, notes = _scaled(_upright(self.data, self.orientation), self.black, self.white), self.notes
        alpha = None
        if pixels.shape[2] in (2, 4):
            alpha = np.clip(pixels[..., -1], 0, 1)
            pixels = np.ascontiguousarray(pixels[..., :-1])
            if self.premultiplied:
                np.divide(pixels, alpha[..., None], out=pixels, where=alpha[..., None] > 0)
        if self.missing is not None:
            alpha = _hide(_upright(self.missing, self.orientation), pixels, alpha)
        if self.data.dtype.kind == "f" and not np.isfinite(pixels).all():
            unknown = np.asarray(np.isnan(pixels).any(axis=2))
            if unknown.any():
                alpha = _hide(unknown, pixels, alpha)
                notes += (f"{name}: holds values that are no numbers, they count as transparent",)
            if not np.isfinite(pixels).all():
                _bound_infinities(pixels)
                notes += (f"{name}: holds infinite values, they count as its largest or smallest one",)
        if self.linear:
            pixels = encode_srgb(pixels)
        icc = self.icc
        if icc is not None and not is_usable(icc):
            icc = None
            notes += (f"{name}: its ICC profile is damaged or of an unusual kind, it is not used",)
        metadata = Metadata(upright_exif(self.exif), icc, upright_xmp(self.xmp), find_provenance(self.xmp), self.geo)
        levels = (self.black, self.white)
        kind = self.format or format_name
        return Picture(pixels, alpha, self.depth, name, metadata, kind, levels, self.thermal, notes=notes)


def _scaled(data: npt.NDArray[Any], black: float, white: float) -> FloatArray:
    """``data`` as float32 with ``black`` at 0 and ``white`` at 1."""
    scaled = np.empty(data.shape, np.float32)
    if black == 0:
        values = data.view(np.uint8) if data.dtype == np.bool_ else data
        np.divide(values, np.float32(white), out=scaled, dtype=np.float32, casting="same_kind")
    else:
        scaled[...] = (data - black) / (white - black)  # in float64: integers of 32 bits may need it
    return scaled


def _hide(where: npt.NDArray[np.bool_], pixels: FloatArray, alpha: FloatArray | None) -> FloatArray:
    """Make ``pixels`` black where there is no value, in place, and return the alpha that is 0 there."""
    pixels[where] = 0
    visible = np.ones(where.shape, np.float32) if alpha is None else alpha
    visible[where] = 0
    return visible


def _bound_infinities(pixels: FloatArray) -> None:
    """Make the infinite the largest finite value, in place."""
    finite = pixels[np.isfinite(pixels)]
    low, high = (finite.min(), finite.max()) if finite.size else (0.0, 0.0)
    np.nan_to_num(pixels, copy=False, nan=0.0, neginf=low, posinf=high)


def _upright(data: npt.NDArray[Any], orientation: int) -> npt.NDArray[Any]:
    """Apply EXIF's orientation (1..8, anything else counts as 1) as a view."""
    if orientation in (5, 6, 7, 8):
        data = data.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        data = data[:, ::-1]
    if orientation in (3, 4, 7, 8):
        data = data[::-1]
    return data
