"""Render docs/pictures/tiling.png: the difference that exact tiling makes, and that of independent tiles.

    python bench/tiling.py

Left: one picture fused as a whole. Middle: the difference when it is fused in tiles as the engine does. Right: when
each tile is fused on its own and pasted. Differences are magnified so that 1/255 is full white; the script prints the
largest. The photograph is "coffee" (Rachel Michetti, CC0), which scikit-image ships (extra ``docs``).
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from skimage import data

from tita_cli.models.find import find_model
from tita_cli.runtime import load_engine
from tita_cli.runtime.onnx_session import CPU, Place
from tita_cli.runtime.select import load_onnx
from tita_cli.runtime.threads import usable_cores
from tita_cli.runtime.tiles import run

TARGET = Path(__file__).parents[1] / "docs" / "pictures" / "tiling.png"
SIDE = 128
"""Side of a tile in pixels, far smaller than any memory budget requires."""
GAP = 6


def main() -> None:
    value = cv2.cvtColor(data.coffee(), cv2.COLOR_RGB2GRAY).astype(np.float32)[:384, :576] / 255
    blurred = cv2.GaussianBlur(value, (0, 0), 3)
    near = np.hypot(*np.mgrid[-192:192, -288:288]) < 150
    a, b = np.where(near, value, blurred), np.where(near, blurred, value)
    whole = load_engine("tita", device="cpu")
    network = load_onnx(find_model("tita", suffix=".onnx"), Place(CPU), usable_cores())
    fused = whole.fuse(a, b).fused
    exact = np.abs(np.clip(run(network, [a, b], SIDE // network.spec.multiple).luminance, 0, 1) - fused)
    pasted = np.empty_like(fused)
    for top in range(0, a.shape[0], SIDE):
        for left in range(0, a.shape[1], SIDE):
            tile = np.s_[top : top + SIDE, left : left + SIDE]
            pasted[tile] = whole.fuse(a[tile], b[tile]).fused
    naive = np.abs(pasted - fused)
    print(f"tiles of {SIDE} pixels: largest difference {exact.max() * 255:.5f} of 255")
    print(f"fused each on its own: largest {naive.max() * 255:.2f}, mean {naive.mean() * 255:.2f}")
    gap = np.full((a.shape[0], GAP), 255, np.uint8)
    shown = [np.rint(np.clip(image, 0, 1) * 255).astype(np.uint8) for image in (fused, exact * 255, naive * 255)]
    cv2.imwrite(str(TARGET), np.hstack([shown[0], gap, shown[1], gap, shown[2]]))


if __name__ == "__main__":
    main()
