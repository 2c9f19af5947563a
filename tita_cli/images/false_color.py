"""Infrared that a camera has coloured by a palette: recognising it, and turning it back into intensity.

Its colours are no colours and its luminance does not rise with temperature, so that fusing it as a photograph paints
the result blue and orange and mistakes the middle of the scale for its end.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import numpy.typing as npt

from tita_cli.errors import InputError
from tita_cli.images.picture import FloatArray, Picture
from tita_cli.images.quantize import quantize

# Palettes of thermal cameras and of the programs that colour counts, by OpenCV's names, and the camera makers' iron,
# of which every maker has a shade of its own; these are the corners that the shades share.
_OPENCV_PALETTES = ("JET", "HOT", "INFERNO", "MAGMA", "PLASMA", "TURBO", "RAINBOW")
_IRON_CORNERS = (
    (0, 0, 0), (32, 0, 140), (120, 0, 155), (190, 20, 140), (225, 70, 35), (250, 135, 5), (255, 200, 30),
    (255, 245, 130), (255, 255, 255),
)  # fmt: skip

_PROBES = 1024
_COLORFUL = 24  # spread of R, G, B, of 255, from which a pixel says something about a palette
_LEAST_COLORFUL = 0.2  # of all pixels
_LEAST_STEPS = 8  # of 32 that a palette is cut into
# Four of five coloured pixels lie so near to the palette, of 255: JPEG blurs colour, and cameras draw scales and marks.
_NEAR, _NEAR_SHARE = 16.0, 0.8


def recognise_palette(picture: Picture) -> str | None:
    """The name of the palette that coloured ``picture``; None for photographs and grey pictures."""
    if not picture.is_color:
        return None
    pixels = picture.pixels.reshape(-1, 3)
    probes = pixels[np.linspace(0, len(pixels) - 1, min(_PROBES, len(pixels))).astype(np.intp)] * np.float32(255)
    colorful = probes[np.ptp(probes, axis=1) > _COLORFUL]
    if len(colorful) < _LEAST_COLORFUL * len(probes):
        return None
    fitting = {}
    for name, table in palettes().items():
        steps, distances = _nearest(colorful, table)
        if np.quantile(distances, _NEAR_SHARE) < _NEAR and len(np.unique(steps // 8)) >= _LEAST_STEPS:
            fitting[name] = float(distances.mean())
    return min(fitting, key=lambda name: fitting[name], default=None)


def refuse_palette(picture: Picture) -> None:
    """Refuse a picture that a palette has coloured.

    :raises InputError: it is one; the hint names the ways out.
    """
    name = recognise_palette(picture)
    if name is not None:
        raise InputError(
            f"{picture.name}: is coloured by the palette {name!r}, its colours mean intensities",
            hint="--false-color intensity turns it back, --false-color keep takes it as it is",
        )


def palette_to_intensity(picture: Picture, palette: str | None = None) -> Picture:
    """``picture`` as a grey one, 0..1 along the palette that coloured it; unchanged where none did.

    ``palette``: one of :func:`palettes`, or None to recognise it.
    """
    name = palette or recognise_palette(picture)
    if name is None:
        return picture
    codes = quantize(picture.pixels, 8).astype(np.uint32)
    packed = (codes[..., 0] << 16) | (codes[..., 1] << 8) | codes[..., 2]
    colors, places = np.unique(packed, return_inverse=True)
    unpacked = np.stack([colors >> 16, (colors >> 8) & 255, colors & 255], axis=1).astype(np.float32)
    steps, _ = _nearest(unpacked, palettes()[name])
    intensity = (steps.astype(np.float32) / 255)[places.reshape(packed.shape)]
    note = f"{picture.name}: turned back to intensity from the palette {name!r}"
    metadata = replace(picture.metadata, icc=None)
    return replace(picture, pixels=intensity[..., None], metadata=metadata, notes=(*picture.notes, note))


@cache
def palettes() -> dict[str, FloatArray]:
    """The palettes that are recognised, each 256×3, 0..255, from the cold end to the hot one."""
    import cv2

    ramp = np.arange(256, dtype=np.uint8)[:, None]
    tables = {
        name.lower(): cv2.applyColorMap(ramp, getattr(cv2, f"COLORMAP_{name}"))[:, 0, ::-1].astype(np.float32)
        for name in _OPENCV_PALETTES
    }
    corners = np.array(_IRON_CORNERS, np.float32)
    at, places = np.linspace(0, 1, 256), np.linspace(0, 1, len(corners))
    tables["iron"] = np.stack([np.interp(at, places, corners[:, c]) for c in range(3)], axis=1).astype(np.float32)
    return tables


def _nearest(colors: FloatArray, table: FloatArray) -> tuple[npt.NDArray[np.intp], FloatArray]:
    """For N×3 colours the step of the table that is nearest, and how far it is, N each."""
    steps = np.empty(len(colors), np.intp)
    distances = np.empty(len(colors), np.float32)
    for first in range(0, len(colors), 4096):
        part = colors[first : first + 4096]
        squared = (part**2).sum(axis=1)[:, None] + (table**2).sum(axis=1) - 2 * part @ table.T
        nearest = squared.argmin(axis=1)
        steps[first : first + 4096] = nearest
        distances[first : first + 4096] = np.sqrt(np.maximum(squared.min(axis=1), 0))
    return steps, distances
