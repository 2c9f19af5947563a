"""Luminance and chroma, and which source's chroma a fused picture gets.

BT.601 full range, the YCrCb of OpenCV that the network was trained on, in float and with chroma centred on 0. The
reference's colour rule: Hu et al., "Balancing Task-invariant Interaction and Task-specific Adaptation for Unified Image
Fusion", ICCV 2025, published implementation; here without its rounding to 8 bits half-way.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import cv2
import numpy as np

from tita_cli.images.picture import FloatArray

LUMA_WEIGHTS = _RED, _GREEN, _BLUE = 0.299, 0.587, 0.114
_CB_SCALE = 2 * (1 - _BLUE)
_CR_SCALE = 2 * (1 - _RED)
_STRIP = 1 << 15  # pixels that are worked on at a time
_TINY = np.float32(1e-6)
_LEAST_CHROMA = 0.25 / 255  # its mean; what a colour camera sees at night has more


class Chroma(NamedTuple):
    """Colour difference planes, each H×W float32, −0.5..0.5 for colours inside RGB, 0 = none."""

    cb: FloatArray
    cr: FloatArray


def luma(pixels: FloatArray) -> FloatArray:
    """The luminance of H×W×1 or H×W×3 pixels, H×W."""
    if pixels.shape[2] == 1:
        return np.ascontiguousarray(pixels[..., 0])
    y = np.empty(pixels.shape[:2], pixels.dtype)
    for rows in _strips(pixels):
        y[rows] = _luma_of_planes(*_planes(pixels[rows]))
    return y


def split_luma(pixels: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """R, G, B as H×W×3 into luminance, Cb and Cr, each H×W; chroma is 0 where the colour is a grey."""
    y, cb, cr = (np.empty(pixels.shape[:2], pixels.dtype) for _ in range(3))
    for rows in _strips(pixels):
        red, green, blue = _planes(pixels[rows])
        y[rows] = light = _luma_of_planes(red, green, blue)
        cb[rows], cr[rows] = differences_chroma(blue - light, red - light)
    return y, cb, cr


def is_chroma(cb: FloatArray, cr: FloatArray) -> bool:
    """Whether these planes are more than those of a grey picture that is stored in three channels."""
    return bool(np.abs(cb).mean() + np.abs(cr).mean() > _LEAST_CHROMA)


def _luma_of_planes(red: FloatArray, green: FloatArray, blue: FloatArray) -> FloatArray:
    y = np.multiply(red, np.float32(_RED))
    y += np.float32(_GREEN) * green
    y += np.float32(_BLUE) * blue
    return y


def _planes(pixels: FloatArray) -> Sequence[FloatArray]:
    """The planes of H×W×3 pixels, contiguous: arithmetic on every third number is much slower."""
    return [np.asarray(plane) for plane in cv2.split(pixels)]


def _strips(pixels: FloatArray) -> Iterator[slice]:
    """Rows that stay in the cache."""
    step = max(1, _STRIP // max(1, pixels.shape[1]))
    for top in range(0, len(pixels) if pixels.size else 0, step):
        yield slice(top, top + step)


def differences_chroma(blue: FloatArray, red: FloatArray) -> Chroma:
    """The chroma of the differences B − Y and R − Y."""
    return Chroma(blue / np.float32(_CB_SCALE), red / np.float32(_CR_SCALE))


def merge_luma(y: FloatArray, cb: FloatArray, cr: FloatArray) -> FloatArray:
    """The inverse of :func:`split_luma`: H×W×3, not clipped, so that the one rounding stays the last step."""
    pixels = np.empty((*y.shape, 3), np.float32)
    for rows in _strips(pixels):
        green = y[rows] - np.float32(_CB_SCALE * _BLUE / _GREEN) * cb[rows]
        green -= np.float32(_CR_SCALE * _RED / _GREEN) * cr[rows]
        red, blue = (y[rows] + np.float32(scale) * plane[rows] for scale, plane in ((_CR_SCALE, cr), (_CB_SCALE, cb)))
        cv2.merge((red, green, blue), pixels[rows])
    return pixels


def to_range(pixels: FloatArray) -> FloatArray:
    """H×W×1 or H×W×3 pixels within 0..1, in place.

    Cutting the channels would change the luminance that was fused: dark places with the chroma of a brighter source
    come out lighter and lose their contrast. There saturation gives way, down to grey. In highlights it gives way by
    half, since a bright colour is rather darker than white.
    """
    if pixels.shape[2] == 1:
        return np.clip(pixels, 0, 1, out=pixels)
    for strip in _strips(pixels):
        rows = pixels[strip]
        if rows.min() >= 0 and rows.max() <= 1:
            continue
        outside = cv2.inRange(rows, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)) == 0
        colors = np.ascontiguousarray(rows[outside].T)
        y = _luma_of_planes(*colors)
        chroma = colors - y
        y = np.clip(y, 0, 1)
        room = (1 - y) / np.maximum(chroma.max(0), _TINY)
        kept = np.minimum(y / np.maximum(-chroma.min(0), _TINY), (1 + np.minimum(room, 1)) / 2)
        rows[outside] = np.clip(y + np.minimum(kept, 1) * chroma, 0, 1).T
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
