"""Between scene-linear light, which radiance formats hold, and the display-referred values that everything else has.

The curve is sRGB's (IEC 61966-2-1), continued above white by its own formula and below black by symmetry, so that it
has an exact inverse for every value and high lights survive.
"""

from __future__ import annotations

import numpy as np

from tita_cli.images.picture import FloatArray


def encode_srgb(linear: FloatArray) -> FloatArray:
    """Linear light to display values, any shape."""
    size = np.abs(linear)
    curved = 1.055 * np.power(size, 1 / 2.4) - 0.055
    return np.copysign(np.where(size <= 0.0031308, 12.92 * size, curved), linear).astype(np.float32)


def decode_srgb(display: FloatArray) -> FloatArray:
    """Display values to linear light, any shape."""
    size = np.abs(display)
    curved = np.power((size + 0.055) / 1.055, 2.4)
    return np.copysign(np.where(size <= 0.04045, size / 12.92, curved), display).astype(np.float32)
