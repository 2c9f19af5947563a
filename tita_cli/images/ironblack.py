"""Whether a picture was coloured by the Lepton's ironblack: white to black for what is cold, then iron to white.

Near black its grey and its colours meet, so that noise, which equalisation raises, mixes both within the few pixels
that JPEG gives one chroma: their mean lies off the palette. But luminance is kept for each pixel, and tells which
colour the pixel would have if it was hot. The mean chroma of a block has to be that of its pixels when hot, none when
cold, or between where some are so dark that the block may be of both.
"""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np

from tita_cli.images.color import LUMA_WEIGHTS, differences_chroma
from tita_cli.images.palettes import palettes
from tita_cli.images.picture import FloatArray

# Luminance and chroma in 255ths. Of photographs of the dev and training sets half of the coloured blocks fit at most,
# and pass three steps at most; of equalised infrared two thirds fit, and pass ten: bench/palettes.py.
_NEAR = 10.0  # of its chroma: what JPEG and rounding change
_DARK = 40.0  # of luminance: a block with such a pixel may have cold and hot ones
_COLORED, _STRONG = 12.0, 20.0  # of chroma: a block says something; is evidence of the palette
_HOT = 0.6  # of a block's chroma if all of it was hot
_FIT, _CERTAIN_FIT = 0.55, 0.7  # of the coloured blocks
_FIT_ALL = 0.75
_STEPS, _CERTAIN_STEPS = 3, 5  # of 16 of luminance that blocks of the hot half go along
_FEWEST, _FEWEST_SHARE = 4, 1 / 1500  # blocks of a step
# Iron alone has the same colours, but no greys between black and white.
_GREY_LUMA, _GREY_SHARE = (45.0, 205.0), 0.05


def is_ironblack(blocks: FloatArray) -> bool | None:
    """Whether that is certain (True) or may be (False); None where it is not so.

    ``blocks``: P×N×3 in 0..1, the P pixels of N blocks over the picture.
    """
    bright, *differences = _split(blocks.mean(axis=0) * np.float32(255))
    chroma = np.stack(differences, axis=1)
    y = blocks @ (np.float32(255) * np.array(LUMA_WEIGHTS, np.float32))
    level = np.rint(y).clip(0, 255).astype(np.uint8)
    hot = np.stack([cv2.LUT(level, plane).mean(axis=0) for plane in _hot_chroma().T.copy()], axis=1)
    strength, hottest = (np.hypot(plane[:, 0], plane[:, 1]) for plane in (chroma, hot))
    share = ((chroma * hot).sum(axis=1) / np.maximum(hottest**2, 1.0)).clip(0.0, 1.0)
    share = np.where(y.min(axis=0) < _DARK, share, np.rint(share))
    fits = np.hypot(*(chroma - share[:, None] * hot).T) < _NEAR
    colored = strength > _COLORED
    grey = fits & ~colored & (bright > _GREY_LUMA[0]) & (bright < _GREY_LUMA[1])
    if not colored.any() or fits.mean() < _FIT_ALL or grey.mean() < _GREY_SHARE:
        return None
    of_hot = fits & (share > _HOT) & (hottest > _STRONG) & (strength > _STRONG)
    along = np.bincount((bright[of_hot] // 16).astype(np.intp), minlength=16)
    steps = int((along >= max(_FEWEST, _FEWEST_SHARE * len(bright))).sum())
    fit = float(fits[colored].mean())
    if fit < _FIT or steps < _STEPS:
        return None
    return fit >= _CERTAIN_FIT and steps >= _CERTAIN_STEPS


@cache
def _hot_chroma() -> FloatArray:
    """Cb and Cr of the palette's hot half for each luminance 0..255, 256×2."""
    y, cb, cr = _split(palettes()["ironblack"])
    hot = slice(int(y.argmin()), None)
    return np.stack([np.interp(np.arange(256), y[hot], plane[hot]) for plane in (cb, cr)], axis=1).astype(np.float32)


def _split(colors: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Luminance, Cb and Cr of …×3 colours."""
    red, green, blue = (colors[..., channel] for channel in range(3))
    y = LUMA_WEIGHTS[0] * red + LUMA_WEIGHTS[1] * green + LUMA_WEIGHTS[2] * blue
    cb, cr = differences_chroma(blue - y, red - y)
    return y, cb, cr
