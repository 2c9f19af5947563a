"""Palettes of thermal cameras and of the programs that colour counts, from the cold end to the hot one."""

from __future__ import annotations

from functools import cache

import numpy as np

from tita_cli.images.picture import FloatArray

_OPENCV = (
    "JET", "HOT", "INFERNO", "MAGMA", "PLASMA", "TURBO", "RAINBOW", "VIRIDIS", "CIVIDIS", "PARULA",
)  # fmt: skip
_CORNERS: dict[str, tuple[tuple[int, int, int], ...]] = {
    # Every maker has a shade of its own; these are the corners that several share.
    "iron": (
        (0, 0, 0), (32, 0, 140), (120, 0, 155), (190, 20, 140), (225, 70, 35), (250, 135, 5), (255, 200, 30),
        (255, 245, 130), (255, 255, 255),
    ),
    # FLIR's, as its cameras store it in their files.
    "ironbow": (
        (0, 0, 0), (15, 1, 99), (65, 0, 144), (108, 0, 165), (145, 3, 167), (178, 17, 153), (204, 36, 129),
        (224, 58, 96), (240, 84, 64), (251, 112, 31), (255, 140, 9), (255, 166, 0), (255, 193, 0), (255, 216, 25),
        (255, 237, 75), (251, 251, 155), (255, 255, 255),
    ),
    # Of the Lepton: white to black, and from the middle on iron. Corners are 1/16 apart.
    "ironblack": (
        (255, 255, 255), (223, 223, 223), (191, 191, 191), (159, 159, 159), (128, 128, 128), (96, 96, 96), (64, 64, 64),
        (32, 32, 32), (0, 0, 0), (31, 0, 118), (115, 0, 135), (186, 7, 141), (223, 55, 59), (239, 110, 12),
        (247, 170, 14), (255, 224, 30), (255, 255, 248),
    ),
}  # fmt: skip


@cache
def palettes() -> dict[str, FloatArray]:
    """All palettes by name, each 256×3, 0..255."""
    import cv2

    ramp = np.arange(256, dtype=np.uint8)[:, None]
    tables = {
        name.lower(): cv2.applyColorMap(ramp, getattr(cv2, f"COLORMAP_{name}"))[:, 0, ::-1].astype(np.float32)
        for name in _OPENCV
    }
    at = np.linspace(0, 1, 256)
    for name, corners in _CORNERS.items():
        places, colors = np.linspace(0, 1, len(corners)), np.array(corners, np.float32)
        tables[name] = np.stack([np.interp(at, places, colors[:, c]) for c in range(3)], axis=1).astype(np.float32)
    return tables
