"""Measure `--denoise` on stripes and grain made by code, on examples/infrared/infrared.png, halved to calm its own.

python bench/thermal_noise.py

Standard deviations in thousandths of the range. "error": root mean square distance from the picture without it, before
and after, and in its smooth half, where eyes see noise. "edges": how steep its steepest 2 % of places still are.
"""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from tita_cli.images import read_picture
from tita_cli.images.thermal_noise import calmed

CLEAN = Path(__file__).resolve().parents[1] / "examples/infrared/infrared.png"
CASES = ((0, 0, 0), (10, 0, 0), (20, 0, 0), (0, 10, 0), (10, 10, 0), (10, 20, 5), (20, 20, 20))


def rms(plane: np.ndarray) -> float:
    return 1000 * float(np.sqrt((plane * plane).mean()))


def slope(plane: np.ndarray) -> np.ndarray:
    return np.stack([cv2.Sobel(plane, cv2.CV_32F, *way, scale=1 / 8) for way in ((1, 0), (0, 1))])


def main() -> None:
    clean = cv2.resize(read_picture(CLEAN).pixels.mean(axis=2), None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    steepness = np.hypot(*slope(clean))
    smooth, steep = steepness < np.quantile(steepness, 0.5), steepness > np.quantile(steepness, 0.98)
    height, width = clean.shape
    print("grain columns rows   measured             error          smooth half    edges")
    for grain, columns, rows in CASES:
        rng = np.random.default_rng([grain, columns, rows])
        noise = grain * rng.standard_normal(clean.shape) + columns * rng.standard_normal(width)
        noisy = (clean + (noise + rows * rng.standard_normal((height, 1))) / 1000).astype(np.float32)
        calm, found = calmed(noisy)
        measured = " ".join(f"{1000 * level:5.1f}" for level in found)
        apart, left = noisy - clean, calm - clean
        kept = float((slope(calm) * slope(clean))[:, steep].sum() / (slope(clean)[:, steep] ** 2).sum())
        print(
            f"{grain:5} {columns:7} {rows:4}   {measured}   {rms(apart):5.1f} → {rms(left):5.1f}  "
            f"{rms(apart[smooth]):5.1f} → {rms(left[smooth]):5.1f}  {kept:6.1%}"
        )


if __name__ == "__main__":
    main()
