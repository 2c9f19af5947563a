"""``Picture``: what a file holds once it is read, and what a file is written from."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from tita_cli.errors import InputError
from tita_cli.images.geo import GeoTags
from tita_cli.images.provenance import Provenance
from tita_cli.options import Depth

FloatArray: TypeAlias = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Metadata:
    """What a file says about its picture beside the pixels. Raw blocks, as the libraries hand them over.

    ``exif`` is a bare TIFF structure, with its orientation tag reset to 1 because reading applies it to the pixels.
    ``geo``: where on the map it lies. ``provenance``: how the picture was fused, where it was; it is read from ``xmp``
    and written into it.
    """

    exif: bytes | None = None
    icc: bytes | None = None
    xmp: bytes | None = None
    provenance: Provenance | None = None
    geo: GeoTags | None = None


@dataclass(frozen=True, slots=True)
class PictureInPicture:
    """How thermal counts lie in a photograph of the same camera: they show its middle, moved by ``offset``.

    ``ratio``: how much wider the photograph sees (FLIR's Real2IR). ``offset``: to the right and down, in pixels of the
    photograph. ``counts``: width and height of the counts.
    """

    ratio: float
    offset: tuple[int, int]
    counts: tuple[int, int]

    def matrix(self, photograph: tuple[int, int]) -> npt.NDArray[np.float64] | None:
        """3×3, from pixels of the counts to those of a photograph of that width and height; None where the offset is
        beyond it."""
        if any(abs(offset) > side for offset, side in zip(self.offset, photograph, strict=True)):
            return None
        scale = photograph[0] / self.counts[0] / self.ratio
        shift = [
            (whole - 1) / 2 + offset - scale * (own - 1) / 2
            for whole, own, offset in zip(photograph, self.counts, self.offset, strict=True)
        ]
        return np.array([[scale, 0.0, shift[0]], [0.0, scale, shift[1]], [0.0, 0.0, 1.0]])


@dataclass(frozen=True, slots=True)
class Thermal:
    """What a camera's file says about thermal counts.

    ``camera``: maker and model. ``celsius``: the temperature of each of the counts 0..65535, 65,536 float32, NaN where
    it has none; None where the file does not tell. ``place``: how the counts, as they were read, lie in a photograph of
    this camera; None where it is not stated. ``photograph``: width and height of the one in the same file, or None.
    """

    camera: str
    celsius: FloatArray | None = None
    place: PictureInPicture | None = None
    photograph: tuple[int, int] | None = None

    @property
    def to_photograph(self) -> npt.NDArray[np.float64] | None:
        """3×3, from pixels of the counts to pixels of the photograph in the same file; None where it is not stated."""
        return None if self.place is None or self.photograph is None else self.place.matrix(self.photograph)


@dataclass(frozen=True, slots=True)
class Picture:
    """One image, upright, as float.

    ``pixels``: H×W×C float32, C = 1 (grey) or 3 (R, G, B), nominally 0..1 of the file's own range, not premultiplied.
    ``alpha``: H×W float32 in 0..1, or None where the file has none (opaque everywhere).
    ``depth``: bits a sample of the file: 8, 16 (any integer deeper than 8 bits) or 32 (float).
    ``name``: what messages call it: the path as the user gave it, or ``<stdin>``.
    ``format``: what it was read from, as ``tita_cli.images.formats`` calls it.
    ``levels``: the values of the file, in its own units (counts, degrees), that became 0 and 1.
    ``thermal``: of thermal counts, which an infrared camera took; None where the file does not say so.
    ``palette``: the one that had coloured it, or "unknown", of a grey picture that was turned back to intensity.
    ``notes``: what reading could not keep or had to guess, one line each, for the user.
    ``shown``: of measurements in floats beyond 0..1, the pixels that integers hold as black and white; None for others.
    """

    pixels: FloatArray
    alpha: FloatArray | None = None
    depth: Depth = 8
    name: str = "<memory>"
    metadata: Metadata = field(default_factory=Metadata)
    format: str | None = None
    levels: tuple[float, float] = (0.0, 1.0)
    thermal: Thermal | None = None
    palette: str | None = None
    notes: tuple[str, ...] = ()
    shown: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        """Raises InputError for pixels of another shape or of integers, which :meth:`from_array` takes."""
        pixels = self.pixels
        if not isinstance(pixels, np.ndarray) or pixels.ndim != 3 or pixels.dtype.kind != "f":
            said = f"{pixels.dtype}, {pixels.ndim} axes" if isinstance(pixels, np.ndarray) else type(pixels).__name__
            raise InputError(
                f"{self.name}: pixels are floats of H×W×C, not {said}", hint="Picture.from_array takes other arrays"
            )

    @classmethod
    def from_array(cls, array: npt.NDArray[Any], *, name: str = "<array>") -> Picture:
        """See :func:`tita_cli.images.from_array.from_array`: shapes, types and values that mean a picture."""
        from tita_cli.images.from_array import from_array

        return from_array(array, name=name)

    @property
    def height(self) -> int:
        return int(self.pixels.shape[0])

    @property
    def width(self) -> int:
        return int(self.pixels.shape[1])

    def __repr__(self) -> str:
        """Short: pixels and metadata would fill a notebook."""
        return f"<Picture {self.name}: {self.size}, {self.depth} bits>"

    @property
    def size(self) -> str:
        """Width × height, as people write it."""
        return f"{self.width}×{self.height}"

    @property
    def is_color(self) -> bool:
        return int(self.pixels.shape[2]) == 3

    def with_depth(self, depth: Depth) -> Picture:
        """Itself with ``depth`` bits a sample; measurements become shares of what they show where that is no float."""
        if depth == 32 or self.shown is None:
            return replace(self, depth=depth)
        low, high = self.shown
        pixels = (self.pixels - np.float32(low)) / np.float32(high - low)
        return replace(self, pixels=pixels, depth=depth, shown=None)
