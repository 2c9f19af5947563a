"""The noise of an infrared sensor: stripes of its rows and columns (fixed-pattern noise) and grain.

Both are measured in the picture itself. A stripe is an offset of a whole row or column against its neighbours that the
halves of the picture agree on; it is subtracted, which blurs nothing (Tendero, Landeau and Gilles 2012 equalise columns
with their neighbours, too). Grain is reduced by a guided filter (He, Sun and Tang 2013) with the gain of Lee (1980):
places whose variance is that of the noise become their mean, edges that stand out of it stay.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from tita_cli.images.picture import FloatArray, Picture

_VISIBLE = 1.0 / 255.0
"""Standard deviation, of a range of 1, below which nobody sees noise."""

_MUCH, _ALL = 2.0 / 255.0, 0.1
"""From which it is told that it was kept, and from which it is no grain but the picture."""

_BLOCK = 16  # px: of these blocks the smoothest tell the noise
_SMOOTHEST = 10  # percentile of their variances
_AROUND = 9  # columns among which a column's offset is judged; odd
_AGREE = 0.5  # correlation of the offsets that the halves of a picture have: of chance it is near 0
_LARGEST = 4.0  # times the usual offset: a larger one is a wire or the frame of a window
_RADIUS = 2  # px of the filter for grain
_CERTAIN = 1.5  # times the variance of the noise: what a small window may have by chance


class Noise(NamedTuple):
    """Standard deviations in the units of the pixels: of the grain, of the columns' and of the rows' offsets."""

    grain: float
    columns: float
    rows: float


def reduce_noise(picture: Picture) -> Picture:
    """``picture``, grey in 0..1, with less of its sensor's noise and a note; unchanged where no noise would be seen.

    For pixels that the sensor had: resampling before would hide the noise from the measurement.
    """
    if picture.is_color or min(picture.pixels.shape[:2]) < 2 * _BLOCK:
        return picture
    plane = picture.pixels[..., 0]
    hidden = None if picture.alpha is None else picture.alpha <= 0.0
    if hidden is not None:
        if hidden.all():
            return picture
        plane = np.where(hidden, np.median(plane[~hidden]), plane).astype(np.float32)
    calm, noise = calmed(plane)
    if noise == (0.0, 0.0, 0.0):
        return picture
    if hidden is not None:
        calm = np.where(hidden, picture.pixels[..., 0], calm)
    shares = ", ".join(
        f"{name} of {value:.1%}"
        for name, value in (("grain", noise.grain), ("stripes", float(np.hypot(noise.columns, noise.rows))))
        if value > 0.0
    )
    note = f"{picture.name}: {shares} of its range reduced (`denoise` off keeps it)"
    return replace(picture, pixels=np.clip(calm, 0, 1)[..., None], notes=(*picture.notes, note))


def tell_noise(picture: Picture) -> Picture:
    """``picture``, with a note where it has so much grain that somebody may want less."""
    if picture.is_color or min(picture.pixels.shape[:2]) < 2 * _BLOCK:
        return picture
    grain = grain_of(picture.pixels[..., 0])
    if not _MUCH <= grain < _ALL:
        return picture
    note = f"{picture.name}: grain of {grain:.1%} of its range is kept (`denoise` on reduces it)"
    return replace(picture, notes=(*picture.notes, note))


def calmed(plane: FloatArray) -> tuple[FloatArray, Noise]:
    """H×W in 0..1 without stripes and grain, and what there was of them; 0 for what nobody would see."""
    columns, rows = offsets(plane), offsets(plane.T)
    levels = [_strength(found) for found in (columns, rows)]
    columns, rows = (
        found if level else np.zeros_like(found) for found, level in zip((columns, rows), levels, strict=True)
    )
    plane = np.asarray(plane - columns[None, :] - rows[:, None])
    grain = grain_of(plane)
    if grain < _VISIBLE:
        return plane, Noise(0.0, *levels)
    return _smoothed(plane, grain), Noise(grain, *levels)


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


def offsets(plane: FloatArray) -> FloatArray:
    """By how much each column of H×W is brighter than those around it: W, all 0 where the halves do not agree on it."""
    apart = _off_neighbours(plane)
    middle = plane.shape[0] // 2
    found = np.median(apart, axis=0)
    common = np.abs(found) <= _LARGEST * 1.4826 * np.median(np.abs(found))
    halves = [np.median(half, axis=0)[common] for half in (apart[:middle], apart[middle:])]
    agree = min(half.std() for half in halves) > 1e-6 and np.corrcoef(*halves)[0, 1] >= _AGREE
    return np.where(common & agree, found, 0.0).astype(np.float32)


def _off_neighbours(plane: FloatArray) -> FloatArray:
    """Each pixel less the median of its row around it, H×W: a step in the row leaves little."""
    even = cv2.sepFilter2D(plane, -1, np.array([0.25, 0.5, 0.25], np.float32), np.ones(1, np.float32),
                           borderType=cv2.BORDER_REFLECT)  # fmt: skip
    # Without the step before, of columns that alternate the median would be one of them.
    padded = np.pad(even, ((0, 0), (_AROUND // 2, _AROUND // 2)), mode="reflect")
    around: npt.NDArray[np.float32] = np.lib.stride_tricks.sliding_window_view(padded, _AROUND, axis=1)
    return np.asarray(plane - np.median(around, axis=-1))


def _smoothed(plane: FloatArray, grain: float) -> FloatArray:
    side = (2 * _RADIUS + 1,) * 2
    mean = cv2.boxFilter(plane, -1, side, borderType=cv2.BORDER_REFLECT)
    variance = np.maximum(cv2.boxFilter(plane * plane, -1, side, borderType=cv2.BORDER_REFLECT) - mean * mean, 1e-12)
    gain = np.maximum(variance - np.float32(_CERTAIN * grain**2), 0.0) / variance
    rest = mean * (1.0 - gain)
    gain, rest = (cv2.boxFilter(one, -1, side, borderType=cv2.BORDER_REFLECT) for one in (gain, rest))
    return np.asarray(gain * plane + rest)
