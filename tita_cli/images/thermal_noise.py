"""The noise of an infrared sensor: stripes of its rows and columns (fixed-pattern noise) and grain.

Both are measured in the picture itself. A stripe is an offset of a whole row or column against its neighbours that all
parts of the picture agree on and that is not periodic; it is subtracted, which blurs nothing (Tendero, Landeau and
Gilles 2012 equalise columns with their neighbours, too). Grain is reduced by a guided filter (He, Sun and Tang 2013)
with the gain of Lee (1980): places whose variance is that of the noise become their mean, edges that stand out of it
stay.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from tita_cli.images.color import is_chroma, luma, split_luma
from tita_cli.images.picture import FloatArray, Picture

_VISIBLE = 1.0 / 255.0
"""Standard deviation, of a range of 1, below which nobody sees noise."""

_MUCH, _ALL = 2.0 / 255.0, 0.1
"""From which it is told that it was kept, and from which it is no grain but the picture."""

_BLOCK = 16  # px: of these blocks the smoothest tell the noise
_SMOOTHEST = 10  # percentile of their variances
_AROUND = 9  # columns among which a column's offset is judged
# What sorts nine values as far as their median needs it, two at a time (Paeth, Graphics Gems, 1990).
_MEDIAN_OF_9 = (
    (1, 2), (4, 5), (7, 8), (0, 1), (3, 4), (6, 7), (1, 2), (4, 5), (7, 8), (0, 3),
    (5, 8), (4, 7), (3, 6), (1, 4), (2, 5), (4, 7), (4, 2), (6, 4), (4, 2),
)  # fmt: skip
_AGREE = 0.5  # correlation of the offsets that the halves of a picture have: of chance it is near 0
# One row in so many is looked at first. Where all of them agree by _AGREE, these do by 0.2 in the mean; without stripes
# they have 0.04 of chance, and whatever the scene adds is looked at in all rows.
_FEW, _HINT = 4, 0.1
# In each of these bands the offsets are as large as in all of the picture, a fence that ends within it is not. Stripes
# of 2 of 255 on the infrared of the dev sets: 0.74 of it at least. bench/thermal_stripes.py
_BANDS, _IN_EACH = 8, 0.5
# Stripes that repeat are a fence, blinds, windows, or the blocks of JPEG: autocorrelation at 5 columns or more. Those
# of a sensor have 0.34 at most there, drawn fences from 0.45 on. Columns that alternate are a sensor's.
_REPEATS, _LEAST_PERIOD = 0.4, 5
_LARGEST = 4.0  # times the usual offset: a larger one is a wire or the frame of a window
_RADIUS = 2  # px of the filter for grain
_CERTAIN = 1.5  # times the variance of the noise: what a small window may have by chance


class Noise(NamedTuple):
    """Standard deviations in the units of the pixels: of the grain, of the columns' and of the rows' offsets."""

    grain: float
    columns: float
    rows: float


def reduce_noise(picture: Picture, *, grain_too: bool = True) -> Picture:
    """``picture``, grey in 0..1, with less of its sensor's noise and a note; unchanged where no noise would be seen.

    ``grain_too``: else only stripes are reduced, and a note tells of grain where somebody may want less. For pixels
    that the sensor had: resampling before would hide the noise from the measurement.
    """
    if min(picture.pixels.shape[:2]) < 2 * _BLOCK or (picture.is_color and is_chroma(*split_luma(picture.pixels)[1:])):
        return picture
    plane, hidden = luma(picture.pixels), None
    if picture.alpha is not None:
        hidden = picture.alpha <= 0.0
        if hidden.all():
            return picture
        plane = np.where(hidden, np.median(plane[~hidden]), plane).astype(np.float32)
    calm, noise = calmed(plane, hidden, grain_too=grain_too)
    notes = picture.notes
    if not grain_too and _MUCH <= noise.grain < _ALL:
        notes = (*notes, f"{picture.name}: grain of {noise.grain:.1%} of its range is kept (`denoise` on reduces it)")
    shares = ", ".join(
        f"{name} of {value:.1%}"
        for name, value in (
            ("grain", noise.grain if grain_too else 0.0),
            ("stripes", float(np.hypot(noise.columns, noise.rows))),
        )
        if value > 0.0
    )
    if not shares:
        return picture if notes is picture.notes else replace(picture, notes=notes)
    if hidden is not None:
        calm = np.where(hidden, picture.pixels[..., 0], calm)
    pixels = np.clip(calm, 0, 1)[..., None].repeat(picture.pixels.shape[2], axis=2)
    note = f"{picture.name}: {shares} of its range reduced (`denoise` off keeps it)"
    return replace(picture, pixels=pixels, notes=(*notes, note))


def calmed(
    plane: FloatArray, hidden: npt.NDArray[np.bool_] | None = None, *, grain_too: bool = True
) -> tuple[FloatArray, Noise]:
    """H×W in 0..1 without stripes and, with ``grain_too``, grain; and what there was of them, 0 for what nobody sees.

    ``hidden``: H×W, where it has no values. Black and white places, which the range cut off, have no stripes.
    """
    known = (plane > 0.0) & (plane < 1.0)
    if hidden is not None:
        known &= ~hidden
    columns, rows = offsets(plane, known), offsets(plane.T, known.T)
    levels = [_strength(found) for found in (columns, rows)]
    columns, rows = (
        found if level else np.zeros_like(found) for found, level in zip((columns, rows), levels, strict=True)
    )
    plane = np.asarray(np.where(known, plane - columns[None, :] - rows[:, None], plane))
    grain = grain_of(plane)
    if grain < _VISIBLE:
        return plane, Noise(0.0, *levels)
    return _smoothed(plane, grain) if grain_too else plane, Noise(grain, *levels)


def _strength(found: FloatArray) -> float:
    level = float(found.std())
    return level if level > 0.25 * _VISIBLE else 0.0  # a line is seen where grain of its strength is not


def grain_of(plane: FloatArray) -> float:
    """Standard deviation of the grain of H×W, from where the picture is smoothest.

    Cameras and JPEG blur it, so that near neighbours share most of it. What two pixels that are further apart do not
    share grows for structure, in variance at least with the square of the distance, and does not for grain.
    """
    near, far = (_mixed(plane, distance) for distance in (2, 3))
    return float(np.sqrt(max(_mixed(plane, 1), (9.0 * near - 4.0 * far) / 5.0)))


def _mixed(plane: FloatArray, distance: int) -> float:
    """Variance by mixed second differences, in which offsets of rows and columns cancel, where it is lowest."""
    shifted = plane[distance:], plane[:-distance]
    mixed = shifted[0][:, distance:] - shifted[0][:, :-distance] - shifted[1][:, distance:] + shifted[1][:, :-distance]
    height, width = (side // _BLOCK * _BLOCK for side in mixed.shape)
    blocks = mixed[:height, :width].reshape(height // _BLOCK, _BLOCK, width // _BLOCK, _BLOCK)
    variances = (blocks * blocks).mean(axis=(1, 3)) / 4.0
    variances = variances[variances > 0.0]  # where all is black or white there is no telling
    return float(np.percentile(variances, _SMOOTHEST)) if variances.size else 0.0


def offsets(plane: FloatArray, known: npt.NDArray[np.bool_] | None = None) -> FloatArray:
    """By how much each column of H×W is brighter than those around it: W, all 0 where that is the scene.

    ``known``: H×W, which values count; rows with few of them are left out.
    """
    rows = plane if known is None else plane[known.mean(axis=1) >= 0.5]
    nothing = np.zeros(plane.shape[1], np.float32)
    if len(rows) < 2 * _BANDS:
        return nothing
    if len(rows) >= 2 * _BANDS * _FEW and _measured(_off_neighbours(rows[::_FEW]))[1] < _HINT:
        return nothing
    apart = _off_neighbours(rows)
    found, agreement = _measured(apart)
    if agreement < _AGREE:
        return nothing
    largest = np.abs(found).max()
    bands = [np.median(band, axis=0).clip(-largest, largest) for band in np.array_split(apart, _BANDS)]
    in_each = min(float(band @ found) for band in bands) >= _IN_EACH * float(found @ found)
    return found if in_each and not _repeats(found) else nothing


def _measured(apart: FloatArray) -> tuple[FloatArray, float]:
    """The median offset of each column, 0 for those that are a wire or a frame, and how well those of the upper and the
    lower half of the picture correlate."""
    found = np.median(apart, axis=0)
    common = np.abs(found) <= _LARGEST * 1.4826 * np.median(np.abs(found))
    halves = [np.median(half, axis=0)[common] for half in np.array_split(apart, 2)]
    alike = 0.0 if min(half.std() for half in halves) <= 1e-6 else float(np.corrcoef(*halves)[0, 1])
    return np.where(common, found, 0.0).astype(np.float32), alike


def _repeats(found: FloatArray) -> bool:
    """Whether the offsets of columns, but for what alternates, are the same again some columns on."""
    count = len(found)
    alternating = np.where(np.arange(count) % 2, 1.0, -1.0)
    rest = found - alternating * (found @ alternating) / count
    spectrum = np.abs(np.fft.rfft(rest - rest.mean(), 2 * count)) ** 2
    products = np.fft.irfft(spectrum)[:count] / np.arange(count, 0, -1)  # means over what overlaps
    later = products[_LEAST_PERIOD : count // 3]
    return bool(products[0] > 0 and later.size and later.max() >= _REPEATS * products[0])


def _off_neighbours(plane: FloatArray) -> FloatArray:
    """Each pixel less the median of its row around it, H×W: a step in the row leaves little."""
    even = cv2.sepFilter2D(plane, -1, np.array([0.25, 0.5, 0.25], np.float32), np.ones(1, np.float32),
                           borderType=cv2.BORDER_REFLECT)  # fmt: skip
    # Without the step before, of columns that alternate the median would be one of them.
    padded = np.pad(even, ((0, 0), (_AROUND // 2, _AROUND // 2)), mode="reflect")
    around = [padded[:, first : first + plane.shape[1]] for first in range(_AROUND)]
    for low, high in _MEDIAN_OF_9:
        around[low], around[high] = np.minimum(around[low], around[high]), np.maximum(around[low], around[high])
    return np.asarray(plane - around[_AROUND // 2])


def _smoothed(plane: FloatArray, grain: float) -> FloatArray:
    side = (2 * _RADIUS + 1,) * 2
    mean = cv2.boxFilter(plane, -1, side, borderType=cv2.BORDER_REFLECT)
    variance = np.maximum(cv2.boxFilter(plane * plane, -1, side, borderType=cv2.BORDER_REFLECT) - mean * mean, 1e-12)
    gain = np.maximum(variance - np.float32(_CERTAIN * grain**2), 0.0) / variance
    rest = mean * (1.0 - gain)
    gain, rest = (cv2.boxFilter(one, -1, side, borderType=cv2.BORDER_REFLECT) for one in (gain, rest))
    return np.asarray(gain * plane + rest)
