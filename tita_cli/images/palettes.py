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
# Of FLIR's cameras, too; their corners are not evenly apart: where each is, of 1, and its colour.
_PLACED_CORNERS: dict[str, tuple[tuple[float, int, int, int], ...]] = {
    "arctic": (
        (0, 0, 0, 151), (0.1, 0, 1, 255), (0.285, 44, 246, 252), (0.33, 58, 238, 238), (0.505, 100, 100, 100),
        (0.73, 255, 99, 0), (0.87, 255, 217, 0), (1, 255, 249, 207),
    ),
    "lava": (
        (0, 0, 0, 0), (0.085, 24, 75, 162), (0.155, 0, 104, 165), (0.33, 0, 141, 134), (0.42, 121, 49, 122),
        (0.61, 207, 21, 37), (0.715, 255, 55, 33), (0.785, 255, 98, 0), (0.925, 255, 217, 0), (1, 255, 255, 255),
    ),
    "rainbow-flir": (
        (0, 0, 3, 75), (0.09, 0, 49, 133), (0.18, 0, 84, 194), (0.27, 2, 124, 216), (0.315, 8, 142, 172),
        (0.36, 28, 156, 109), (0.4, 93, 181, 35), (0.445, 142, 197, 8), (0.49, 190, 210, 0), (0.535, 224, 212, 4),
        (0.62, 250, 189, 14), (0.705, 255, 127, 32), (0.75, 254, 69, 47), (0.795, 251, 29, 61), (0.85, 247, 25, 79),
        (0.89, 248, 72, 101), (0.935, 252, 121, 123), (1, 255, 233, 208),
    ),
}  # fmt: skip
_ALSO_OF_VIDEO = ("ironbow", "arctic", "lava", "rainbow-flir")
"""Some cameras store their picture with these colours as video has them, 16 to 235."""
UNKNOWN = "unknown"
"""What a picture is said to have been coloured by whose luminance was taken, as no palette fits its colours."""


@cache
def palettes() -> dict[str, FloatArray]:
    """All palettes by name, each 256×3, 0..255."""
    import cv2

    ramp = np.arange(256, dtype=np.uint8)[:, None]
    tables = {
        name.lower(): cv2.applyColorMap(ramp, getattr(cv2, f"COLORMAP_{name}"))[:, 0, ::-1].astype(np.float32)
        for name in _OPENCV
    }
    placed = {name: np.array(corners, np.float32) for name, corners in _PLACED_CORNERS.items()}
    for name, evenly in _CORNERS.items():
        placed[name] = np.column_stack([np.linspace(0, 1, len(evenly)), evenly])
    at = np.linspace(0, 1, 256)
    for name, corners in placed.items():
        places, colors = corners[:, 0], corners[:, 1:]
        tables[name] = np.stack([np.interp(at, places, colors[:, c]) for c in range(3)], axis=1).astype(np.float32)
    for name in _ALSO_OF_VIDEO:
        tables[f"{name}-video"] = np.float32(16) + tables[name] * np.float32(219 / 255)
    return tables
