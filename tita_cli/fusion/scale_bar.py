"""A bar beside a coloured result that tells which temperature, or which value of the infrared file, a colour means."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from tita_cli.fusion.plan import Plan
from tita_cli.fusion.scale import Scale, scale_of
from tita_cli.fusion.thermal import HOT_PALETTE
from tita_cli.images import Picture
from tita_cli.images.color import luma
from tita_cli.images.palettes import palettes
from tita_cli.images.picture import FloatArray
from tita_cli.options import OptionError, Output

_LINES = 28  # of text, in the height of a picture
_SMALLEST = 9  # px of text that can be read
_APART = 2.5  # heights of text, at least, between two numbers
_STEPS = (1.0, 2.0, 5.0, 10.0)


def with_scale_bar(plan: Plan, picture: Picture, how: Output) -> Picture:
    """``picture``, the result of a fusion coloured by its infrared, with the bar at its right: H×(W + bar)×3.

    With an overlay, what is colder than its threshold is grey in the bar, too. Raises OptionError where nothing is
    coloured, and where it is not clear which source is the infrared.
    """
    index = plan.roles.infrared
    if how.palette is None and how.overlay is None:
        raise OptionError("`scale_bar` tells what colours mean, and there are none", hint="`palette` inferno colours")
    if index is None:
        raise OptionError("`scale_bar`: which source is the infrared is not clear", hint="`role` 2:infrared says so")
    scale = scale_of(plan, index)
    colors = palettes()[how.palette or HOT_PALETTE] / np.float32(255)
    if how.overlay is not None:
        cold = np.arange(256) / 255.0 < scale.share(how.overlay)
        colors = np.where(cold[:, None], luma(colors[None])[0, :, None], colors)
    bar = _drawn(scale, colors, picture.height)
    pixels = picture.pixels if picture.is_color else np.repeat(picture.pixels, 3, axis=2)
    alpha = picture.alpha
    if alpha is not None:
        alpha = np.concatenate([alpha, np.ones(bar.shape[:2], np.float32)], axis=1)
    return replace(picture, pixels=np.concatenate([pixels, bar], axis=1), alpha=alpha)


def ticks(scale: Scale, most: int) -> list[tuple[float, str]]:
    """At most ``most`` round values of the scale: where each lies, 0..1, and its text."""
    low, high = sorted(scale.ends)
    if not high > low or most < 1:
        return []
    rough = (high - low) / most
    unit = 10.0 ** math.floor(math.log10(rough))
    step = unit * next(step for step in _STEPS if step * unit >= rough * (1.0 - 1e-9))
    places = max(0, -math.floor(math.log10(step) + 1e-9))
    values = [round(number * step, places) for number in range(math.ceil(low / step), math.floor(high / step) + 1)]
    return [(scale.share(value), f"{value:.{places}f}") for value in values]


def _drawn(scale: Scale, colors: FloatArray, height: int) -> FloatArray:
    """The bar on black: H×W×3, 0..1. ``colors``: 256×3, from cold to hot."""
    from PIL import Image, ImageDraw, ImageFont

    size = max(_SMALLEST, round(height / _LINES))
    font, gap = ImageFont.load_default(size), size // 2
    unit = "" if scale.celsius is None else "°C"
    top, bottom = (2 * size if unit else size), height - size
    length = bottom - top
    marks = [mark for mark in ticks(scale, int(length / (_APART * size))) if 0.0 <= mark[0] <= 1.0]
    wide = max((font.getlength(text) for text in (unit, *(text for _, text in marks))), default=0.0)
    width = 4 * gap + size + math.ceil(wide)
    image = Image.new("L", (width, height))
    draw = ImageDraw.Draw(image)
    right = gap + size
    draw.text((right + gap, size), unit, 255, font, anchor="lm")
    for at, text in marks:
        y = bottom - 1 - at * (length - 1)
        draw.line([(right, y), (right + gap // 2, y)], 255, max(1, size // 12))
        draw.text((right + gap, y), text, 255, font, anchor="lm")
    drawn = np.repeat(np.asarray(image, np.float32)[..., None] / np.float32(255), 3, axis=2)
    if length > 0:
        steps = np.rint(np.linspace(255, 0, length)).astype(np.intp)
        drawn[top:bottom, gap:right] = colors[steps][:, None]
    return drawn
