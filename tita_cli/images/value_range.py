"""Which of a file's values become black and white: what counts is the values that a sensor used, not their container.

Thermal counts fill a sliver of the 16 bits that they are stored in, and a camera's 12 bits a sixteenth. Everything here
is affine and in float; a range can be undone, so that a stack of counts fuses into counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from tita_cli.images.picture import FloatArray, Picture
from tita_cli.options import RangeSetting

# Below and above these shares lie dead pixels and the sun.
_PERCENTILES = (0.1, 99.9)
# Grey that uses no more of its range than this holds counts, or infrared that nobody has stretched.
_COUNTS_SPAN = 0.5
_PROBED = 1 << 20
_FEWEST_LEVELS = 8  # fewer show nothing but noise
_WIDEST = 65535  # counts that 16-bit formats hold
_FEWEST_BITS = 10  # of a sensor whose samples are stored with more than 8
# Two sources whose ranges overlap by this share of their union show the same kind of thing.
_SAME_KIND = 0.5


class ValueRange(NamedTuple):
    """The values that become 0 and 1, as :attr:`Picture.pixels` has them before.

    ``of_sensor``: ``high`` is the largest value of a sensor of 10, 12, 14 … bits whose samples this one could be. A
    dark exposure looks the same, so the other sources have a say, see :func:`settle_ranges`.
    """

    low: float
    high: float
    of_sensor: bool = False


def find_range(picture: Picture, setting: RangeSetting = "auto") -> ValueRange | None:
    """The range that ``setting`` means for ``picture``; None leaves its values alone.

    A pair counts in the file's own units. ``full`` is the range that the file's type has. ``auto`` takes the 0.1 and
    99.9 percentiles of what holds measurements: grey of more than 8 bits that fills less than half of its range, and
    floats beyond 0..1. Colour in integers of more than 8 bits has the range of its sensor. Everything else is ``full``.
    """
    if setting == "full":
        return None
    if setting != "auto":
        return given_range(setting, picture.levels)
    is_float = picture.depth == 32 and picture.levels == (0.0, 1.0)
    if picture.depth > 8 and picture.is_color and not is_float:
        return _sensor_range(picture)
    return None if picture.depth == 8 else _measured_range(picture, is_float)


def given_range(bounds: tuple[float, float], levels: tuple[float, float]) -> ValueRange:
    """``bounds`` in the units of a file, of which ``levels`` became 0 and 1."""
    black, white = levels
    return ValueRange((bounds[0] - black) / (white - black), (bounds[1] - black) / (white - black))


def used_range(picture: Picture) -> ValueRange | None:
    """What infrared of 8 bits uses of its range; None where that is more than half, or nothing, and for others."""
    if picture.is_color or picture.depth != 8:
        return None
    values = _visible(picture)
    low, high = (float(bound) for bound in np.percentile(values, _PERCENTILES)) if values.size else (0.0, 0.0)
    return ValueRange(low, high) if _FEWEST_LEVELS <= 255 * (high - low) <= 255 * _COUNTS_SPAN else None


def _visible(picture: Picture) -> FloatArray:
    """About a million samples, of opaque pixels."""
    values = picture.pixels if picture.alpha is None else picture.pixels[picture.alpha > 0]
    return values.reshape(-1)[:: max(1, values.size // _PROBED)]


def _measured_range(picture: Picture, is_float: bool) -> ValueRange | None:
    """The range of grey measurements, or of floats beyond 0..1; None for photographs."""
    values = _visible(picture)
    if values.size == 0:
        return None
    low, high = (float(bound) for bound in np.percentile(values, _PERCENTILES))
    within = values.min() >= 0 and values.max() <= 1
    if high <= low or (within and (is_float or high - low >= _COUNTS_SPAN)):
        return None
    # Colour keeps its black: moving it would shift every hue.
    return ValueRange(min(low, 0.0), high) if picture.is_color else ValueRange(low, high)


def _sensor_range(picture: Picture) -> ValueRange:
    """Black, and the white of the sensor with the fewest bits whose samples those of ``picture`` could be."""
    black, white = picture.levels
    container = white - black if picture.levels != (0.0, 1.0) else 2.0**picture.depth - 1
    top = round(float(picture.pixels.max()) * container)
    bits = next((bits for bits in range(_FEWEST_BITS, picture.depth, 2) if top < 2**bits), None)
    return ValueRange(0.0, 1.0 if bits is None else (2**bits - 1) / container, of_sensor=True)


def settle_ranges(ranges: Sequence[ValueRange | None]) -> tuple[list[ValueRange | None], ValueRange | None]:
    """What :func:`find_range` found for the sources of a fusion, made to fit together; and the one range of all.

    Sources that may come from one sensor get the range of the one with the most bits, None where it fills its
    container. One range for all exists where they measure the same kind of thing, as in a stack: with it they stay
    comparable, and the fused picture can be brought back into their units (:func:`undo_range`). Else it is None.
    """
    widest = max((found for found in ranges if found is not None and found.of_sensor), default=None)
    common = None if widest is None or widest.high >= 1 else widest
    settled = [common if found is not None and found.of_sensor else found for found in ranges]
    return settled, _shared(settled)


def _shared(ranges: Sequence[ValueRange | None]) -> ValueRange | None:
    known = [found for found in ranges if found is not None]
    if len(known) < len(ranges) or len({found.of_sensor for found in known}) != 1:
        return None
    if known[0].of_sensor:
        return known[0]
    union = ValueRange(min(found.low for found in known), max(found.high for found in known))
    common = min(found.high for found in known) - max(found.low for found in known)
    return union if common >= _SAME_KIND * (union.high - union.low) else None


def apply_range(picture: Picture, value_range: ValueRange | None, *, undone: bool = False) -> Picture:
    """``picture`` with ``value_range`` at 0..1, clipped, and a note that says so in the file's own units.

    ``undone``: the result goes back into these units, see :func:`undo_range`.
    """
    if value_range is None or value_range[:2] == (0, 1):
        return picture
    low, high, _ = value_range
    black, white = picture.levels
    counts = [f"{black + bound * (white - black):g}" for bound in (low, high)]
    pixels = np.clip((picture.pixels - np.float32(low)) / np.float32(high - low), 0, 1, dtype=np.float32)
    values = f"{picture.name}: values {counts[0]} to {counts[1]}"
    if undone and white - black <= _WIDEST:
        note = f"{values} are fused as black to white; the result is in the file's own values"
    else:
        note = f"{values} become black to white (`value_range` full keeps them)"
    return replace(picture, pixels=pixels, notes=(*picture.notes, note))


def undo_range(picture: Picture, value_range: ValueRange | None) -> Picture:
    """The inverse of :func:`apply_range`, except for what it clipped.

    Counts of more than 16 bits stay in 0..1: no format that is written holds them. Grey floats remember what they show.
    """
    black, white = picture.levels
    if value_range is None or white - black > _WIDEST:
        return picture
    low, high, of_sensor = value_range
    pixels = picture.pixels * np.float32(high - low) + np.float32(low)
    if of_sensor:
        np.clip(pixels, low, high, out=pixels)
    measured = picture.depth == 32 and not picture.is_color and not 0 <= low < high <= 1
    return replace(picture, pixels=pixels, shown=(low, high) if measured else None)


def invert(picture: Picture) -> Picture:
    """``picture`` with its polarity swapped (black-hot infrared to white-hot): 1 − value."""
    return replace(picture, pixels=np.float32(1) - picture.pixels)
