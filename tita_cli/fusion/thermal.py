"""What the finish makes of infrared where the user asks for more than the network's picture: balance, palette, overlay.

The luminance stays the fused one, with the detail of both sources; a palette gives it the infrared's colour, as cameras
do that draw the edges of a photograph into their thermal picture.
"""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from tita_cli.fusion.plan import Plan
from tita_cli.fusion.scale import scale_of
from tita_cli.fusion.strategy import Fused
from tita_cli.images.color import Chroma, luma, merge_luma, split_luma
from tita_cli.images.palettes import palettes
from tita_cli.images.picture import FloatArray
from tita_cli.options import OptionError, Output

HOT_PALETTE = "ironbow"
"""Of an overlay where none is chosen."""

_DIMMED = np.float32(0.7)  # luminance of an overlay: white has no room for colour


def asks_for_more(how: Output) -> bool:
    """Whether an option of this module is set."""
    return how.balance != 0.5 or how.palette is not None or how.overlay is not None or how.scale_bar


def styled(plan: Plan, fused: Fused, how: Output) -> Fused:
    """``fused`` as balance, palette and overlay want it.

    Raises OptionError where they need to know which source is the infrared and nothing says so.
    """
    if how.balance != 0.5:
        fused = _balanced(plan, fused, how.balance)
    return fused if how.palette is None and how.overlay is None else _colored(plan, fused, how)


def _balanced(plan: Plan, fused: Fused, balance: float) -> Fused:
    """From the network's own picture towards one of two sources."""
    if not 0 <= balance <= 1:
        raise OptionError(f"`balance`: {balance:g} is not a number from 0 to 1")
    if len(plan.sources) != 2:
        raise OptionError(f"`balance` is between two sources, there are {len(plan.sources)}")
    infrared = 1 if plan.roles.infrared is None else plan.roles.infrared
    picture = plan.read(infrared if balance > 0.5 else 1 - infrared)
    y, cb, cr = split_luma(picture.pixels) if picture.is_color else (luma(picture.pixels), None, None)
    share = np.full_like(y, abs(2 * balance - 1))
    if picture.alpha is not None:
        share *= picture.alpha
    chroma = fused.chroma
    if chroma is not None or cb is not None:
        nothing = np.zeros_like(y)
        of_fused = chroma or Chroma(nothing, nothing)
        own = Chroma(nothing if cb is None else cb, nothing if cr is None else cr)
        chroma = Chroma(*(one + share * (two - one) for one, two in zip(of_fused, own, strict=True)))
    return replace(fused, luminance=fused.luminance + share * (y - fused.luminance), chroma=chroma)


def _colored(plan: Plan, fused: Fused, how: Output) -> Fused:
    """In the infrared's colours; with an overlay, only what is hotter, with a line around it."""
    index = plan.roles.infrared
    if index is None:
        field = "palette" if how.palette is not None else "overlay"
        raise OptionError(f"`{field}`: which source is the infrared is not clear", hint="`role` 2:infrared says so")
    picture = plan.read(index)
    heat = np.clip(luma(picture.pixels), 0, 1)
    share = np.ones_like(heat) if picture.alpha is None else picture.alpha.copy()
    luminance = fused.luminance
    if how.overlay is not None:
        hot = heat >= _threshold(plan, index, how.overlay)
        share *= hot
        line = cv2.morphologyEx(hot.astype(np.uint8), cv2.MORPH_GRADIENT, np.ones((2, 2), np.uint8)).astype(bool)
        luminance = np.where(hot, _DIMMED * luminance, luminance)
        luminance, share = np.where(line, np.float32(1), luminance), np.where(line, np.float32(0), share)
    nothing = np.zeros_like(heat)
    before = fused.chroma or Chroma(nothing, nothing)
    of_palette = _chroma(heat, luminance, palettes()[how.palette or HOT_PALETTE] / np.float32(255))
    chroma = Chroma(*(one + share * (two - one) for one, two in zip(before, of_palette, strict=True)))
    return replace(fused, luminance=luminance, chroma=chroma)


def _chroma(heat: FloatArray, luminance: FloatArray, table: FloatArray) -> Chroma:
    """The colour of ``heat`` in a palette, 256×3, as far as RGB has it at ``luminance``; H×W each."""
    _, cb, cr = (plane[0] for plane in split_luma(table[None]))
    steps = np.rint(heat * 255).astype(np.uint8)
    chroma = Chroma(cb[steps], cr[steps])
    beside = merge_luma(np.zeros_like(luminance), *chroma)
    above, below = np.maximum(beside.max(axis=2), 1e-6), np.maximum(-beside.min(axis=2), 1e-6)
    fits = np.clip(np.minimum((1 - luminance) / above, luminance / below), 0, 1)
    return Chroma(fits * chroma.cb, fits * chroma.cr)


def _threshold(plan: Plan, index: int, value: float) -> np.float32:
    """``value``, in °C or the file's own units, in 0..1 as the source is prepared. Raises OptionError outside of it."""
    scale = scale_of(plan, index)
    at = scale.share(value)
    if not 0 <= at <= 1:
        shown = " to ".join(f"{end:.1f} °C" if scale.celsius is not None else f"{end:g}" for end in sorted(scale.ends))
        raise OptionError(f"`overlay` {value:g}: {plan.looks[index].name} shows {shown}")
    return np.float32(at)
