"""From floats to the integers that files, previews and metrics hold: the one place where values are rounded."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from tita_cli.options import Depth


def quantize(values: npt.NDArray[np.floating], depth: Depth) -> npt.NDArray[Any]:
    """Values of any shape, clipped to 0..1, as unsigned integers of ``depth`` bits, rounded half to even.

    32 is float: the values as they are, not clipped.
    """
    if depth == 32:
        return values
    white = 2**depth - 1
    samples = np.empty(values.shape, np.uint8 if depth == 8 else np.uint16)
    strip = max(1, 2**20 // max(1, values[:1].size))
    for top in range(0, len(values), strip):  # strips stay in the cache; whole copies would triple the memory
        scaled = values[top : top + strip] * np.float32(white)
        np.clip(scaled, 0, white, out=scaled)
        np.rint(scaled, out=scaled)
        samples[top : top + strip] = scaled
    return samples
