"""Radiometric JPEG: thermal counts, often a photograph, and the coloured picture that programs show."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
import numpy.typing as npt

from tita_cli.errors import InputError, parsing
from tita_cli.images.formats import dji, flir
from tita_cli.images.formats.format import Page, Request
from tita_cli.images.formats.jpeg_segments import APP3, frame_size, segments
from tita_cli.images.formats.png import stated_size as png_size
from tita_cli.images.picture import Thermal

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

_MAKE, _MODEL, _EXIF, _ZOOM = 0x010F, 0x0110, 0x8769, 0xA404
_MOST_ZOOM = 64.0

THERMAL, VISIBLE, PREVIEW = "thermal", "visible", "preview"
"""Names of the pages."""


@dataclass(frozen=True, slots=True)
class Radiometric:
    """What a radiometric JPEG holds. ``size``: of the counts. ``photograph``: a JPEG or PNG file, None for none."""

    size: tuple[int, int]
    counts: Callable[[Request], npt.NDArray[np.uint16]]
    thermal: Callable[[], Thermal]
    photograph: bytes | None = None
    photograph_size: tuple[int, int] | None = None

    def pages(self, preview: tuple[int, int]) -> tuple[Page, ...]:
        """The photograph first, since a result has the frame of the first source."""
        counts = Page(THERMAL, "thermal counts", self.size, main=True)
        colored = Page(PREVIEW, "the camera's preview", preview, fused=False)
        if self.photograph is None:
            return counts, colored
        return Page(VISIBLE, "photograph", self.photograph_size), counts, colored


def find_radiometric(stream: BinaryIO, image: ImageFile) -> Radiometric | None:
    """What the JPEG file in ``stream``, opened as ``image``, holds beside its picture; None for an ordinary one.

    :raises ValueError: it has counts, and they are damaged.
    """
    parts = [part for part in segments(stream) if part[0] == APP3 or part[1].startswith(flir.SEGMENT)]
    camera = _camera(image)
    block = flir.joined(parts)
    if block is not None:
        return _of_flir(block, camera, _zoom(image))
    if not camera.startswith(dji.MAKER):
        return None
    counts = dji.find_counts(parts, image.size)
    if counts is None:
        return None
    return Radiometric((counts.shape[1], counts.shape[0]), lambda request: counts, lambda: Thermal(camera))


def _of_flir(block: bytes, camera: str, zoom: float) -> Radiometric | None:
    records = flir.parse_records(block)
    if records.size is None:
        return None
    photograph = records.photograph
    size = None if photograph is None else frame_size(photograph) or png_size(photograph)

    def thermal() -> Thermal:
        return Thermal(camera, records.celsius(), records.place(zoom), size)

    return Radiometric(records.size, records.counts, thermal, photograph if size else None, size)


def _camera(image: ImageFile) -> str:
    """Maker and model; damaged EXIF is no reason to refuse the pixels."""
    try:
        with parsing("EXIF"):
            exif = image.getexif()
            return " ".join(str(exif.get(tag, "")).strip("\0 ") for tag in (_MAKE, _MODEL)).strip()
    except InputError:
        return ""


def _zoom(image: ImageFile) -> float:
    """The camera's digital zoom; 1 for none, and for what cannot be one."""
    try:
        with parsing("EXIF"):
            zoom = float(image.getexif().get_ifd(_EXIF).get(_ZOOM, 1))
            return zoom if 1 <= zoom <= _MOST_ZOOM else 1.0
    except InputError:
        return 1.0
