"""What surrounds ``tita-lite``'s head, in OpenCV instead of the network's framework.

Before it, the sources' detail bands: the same function as :class:`tita_cli.network.lite.DetailBands`. Behind it, the
vote of its gate (:class:`tita_cli.network.region.Region`) and the blend that follows from it. A convolution of a single
channel is what neural networks' frameworks are worst at: ONNX Runtime pads it to 16, PyTorch copies it five times over;
both take ten times as long as OpenCV's separable filter. Imports no torch.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np

if TYPE_CHECKING:
    from tita_cli.images.picture import FloatArray

PATCH = 4
BANDS = 4
NOISE = 0.004
REACH, SPREAD, UNDECIDED = 8, 2.0, 1e-3
TRUST, STRETCH = 8.0, 1.5
"""As in ``tita_cli.network.lite`` and ``region``, which are not imported: they would import PyTorch."""
_AROUND = np.ones((3, 3), np.uint8)


class Detail(NamedTuple):
    """``bands``: 8×H×W, four of A and four of B, fine to coarse. ``activity``: 4×H×W in −1..1, 1 where it is A's."""

    bands: FloatArray
    activity: FloatArray


def detail(a: FloatArray, b: FloatArray) -> Detail:
    """What the head sees of two sources, H×W; exact 46 pixels inside what was cut out of a larger image."""
    bands = np.empty((2 * BANDS, *a.shape), np.float32)
    _bands(a, bands[:BANDS])
    _bands(b, bands[BANDS:])
    activity = np.empty((BANDS, *a.shape), np.float32)
    for k in range(BANDS):
        of_a, of_b = (_blurred(np.abs(bands[k + source]), 2**k) for source in (0, BANDS))
        np.subtract(of_a, of_b, out=activity[k])
        of_a += of_b
        of_a += np.float32(NOISE)
        activity[k] /= of_a
    return Detail(bands, activity)


def votes(logits: FloatArray) -> FloatArray:
    """Logits of the gate, H×W → mean vote and decidedness of every token, 2×H/4×W/4."""
    vote = np.tanh(logits * np.float32(0.5))
    return np.stack((_pooled(vote), _pooled(np.abs(vote))))


def outcome(votes: FloatArray) -> FloatArray:
    """The tokens' :func:`votes` → the outcome around each, h×w in −1..1; exact 8 tokens inside."""
    i = np.arange(-REACH, REACH + 1)
    kernel = np.exp(-0.5 * (i / SPREAD) ** 2)
    kernel /= kernel.sum()
    total, decided = (cv2.sepFilter2D(plane, -1, kernel, kernel, borderType=cv2.BORDER_CONSTANT) for plane in votes)
    counted: FloatArray = total / (decided + np.float32(UNDECIDED))
    return counted


def enlarged(outcome: FloatArray) -> FloatArray:
    """The :func:`outcome` around every pixel, h×w → 4·h×4·w; exact 2 pixels inside."""
    h, w = outcome.shape
    pixels: FloatArray = cv2.resize(outcome, (PATCH * w, PATCH * h), interpolation=cv2.INTER_LINEAR)
    return pixels


def darkest(a: FloatArray, b: FloatArray) -> FloatArray:
    """The darkest of both sources in the 3×3 pixels around each, H×W; exact 1 pixel inside."""
    floor: FloatArray = cv2.erode(np.minimum(a, b), _AROUND)
    return floor


def blend(
    a: FloatArray,
    b: FloatArray,
    logits: FloatArray,
    residual: FloatArray,
    region: FloatArray,
    trust: float,
    floor: FloatArray,
) -> tuple[FloatArray, FloatArray]:
    """Sources, what the head made of them, the outcome of the vote and the floor, H×W → the picture and its gate."""
    gate: FloatArray = region * np.float32(TRUST * trust)
    gate += logits
    # The stretched sigmoid, as the hyperbolic tangent that it is.
    np.tanh(gate * np.float32(0.5), out=gate)
    gate *= np.float32(STRETCH / 2)
    gate += np.float32(0.5)
    np.clip(gate, 0, 1, out=gate)
    fused: FloatArray = a - b
    fused *= gate
    fused += b
    fused += residual
    return np.maximum(fused, floor, out=fused), gate


def contrast(image: FloatArray) -> FloatArray:
    """How strong the detail of an image is in every token, 4×H/4×W/4; exact 6 tokens inside."""
    tokens, half = _pooled(image), BANDS // 2
    strength = np.empty((BANDS, *tokens.shape), np.float32)
    fine = np.empty((half, *image.shape), np.float32)
    _bands(image, fine)
    for k in range(half):
        strength[k] = _pooled(np.abs(fine[k]))
    _bands(tokens, strength[half:])
    np.abs(strength[half:], out=strength[half:])
    strength /= np.float32(NOISE)
    strength += 1
    np.log2(strength, out=strength)
    strength *= np.float32(0.25)
    return strength


def _bands(image: FloatArray, out: FloatArray) -> None:
    for k, band in enumerate(out):
        blurred = _blurred(image, 2**k)
        np.subtract(image, blurred, out=band)
        image = blurred


def _blurred(image: FloatArray, step: int) -> FloatArray:
    kernel = _kernel(step)
    blurred: FloatArray = cv2.sepFilter2D(image, -1, kernel, kernel, borderType=cv2.BORDER_REPLICATE)
    return blurred


@cache
def _kernel(step: int) -> FloatArray:
    kernel = np.zeros(4 * step + 1, np.float32)
    kernel[::step] = np.array((1, 4, 6, 4, 1), np.float32) / 16
    return kernel


def _pooled(image: FloatArray) -> FloatArray:
    """The mean of every token."""
    h, w = image.shape
    pooled: FloatArray = cv2.resize(image, (w // PATCH, h // PATCH), interpolation=cv2.INTER_AREA)
    return pooled
