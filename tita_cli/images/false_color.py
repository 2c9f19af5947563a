"""Infrared that a camera has coloured by a palette: recognising it, and turning it back into intensity.

Its colours are no colours and its luminance does not rise with temperature, so that fusing it as a photograph paints
the result blue and orange and mistakes the middle of the scale for its end.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from tita_cli.errors import InputError
from tita_cli.images.color import is_chroma, luma, split_luma
from tita_cli.images.ironblack import is_ironblack
from tita_cli.images.palettes import UNKNOWN, palettes
from tita_cli.images.picture import FloatArray, Picture
from tita_cli.images.quantize import quantize
from tita_cli.images.roles import role_of_metadata
from tita_cli.options import FalseColor

_BLOCK = 4  # px: the mean of a smooth block has lost what JPEG did to its colour
_PROBES = 1500
_COLORFUL = 24  # spread of R, G, B, of 255, from which a block says something about a palette
_MOSTLY = 0.75  # of a palette: more of it is colourful, or it has a grey part
_LEAST_COLORFUL = 0.15  # of all smooth blocks, less for a palette that has a grey part; and
_FEWEST = 20
# Four of five colourful blocks lie so near to the palette, of 255: cameras draw scales and marks, makers have shades.
_NEAR, _NEAR_SHARE = 13.0, 0.8
# A palette that fewer of some samples lie near to is not compared with all of them: photographs are near to none.
_SAMPLES, _SAMPLE_SHARE = 64, 0.5
# Of 32 steps that a palette is cut into: a photograph may keep near a part of one, as dim light does to magma and red
# light to hot. So what goes along half of a palette lies very near to it, or goes along most of it.
_VERY_NEAR = 8.0
# Less smooth blocks lie near, too: a sky may have the colours of a palette, what stands before it has others.
_NOT_FAR, _CERTAIN_SHARE, _POSSIBLE_SHARE = 20.0, 0.9, 0.8
_MOST_STEPS, _CERTAIN_STEPS, _POSSIBLE_STEPS = 20, 12, 8
_HALF_GREY = "ironblack"
# A brown or sunlit photograph goes along the edges of the RGB cube from black over red and yellow to white, as hot
# does, once its saturation is raised until channels are clipped: colours alone never make hot certain.
_OF_WARM_LIGHT = "hot"


class Recognised(NamedTuple):
    """A palette, and whether it is certain that it coloured the picture."""

    name: str
    certain: bool


def recognise_palette(picture: Picture, *, infrared: bool = False) -> Recognised | None:
    """The palette that coloured ``picture``; None for photographs and grey pictures.

    The colours of smooth places must lie on a palette, and go along most of it. ``infrared``: something else says that
    it is infrared, without which it is never certain that hot coloured it; metadata of the camera say so, too.
    """
    if not picture.is_color:
        return None
    pixels = _sampled_blocks(picture.pixels)
    ironblack = is_ironblack(pixels)
    if ironblack:  # before iron, which has its colours
        return Recognised(_HALF_GREY, True)
    found = _recognise_colorful(pixels) or (None if ironblack is None else Recognised(_HALF_GREY, False))
    if found is None or found.name != _OF_WARM_LIGHT or infrared or role_of_metadata(picture.metadata) == "infrared":
        return found
    return Recognised(found.name, False)


def _recognise_colorful(pixels: FloatArray) -> Recognised | None:
    """The palette without a grey half of P×N×3 pixels of blocks."""
    smooth = _smooth_means(pixels)
    # The quarter that is smoothest: JPEG's chroma runs over the edges of regions.
    blocks, half = smooth[: max(len(smooth) // 2, _FEWEST)], smooth[np.ptp(smooth, axis=1) > _COLORFUL]
    colorful = blocks[np.ptp(blocks, axis=1) > _COLORFUL]  # the first of ``half``
    if len(colorful) < _FEWEST:
        return None
    fitting = {}
    samples = colorful[:: max(1, len(colorful) // _SAMPLES)]
    for name, table in palettes().items():
        part = float((np.ptp(table, axis=1) > _COLORFUL).mean())
        least = _LEAST_COLORFUL if part > _MOSTLY else _LEAST_COLORFUL / 4
        if name == _HALF_GREY or len(colorful) < least * len(blocks):
            continue
        if (_nearest(samples, table)[1] < _NEAR).mean() < _SAMPLE_SHARE:
            continue
        steps, distances = _nearest(half, table)
        smoothest = distances[: len(colorful)]
        near = float(np.quantile(smoothest, _NEAR_SHARE))
        passed = (np.bincount(steps[distances < _NEAR] // 8, minlength=32) >= max(1, len(half) // 500)).sum() / part
        share = float((distances < _NOT_FAR).mean())
        if near < _NEAR and share >= _POSSIBLE_SHARE and passed >= _steps(near, _POSSIBLE_STEPS, _CERTAIN_STEPS):
            certain = share >= _CERTAIN_SHARE and passed >= _steps(near, _CERTAIN_STEPS, _MOST_STEPS)
            fitting[name] = float(smoothest.mean()), bool(certain)
    best = min(fitting, key=lambda name: fitting[name][0], default=None)
    return None if best is None else Recognised(best, fitting[best][1])


def _steps(near: float, few: int, many: int) -> int:
    """How many steps of a palette the colours have to pass: ``few`` where they lie very near to it."""
    return few if near < _VERY_NEAR else many


def _sampled_blocks(pixels: FloatArray) -> FloatArray:
    """The pixels of blocks over a picture, P×N×3; of a picture smaller than a block each pixel as one."""
    rows, columns = pixels.shape[0] // _BLOCK, pixels.shape[1] // _BLOCK
    if rows == 0 or columns == 0:
        return pixels.reshape(1, -1, 3)
    step = max(1, int((rows * columns / (4 * _PROBES)) ** 0.5))
    tiles = pixels[: rows * _BLOCK, : columns * _BLOCK].reshape(rows, _BLOCK, columns, _BLOCK, 3)[::step, :, ::step]
    # One pixel of all blocks after the other: NumPy is slow where what it adds up is short.
    return np.ascontiguousarray(tiles.transpose(1, 3, 0, 2, 4)).reshape(_BLOCK * _BLOCK, -1, 3)


def _smooth_means(pixel: FloatArray) -> FloatArray:
    """The mean colours, 0..255, of the smoother half of blocks, the smoothest first: M×3."""
    spread = ((pixel[..., 0] + pixel[..., 1] + pixel[..., 2]) / np.float32(3)).std(axis=0)
    smooth = np.argsort(spread, kind="stable")[: max(len(spread) // 2, _FEWEST)]
    return np.asarray(pixel.mean(axis=0)[smooth] * np.float32(255), np.float32)


def settle_palette(
    picture: Picture, how: FalseColor = "auto", *, infrared: bool = False, colored: bool = False
) -> Picture:
    """``picture`` as intensity where a palette has coloured it: auto where that is certain, with a note where it may
    be; intensity there, too; keep never.

    ``infrared``: as in :func:`recognise_palette`. ``colored``: somebody says of this picture that it is such infrared:
    intensity then takes the nearest palette, and where its colours lie near to none their luminance.

    :raises InputError: refuse, and it is certain; the hint names the ways out.
    """
    if how == "keep":
        return picture
    found = recognise_palette(picture, infrared=infrared)
    if how == "intensity":
        if found is not None:
            return undo_palette(picture, found.name)
        return _by_nearest_palette(picture) if colored else picture
    if found is None:
        return picture
    if not found.certain:
        note = f"{picture.name}: may be infrared coloured by {found.name!r} (`false_color` intensity turns it back)"
        return replace(picture, notes=(*picture.notes, note))
    if how == "auto":
        return undo_palette(picture, found.name)
    raise InputError(
        f"{picture.name}: is coloured by the palette {found.name!r}, its colours mean intensities",
        hint="`false_color` intensity turns it back, `false_color` keep takes it as it is",
    )


def undo_palette(picture: Picture, name: str) -> Picture:
    """A coloured ``picture`` as a grey one, 0..1 along the palette called ``name`` of :func:`palettes`."""
    codes = quantize(picture.pixels, 8).astype(np.uint32)
    packed = (codes[..., 0] << 16) | (codes[..., 1] << 8) | codes[..., 2]
    colors, places = np.unique(packed, return_inverse=True)
    unpacked = np.stack([colors >> 16, (colors >> 8) & 255, colors & 255], axis=1).astype(np.float32)
    steps, _ = _nearest(unpacked, palettes()[name])
    intensity = (steps.astype(np.float32) / 255)[places.reshape(packed.shape)]
    return _as_intensity(picture, intensity, name, f"turned back to intensity from the palette {name!r}")


def _by_nearest_palette(picture: Picture) -> Picture:
    """A ``picture`` that is said to be coloured infrared as intensity; a grey one unchanged.

    Of a narrow scene too few of a palette's colours are there to recognise it by, and makers have shades of their own.
    """
    if not picture.is_color or not is_chroma(*split_luma(picture.pixels)[1:]):
        return picture
    colors = _smooth_means(_sampled_blocks(picture.pixels))
    fitting = {}
    for name, table in palettes().items():
        distances = _nearest(colors, table)[1]
        if (distances < _NOT_FAR).mean() >= _POSSIBLE_SHARE:  # the rest are marks and scales
            fitting[name] = float(np.minimum(distances, _NOT_FAR).mean())
    if fitting:
        return undo_palette(picture, min(fitting, key=lambda name: fitting[name]))
    done = "no palette that is known has its colours: their luminance is taken as intensity"
    return _as_intensity(picture, luma(picture.pixels), UNKNOWN, done)


def _as_intensity(picture: Picture, intensity: FloatArray, palette: str, done: str) -> Picture:
    note = f"{picture.name}: {done} (`false_color` keep takes it as it is)"
    metadata = replace(picture.metadata, icc=None)
    return replace(
        picture, pixels=intensity[..., None], palette=palette, metadata=metadata, notes=(*picture.notes, note)
    )


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
