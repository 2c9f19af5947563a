"""What `--denoise` takes for stripes: infrared of the dev sets as it is, with stripes added, behind a drawn fence or
façade, and photographs.

    python bench/thermal_stripes.py [--photographs 200]

Stripes are offsets of whole columns, normally distributed, of so many of 255 in the mean; each picture is rounded to 8
bits after them. A fence covers the picture or its lower 60 %, upright or turned by some pixels over the height. Prints
of how many pictures columns and rows are taken for stripes; of those with stripes added, what is left of them.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from dev_sets import SHARED

from tita_cli.images.picture import FloatArray
from tita_cli.images.thermal_noise import calmed

SETS = ("vifb", "msrs", "tno")
AMOUNTS = (1, 2, 5, 10)
SEEN = (8, 200)
"""Of 255, what infrared is brought into for fences and stripes: nothing is cut off."""


def rounded(plane: FloatArray) -> FloatArray:
    return np.asarray(np.rint(plane.clip(0, 1) * 255) / 255, np.float32)


def fence(plane: FloatArray, period: float, share: float, turned: float) -> FloatArray:
    y, x = np.mgrid[: plane.shape[0], : plane.shape[1]].astype(np.float32)
    slats = ((x + turned * y / len(plane)) % period < period / 2).astype(np.float32)
    return plane + 0.15 * cv2.GaussianBlur(slats, (0, 0), 0.6) * (y >= (1 - share) * len(plane))


def windows(plane: FloatArray, period: int) -> FloatArray:
    y, x = np.mgrid[: plane.shape[0], : plane.shape[1]]
    glass = ((x % period < 0.4 * period) & (y % 20 < 12)).astype(np.float32)
    return 0.4 + 0.1 * (plane - 0.5) + 0.2 * cv2.GaussianBlur(glass, (0, 0), 0.7)


def report(name: str, planes: list[FloatArray]) -> None:
    found = [calmed(plane, grain_too=False)[1] for plane in planes]
    levels = [255 * max(noise.columns, noise.rows) for noise in found]
    taken = sum(level > 0 for level in levels)
    print(f"{name:42}{taken:5} of {len(planes):4}   at most {max(levels):5.2f} of 255", flush=True)


def report_stripes(planes: list[FloatArray], amount: float) -> None:
    found, left, rng = 0, [], np.random.default_rng(0)
    for plane in planes:
        clean = SEEN[0] / 255 + plane * (SEEN[1] - SEEN[0]) / 255
        added = (rng.standard_normal(plane.shape[1]) * amount / 255).astype(np.float32)
        calm, noise = calmed(rounded(clean + added), grain_too=False)
        if noise.columns:
            found += 1
            fine = (calm - calmed(rounded(clean), grain_too=False)[0]).mean(axis=0)
            left.append(float(fine.std() / added.std()))
    print(f"columns of {amount} of 255 added {found:19} of {len(planes):4}   {np.median(left):.0%} of them left")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photographs", type=int, default=200, help="how many")
    options = parser.parse_args()
    infrared = {
        name: [
            np.asarray(cv2.imread(str(path), cv2.IMREAD_GRAYSCALE), np.float32) / 255
            for path in sorted((SHARED / "data/dev/ivf" / name / "ir").iterdir())
        ]
        for name in SETS
    }
    for name, planes in infrared.items():
        report(f"{name} as it is", planes)
    everyone = [plane for planes in infrared.values() for plane in planes]
    for amount in AMOUNTS:
        report_stripes(everyone, amount)
    without = infrared["vifb"] + infrared["msrs"]  # which have no stripes of their own
    behind = [SEEN[0] / 255 + plane * (SEEN[1] - SEEN[0]) / 255 for plane in without]
    for share in (1.0, 0.6):
        for turned in (0, 2, 6):
            drawn = [rounded(fence(plane, period, share, turned)) for plane in behind for period in (4, 6.3, 12)]
            report(f"a fence in {share:.0%}, turned by {turned} px", drawn)
    report("a façade", [rounded(windows(plane, period)) for plane in behind for period in (8, 10, 24)])
    paths = sorted(
        path for folder in ("dev", "train") for path in (SHARED / "data" / folder).rglob("*")
        if path.suffix.lower() in (".jpg", ".png") and not {"ir", "radiometric"} & set(path.parts)
    )  # fmt: skip
    chosen = np.random.default_rng(0).permutation(len(paths))[: options.photographs]
    photographs = []
    for path in (paths[index] for index in sorted(chosen)):
        grey = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        if grey is None or max(grey.shape) < 320:
            continue
        scale = min(1.0, 640 / max(grey.shape))
        small = cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        if min(small.shape) >= 32:
            photographs.append(small.astype(np.float32) / 255)
    report("photographs at 640 px", photographs)


if __name__ == "__main__":
    main()
