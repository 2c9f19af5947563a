"""Which of two grey pictures is the visible one: how often simple rules are right on infrared–visible pairs.

    python bench/order.py

Prints for every training set, and as a mean over the sets, the share of pairs whose visible picture, converted to grey,
is brighter, has more contrast (standard deviation), more fine detail, and more coarse contrast than the infrared one.
`tita fuse` orders by colour first, and by brightness where no source has colour.
"""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from dev_sets import SHARED, read

from tita_cli.images.color import luma

RULES = ("brighter", "contrast", "fine detail", "coarse contrast")


def features(path: Path) -> tuple[float, ...]:
    image = luma(np.atleast_3d(read(path)).astype(np.float32) / 255)
    fine = np.abs(image - cv2.GaussianBlur(image, (0, 0), 1.0)).mean()
    coarse = cv2.resize(image, None, fx=1 / 8, fy=1 / 8, interpolation=cv2.INTER_AREA)
    return float(image.mean()), float(image.std()), float(fine), float(coarse.std())


def main() -> None:
    print(f"{'':12} {'pairs':>6}  " + "  ".join(f"{rule:>15}" for rule in RULES))
    shares = []
    for folder in sorted((SHARED / "data/train/ivf").iterdir()):
        pairs = [(path, folder / "ir" / path.name) for path in sorted((folder / "vis").iterdir())]
        pairs = [(visible, infrared) for visible, infrared in pairs if infrared.exists()]
        right = [np.greater(features(visible), features(infrared)) for visible, infrared in pairs]
        shares.append(np.mean(right, 0))
        print(f"{folder.name:12} {len(pairs):6}  " + "  ".join(f"{share:15.2f}" for share in shares[-1]))
    print(f"{'mean':12} {'':6}  " + "  ".join(f"{share:15.2f}" for share in np.mean(shares, 0)))


if __name__ == "__main__":
    main()
