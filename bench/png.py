"""Size and processor time of PNG files by zlib's level and strategy and libpng's filters.

    python bench/png.py FOLDER… [--every 4]

Encodes the pictures in the folders, as they are, with 8 bits a sample, and halved with 16 bits and noise below the
tenth, as fused pictures have it. Prints bytes and nanoseconds (the least of three) a pixel for each way, over all.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import cv2
import imagecodecs
import numpy as np
import numpy.typing as npt

STRATEGY, FILTER = imagecodecs.PNG.STRATEGY, imagecodecs.PNG.FILTER
WAYS: dict[str, dict[str, Any]] = {
    **{f"level {level}": {"level": level} for level in (1, 3, 6)},
    **{
        f"{strategy.name}, {used.name}": {"level": 1, "strategy": strategy, "filter": used}
        for strategy in (STRATEGY.DEFAULT, STRATEGY.FILTERED, STRATEGY.RLE, STRATEGY.HUFFMAN_ONLY)
        for used in (FILTER.SUB, FILTER.UP, FILTER.AVG, FILTER.PAETH, FILTER.FAST, FILTER.ALL)
    },
}


def pictures(folders: list[str], every: int) -> dict[str, list[npt.NDArray[Any]]]:
    """Kind → pictures."""
    rng = np.random.default_rng(3)
    files = sorted(p for f in folders for p in Path(f).rglob("*") if p.suffix.lower() in {".png", ".jpg", ".bmp"})
    found: dict[str, list[npt.NDArray[Any]]] = {}
    for path in files[::every]:
        image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        if image is None or image.dtype != np.uint8 or (image.ndim == 3 and image.shape[2] != 3):
            continue
        kind = "grey" if image.ndim == 2 else "colour"
        found.setdefault(f"{kind}, 8 bits", []).append(image)
        noise = rng.integers(0, 64, image.shape, np.uint16)
        found.setdefault(f"{kind}, 16 bits", []).append(image.astype(np.uint16) * 257 // 2 + noise)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+")
    parser.add_argument("--every", type=int, default=1)
    options = parser.parse_args()
    print("| pictures | way | bytes a pixel | ns a pixel |")
    print("|---|---|---:|---:|")
    for kind, images in pictures(options.folders, options.every).items():
        pixels = sum(image.shape[0] * image.shape[1] for image in images)
        for way, how in WAYS.items():
            size, spent = 0, 0.0
            for image in images:
                times = []
                for _ in range(3):
                    start = time.process_time()
                    encoded = imagecodecs.png_encode(image, **how)
                    times.append(time.process_time() - start)
                size += len(encoded)
                spent += min(times)
            print(f"| {kind}, {len(images)} | {way} | {size / pixels:.3f} | {spent * 1e9 / pixels:.1f} |", flush=True)


if __name__ == "__main__":
    main()
