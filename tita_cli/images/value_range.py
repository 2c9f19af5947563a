"""Which of a file's values become black and white: thermal counts fill a sliver of the 16 bits that they are stored in.

Everything here is affine and in float; a range can be undone, so that a stack of counts fuses into counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal, NamedTuple

import numpy as np

from tita_cli.errors import UsageError
from tita_cli.images.picture import Picture

RangeSetting = Literal["auto", "full"] | tuple[float, float]

# Below and above these shares lie dead pixels and the sun.
_PERCENTILES = (0.1, 99.9)
# A deep grey picture that uses less of its range than this holds counts; a photograph uses more.
_COUNTS_SPAN = 0.5
_PROBED = 1 << 20
# Two sources whose ranges overlap by this share of their union show the same kind of thing.
_SAME_KIND = 0.5


class ValueRange(NamedTuple):
    """The values that become 0 and 1, as :attr:`Picture.pixels` has them before."""

    low: float
    high: float


def parse_range(text: str) -> RangeSetting:
    """``auto``, ``full``, or ``MIN,MAX`` in the file's own units.

    :raises UsageError: it is none of these.
    """
    if text == "auto":
        return "auto"
    if text == "full":
        return "full"
    try:
        low, high = (float(part) for part in text.split(","))
    except ValueError:
        low = high = 0.0
    if not (np.isfinite(low) and np.isfinite(high) and low < high):
        raise UsageError(f"the range {text!r} is neither auto, full, nor MIN,MAX", hint="--range 7000,9000")
    return low, high


def find_range(picture: Picture, setting: RangeSetting = "auto") -> ValueRange | None:
    """The range that ``setting`` means for ``picture``; None leaves its values alone.

    A pair counts in the file's own units. ``full`` is the range that the file's type has. ``auto`` takes the 0.1 and
    99.9 percentiles of what holds measurements: grey of more than 8 bits that fills less than half of its range, and
    floats beyond 0..1. Everything else is ``full``.
    """
    if setting == "full":
        return None
    if setting != "auto":
        black, white = picture.levels
        return ValueRange((setting[0] - black) / (white - black), (setting[1] - black) / (white - black))
    if picture.depth == 8 or (picture.is_color and picture.depth == 16):
        return None
    values = picture.pixels if picture.alpha is None else picture.pixels[picture.alpha > 0]
    values = values.reshape(-1)[:: max(1, values.size // _PROBED)]
    if values.size == 0:
        return None
    low, high = (float(bound) for bound in np.percentile(values, _PERCENTILES))
    within = values.min() >= 0 and values.max() <= 1
    if high <= low or (within and (picture.depth == 32 or high - low >= _COUNTS_SPAN)):
        return None
    # Colour keeps its black: moving it would shift every hue.
    return ValueRange(min(low, 0.0), high) if picture.is_color else ValueRange(low, high)


def shared_range(ranges: Sequence[ValueRange | None]) -> ValueRange | None:
    """One range for all sources where they measure the same kind of thing, as in a stack; None where they do not.

    With it they stay comparable, and the fused picture can be brought back into their units (:func:`undo_range`).
    """
    known = [found for found in ranges if found is not None]
    if len(known) < len(ranges) or not known:
        return None
    union = ValueRange(min(low for low, _ in known), max(high for _, high in known))
    common = min(high for _, high in known) - max(low for low, _ in known)
    return union if common >= _SAME_KIND * (union.high - union.low) else None


def apply_range(picture: Picture, value_range: ValueRange | None) -> Picture:
    """``picture`` with ``value_range`` at 0..1, clipped, and a note that says so in the file's own units."""
    if value_range is None:
        return picture
    low, high = value_range
    black, white = picture.levels
    counts = [f"{black + bound * (white - black):g}" for bound in value_range]
    pixels = np.clip((picture.pixels - np.float32(low)) / np.float32(high - low), 0, 1, dtype=np.float32)
    note = f"{picture.name}: values {counts[0]} to {counts[1]} become black to white (--range full keeps them)"
    return replace(picture, pixels=pixels, notes=(*picture.notes, note))


def undo_range(picture: Picture, value_range: ValueRange | None) -> Picture:
    """The inverse of :func:`apply_range`, except for what it clipped."""
    if value_range is None:
        return picture
    low, high = value_range
    return replace(picture, pixels=picture.pixels * np.float32(high - low) + np.float32(low))


def invert(picture: Picture) -> Picture:
    """``picture`` with its polarity swapped (black-hot infrared to white-hot): 1 − value."""
    return replace(picture, pixels=np.float32(1) - picture.pixels)
