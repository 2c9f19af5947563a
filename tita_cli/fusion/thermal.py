"""What the finish makes of infrared where the user asks for more than the network's picture: balance, palette, overlay.

The luminance stays the fused one, with the detail of both sources; a palette gives it the infrared's colour, as cameras
do that draw the edges of a photograph into their thermal picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np
import numpy.typing as npt

from tita_cli.fusion.plan import Plan
from tita_cli.fusion.scale import scale_of
from tita_cli.fusion.strategy import Fused
from tita_cli.images.color import LUMA_WEIGHTS, Chroma, differences_chroma, luma, split_luma
from tita_cli.images.palettes import palettes
from tita_cli.images.picture import FloatArray
from tita_cli.images.resize import resize_picture
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
    index = infrared_of(plan, how)
    picture = plan.read(index)
    heat = np.clip(luma(picture.pixels), 0, 1)
    share = np.ones_like(heat) if picture.alpha is None else picture.alpha.copy()
    luminance = fused.luminance
    if how.overlay is not None:
        luminance, colored = overlaid(_hotter(plan, index, how.overlay, heat), luminance)
        share *= colored
    nothing = np.zeros_like(heat)
    before = fused.chroma or Chroma(nothing, nothing)
    table = palettes()[how.palette or HOT_PALETTE] / np.float32(255)
    of_palette = differences_chroma(*palette_differences(heat, luminance, table))
    chroma = Chroma(*(one + share * (two - one) for one, two in zip(before, of_palette, strict=True)))
    return replace(fused, luminance=luminance, chroma=chroma)


def infrared_of(plan: Plan, how: Output) -> int:
    """The source that a palette or an overlay is about. Raises OptionError where that is not clear."""
    if plan.roles.infrared is None:
        field = "palette" if how.palette is not None else "overlay"
        raise OptionError(f"`{field}`: which source is the infrared is not clear", hint="`role` 2:infrared says so")
    return plan.roles.infrared


def overlaid(hot: npt.NDArray[np.bool_], luminance: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The luminance of an overlay on the places that are ``hot``, with a white line around them, and the share that
    the palette has in the colour; H×W each."""
    line = cv2.morphologyEx(hot.astype(np.uint8), cv2.MORPH_GRADIENT, np.ones((2, 2), np.uint8)).astype(bool)
    dimmed = np.where(hot, _DIMMED * luminance, luminance)
    return np.where(line, np.float32(1), dimmed), np.where(line, np.float32(0), hot.astype(np.float32))


def palette_differences(
    heat: FloatArray, luminance: FloatArray, table: FloatArray, weights: Sequence[float] = LUMA_WEIGHTS
) -> tuple[FloatArray, FloatArray]:
    """B − Y and R − Y of the colours of ``heat`` in a palette, as far as RGB has them at ``luminance``; H×W each.

    ``table``: 256×3 in 0..1. ``weights``: the shares of R, G and B in Y.
    """
    beside = table - (table @ np.array(weights, np.float32))[:, None]
    above, below = np.maximum(beside.max(axis=1), 1e-6), np.maximum(-beside.min(axis=1), 1e-6)
    steps = np.rint(heat * 255).astype(np.uint8)
    fits = np.clip(np.minimum((1 - luminance) / above[steps], luminance / below[steps]), 0, 1)
    return fits * beside[steps, 2], fits * beside[steps, 0]


def _hotter(plan: Plan, index: int, value: float, heat: FloatArray) -> npt.NDArray[np.bool_]:
    """Where source ``index`` is hotter than ``value``, in °C or the file's own units, H×W; ``heat``: as prepared, 0..1.

    A spot smaller than what the range leaves to dead pixels and the sun may be hotter than its end: it is looked for in
    the file's own values.
    """
    scale = scale_of(plan, index)
    at = scale.share(value)
    if 0 <= at <= 1:
        return np.asarray(heat >= np.float32(at))
    picture = plan.in_own_values(index)
    if picture.pixels.shape[:2] != heat.shape:
        picture = resize_picture(picture, *heat.shape)
    black, white = picture.levels
    counts = black + luma(picture.pixels) * np.float32(white - black)
    threshold = scale.cold + at * (scale.hot - scale.cold)
    hot = np.asarray(counts >= threshold if scale.hot > scale.cold else counts <= threshold)
    if picture.alpha is not None:
        hot &= picture.alpha > 0
    if not hot.any():
        shown = " to ".join(f"{end:.1f} °C" if scale.celsius is not None else f"{end:g}" for end in sorted(scale.ends))
        plan.remark(f"{picture.name}: nothing is hotter than `overlay` {value:g}, it shows {shown}")
    return hot
