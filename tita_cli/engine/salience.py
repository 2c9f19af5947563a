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


def lift_salient(a: FloatArray, b: FloatArray, fused: FloatArray, gate: FloatArray, heed: float) -> None:
    """Lift the picture and lower its gate in place where B is salient, all H×W. ``heed``: how far that counts."""
    if heed <= 0:
        return
    import cv2

    threshold = np.float32(min(max(rule.STANDS_OUT * float(cv2.meanStdDev(b)[1].item()), rule.LEAST), rule.MOST))
    near, around_a, around_b = _surroundings(a, b, threshold)
    rows, (height, width) = len(near), a.shape
    for top in range(0, rows, ROWS):
        bottom = min(top + ROWS, rows)
        first, last = max(top - 1, 0), min(bottom + 1, rows)  # what is interpolated between blocks sees the next
        place = slice(top * rule.BLOCK, min(bottom * rule.BLOCK, height))
        inside = slice((top - first) * rule.BLOCK, (top - first) * rule.BLOCK + place.stop - place.start)
        salient, of_a, of_b = (_in_pixels(x[first:last])[inside, :width] for x in (near, around_a, around_b))
        b_smooth = _smooth(b, place)
        salient *= np.clip(((b_smooth - of_b) / threshold - np.float32(rule.FROM)) / np.float32(1 - rule.FROM), 0, 1)
        salient *= np.clip((b[place] - a[place]) / np.float32(rule.BRIGHTER), 0, 1)
        salient *= np.clip((b_smooth - of_a) / np.float32(rule.ABOVE), 0, 1)
        most = 1 - np.float32(rule.SHARE * heed) * salient
        lower = np.minimum(most - gate[place], 0)
        gate[place] += lower
        fused[place] += lower * (a[place] - b[place])


def _surroundings(a: FloatArray, b: FloatArray, threshold: np.float32) -> tuple[FloatArray, FloatArray, FloatArray]:
    """For every block, ⌈H/8⌉×⌈W/8⌉: does it or one near it stand out in B, 0..1, and what surrounds it in A and B."""
    import cv2

    side = 2 * rule.REACH + 1
    of_b = blocks(b, rule.BLOCK)
    around_a, around_b = (
        cv2.GaussianBlur(x, (side, side), rule.SURROUNDINGS, borderType=cv2.BORDER_REPLICATE)
        for x in (blocks(a, rule.BLOCK), of_b)
    )
    apart = ((of_b - around_b) / threshold - 1) / np.float32(rule.SOFTNESS)
    stands_out = 0.5 + 0.5 * np.tanh(apart * np.float32(0.5))
    near = cv2.dilate(stands_out, np.ones((2 * rule.NEAR + 1,) * 2, np.uint8))
    return near, around_a, around_b


def _in_pixels(part: FloatArray) -> FloatArray:
    import cv2

    size = (part.shape[1] * rule.BLOCK, part.shape[0] * rule.BLOCK)
    pixels: FloatArray = cv2.resize(part, size, interpolation=cv2.INTER_LINEAR)
    return pixels


def _smooth(image: FloatArray, rows: slice) -> FloatArray:
    """Some rows of an image with its noise taken off."""
    import cv2

    reach = rule.SMOOTH_REACH
    first, last = max(rows.start - reach, 0), min(rows.stop + reach, len(image))
    smooth: FloatArray = cv2.GaussianBlur(
        image[first:last], (2 * reach + 1,) * 2, rule.SMOOTH, borderType=cv2.BORDER_REPLICATE
    )
    return smooth[rows.start - first : rows.stop - first]
