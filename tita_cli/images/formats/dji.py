"""DJI's R-JPEG: the counts of the sensor in APP3 segments, beside a coloured preview.

Layout: ExifTool (ThermalData of DJI's APP3) and GDAL (``ReadDJIMetadata``). How counts become temperatures is known to
DJI's own library only.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from tita_cli.images.formats.jpeg_segments import APP3

MAKER = "DJI"
_ASPECT = 0.01  # by which the shape of the counts may differ from the preview's
_LEAST = 32  # pixels a side


def find_counts(parts: Iterable[tuple[int, bytes]], preview: tuple[int, int]) -> npt.NDArray[np.uint16] | None:
    """The counts, H×W, of a file of DJI's with these segments; None where it has none.

    ``preview``: width and height of its JPEG picture; the counts have its shape, and the same size or a half of it.
    """
    content = b"".join(content for marker, content in parts if marker == APP3)
    width = round((len(content) // 2 * preview[0] / preview[1]) ** 0.5)
    height = len(content) // 2 // width if width else 0
    if min(width, height) < _LEAST or 2 * width * height != len(content):
        return None
    if abs(width * preview[1] / (height * preview[0]) - 1) > _ASPECT:
        return None
    return np.frombuffer(content, "<u2").reshape(height, width).astype(np.uint16)
