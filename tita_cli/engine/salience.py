"""What is salient in the second source is lifted, as ``tita_cli.network.salience`` says, but in OpenCV. No torch.

It takes the whole image, and nothing of the network's work: so it is done behind it, whatever pieces that was done in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tita_cli.engine.afar import blocks
from tita_cli.network import salience_rule as rule

if TYPE_CHECKING:
    from tita_cli.images.picture import FloatArray

ROWS = 64
"""Blocks to the height of what is lifted at a time."""


def salient_blocks(a: FloatArray, b: FloatArray) -> FloatArray:
    """How salient B is beside A in every block, ⌈H/8⌉×⌈W/8⌉ in 0..1. Luminances H×W."""
    import cv2

    of_a, of_b = blocks(a, rule.BLOCK), blocks(b, rule.BLOCK)
    threshold = np.float32(min(max(rule.STANDS_OUT * float(cv2.meanStdDev(b)[1].item()), rule.LEAST), rule.MOST))
    side = 2 * rule.REACH + 1
    around = cv2.GaussianBlur(of_b, (side, side), rule.SURROUNDINGS, borderType=cv2.BORDER_REPLICATE)
    apart = ((of_b - around) / threshold - 1) / np.float32(rule.SOFTNESS)
    stands_out = 0.5 + 0.5 * np.tanh(apart * np.float32(0.5))
    salient: FloatArray = stands_out * np.clip((of_b - of_a) / np.float32(rule.BRIGHTER), 0, 1)
    return salient


def lift_salient(a: FloatArray, b: FloatArray, fused: FloatArray, gate: FloatArray, heed: float) -> None:
    """Lift the picture and lower its gate in place where B is salient, all H×W. ``heed``: how far that counts."""
    if heed <= 0:
        return
    import cv2

    salient = salient_blocks(a, b)
    rows, (height, width) = len(salient), a.shape
    for top in range(0, rows, ROWS):
        bottom = min(top + ROWS, rows)
        first, last = max(top - 1, 0), min(bottom + 1, rows)  # what is interpolated between blocks sees the next
        if not salient[first:last].any():
            continue
        strip = salient[first:last]
        pixels = cv2.resize(
            strip, (strip.shape[1] * rule.BLOCK, strip.shape[0] * rule.BLOCK), interpolation=cv2.INTER_LINEAR
        )
        place = slice(top * rule.BLOCK, min(bottom * rule.BLOCK, height))
        inside = pixels[(top - first) * rule.BLOCK :][: place.stop - place.start, :width]
        most = 1 - np.float32(rule.HALF * heed) * inside
        lower = np.minimum(most - gate[place], 0) * (b[place] > a[place])
        gate[place] += lower
        fused[place] += lower * (a[place] - b[place])
