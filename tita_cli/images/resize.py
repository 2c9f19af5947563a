"""Bring a picture to another size."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from tita_cli.images.picture import FloatArray, Picture


def resize_picture(picture: Picture, height: int, width: int) -> Picture:
    """``picture`` resampled to ``height``×``width``: by area where it shrinks, cubic where it grows."""
    import cv2

    shrinks = height * width < picture.height * picture.width

    def resized(plane: FloatArray) -> Any:
        out = cv2.resize(plane, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC)
        return np.clip(out, plane.min(), plane.max())  # a cubic overshoots at edges

    pixels = resized(picture.pixels).reshape(height, width, -1)
    return replace(picture, pixels=pixels, alpha=None if picture.alpha is None else resized(picture.alpha))
