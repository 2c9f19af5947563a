"""Luminance and chroma, and which source's chroma a fused picture gets.

BT.601 full range, the YCrCb of OpenCV that the network was trained on, in float and with chroma centred on 0. The
reference's colour rule: Hu et al., "Balancing Task-invariant Interaction and Task-specific Adaptation for Unified Image
Fusion", ICCV 2025, published implementation; here without its rounding to 8 bits half-way.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from tita_cli.images.picture import FloatArray

LUMA_WEIGHTS = _RED, _GREEN, _BLUE = 0.299, 0.587, 0.114
_CB_SCALE = 2 * (1 - _BLUE)
_CR_SCALE = 2 * (1 - _RED)
_ROWS = 64  # at a time, for the memory
_TINY = np.float32(1e-6)


class Chroma(NamedTuple):
    """Colour difference planes, each H×W float32, −0.5..0.5 for colours inside RGB, 0 = none."""

    cb: FloatArray
    cr: FloatArray


def luma(pixels: FloatArray) -> FloatArray:
    """The luminance of H×W×1 or H×W×3 pixels, H×W."""
    if pixels.shape[2] == 1:
        return np.ascontiguousarray(pixels[..., 0])
    y = np.multiply(pixels[..., 0], np.float32(_RED))
    y += np.float32(_GREEN) * pixels[..., 1]
    y += np.float32(_BLUE) * pixels[..., 2]
    return y


def split_luma(pixels: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """R, G, B as H×W×3 into luminance, Cb and Cr, each H×W; chroma is 0 where the colour is a grey."""
    y = luma(pixels)
    return y, *chroma_of(pixels, y)


def chroma_of(pixels: FloatArray, y: FloatArray) -> Chroma:
    """The chroma of R, G, B as H×W×3 whose luminance is ``y``."""
    return differences_chroma(pixels[..., 2] - y, pixels[..., 0] - y)


def differences_chroma(blue: FloatArray, red: FloatArray) -> Chroma:
    """The chroma of the differences B − Y and R − Y."""
    return Chroma(blue / np.float32(_CB_SCALE), red / np.float32(_CR_SCALE))


def merge_luma(y: FloatArray, cb: FloatArray, cr: FloatArray) -> FloatArray:
    """The inverse of :func:`split_luma`: H×W×3, not clipped, so that the one rounding stays the last step."""
    pixels = np.empty((*y.shape, 3), np.float32)
    pixels[..., 0] = y + np.float32(_CR_SCALE) * cr
    pixels[..., 1] = y - np.float32(_CB_SCALE * _BLUE / _GREEN) * cb - np.float32(_CR_SCALE * _RED / _GREEN) * cr
    pixels[..., 2] = y + np.float32(_CB_SCALE) * cb
    return pixels


def to_range(pixels: FloatArray) -> FloatArray:
    """H×W×1 or H×W×3 pixels within 0..1, in place.

    Cutting the channels would change the luminance that was fused: dark places with the chroma of a brighter source
    come out lighter and lose their contrast. There saturation gives way, down to grey. In highlights it gives way by
    half, since a bright colour is rather darker than white.
    """
    if pixels.shape[2] == 1:
        return np.clip(pixels, 0, 1, out=pixels)
    for top in range(0, len(pixels), _ROWS):
        rows = pixels[top : top + _ROWS]
        if rows.min() >= 0 and rows.max() <= 1:
            continue
        outside = cv2.inRange(rows, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)) == 0
        colors = rows[outside][None]
        y = luma(colors)
        chroma = colors - y[..., None]
        y = np.clip(y, 0, 1)
        room = (1 - y) / np.maximum(chroma.max(2), _TINY)
        kept = np.minimum(y / np.maximum(-chroma.min(2), _TINY), (1 + np.minimum(room, 1)) / 2)
        rows[outside] = np.clip(y[..., None] + np.minimum(kept, 1)[..., None] * chroma, 0, 1)[0]
    return pixels


def reference_chroma(a: FloatArray, b: FloatArray) -> FloatArray:
    """One chroma plane of two, by the reference: the mean weighted with |a| and |b|, 0 where both are 0. H×W each."""
    weight_a: FloatArray = np.abs(a)
    weight_b: FloatArray = np.abs(b)
    total = weight_a + weight_b
    mixed: FloatArray = np.asarray(weight_a * a + weight_b * b, np.float32)
    np.divide(mixed, total, out=mixed, where=total > 0)
    return mixed


def fuse_chroma(a: Chroma | None, b: Chroma | None) -> Chroma | None:
    """The chroma of a fused picture from that of its two sources; None is a grey source's, and a grey result's.

    Where only one source has colour, its chroma is taken unchanged. Two colour sources: :func:`reference_chroma`.
    """
    if a is None or b is None:
        return a or b
    return Chroma(reference_chroma(a.cb, b.cb), reference_chroma(a.cr, b.cr))
