"""Noise of real 8-bit infrared in smooth places, before and after `--denoise`, and in what is fused.

    python bench/thermal_smooth.py [MODEL] [--sets vifb,msrs,tno] [--list]

A place is smooth where neither source has structure at a larger scale: of blocks of 16 by 16 pixels the tenth in which
the gradients of both, blurred by 4 pixels, are the weakest. Prints in thousandths of the range what is finer than 1.5
pixels there ("smooth", root mean square), and of the infrared how much of its steep places' slope is kept ("edges") and
of what is finer than 1.5 pixels in the tenth of the blocks with the most structure ("detail").
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from dev_sets import SHARED
from thermal_noise import rms, slope

from tita_cli import fuse
from tita_cli.images import Picture, read_picture
from tita_cli.images.color import luma
from tita_cli.images.thermal_noise import reduce_noise
from tita_cli.runtime import load_engine

_BLOCK = 16  # px
_TENTH = 0.1


def fine(plane: np.ndarray) -> np.ndarray:
    return plane - cv2.GaussianBlur(plane, (0, 0), 1.5)


def structure(plane: np.ndarray) -> np.ndarray:
    """How steep the larger structure is in each block."""
    steep = np.hypot(*slope(cv2.GaussianBlur(plane, (0, 0), 4.0)))
    rows, columns = (side // _BLOCK for side in plane.shape)
    blocks = steep[: rows * _BLOCK, : columns * _BLOCK].reshape(rows, _BLOCK, columns, _BLOCK)
    return np.asarray(blocks.max(axis=(1, 3)))


def places(strength: np.ndarray, *, weakest: bool) -> np.ndarray:
    """The pixels of the tenth of the blocks in which ``strength`` is weakest, or strongest."""
    chosen = strength <= np.quantile(strength, _TENTH) if weakest else strength >= np.quantile(strength, 1 - _TENTH)
    return np.kron(chosen, np.ones((_BLOCK, _BLOCK), bool))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", nargs="?")
    parser.add_argument("--sets", default="vifb,msrs,tno")
    parser.add_argument("--list", action="store_true", help="each picture, too")
    options = parser.parse_args()
    engine = load_engine(options.model) if options.model else None
    titles = ["visible", "infrared", "reduced", *(("fused", "fused reduced") if engine else ()), "edges", "detail"]
    print(f"{'smooth places of':24}" + "".join(f"{title:>15}" for title in titles))
    for name in options.sets.split(","):
        rows = []
        for visible in sorted((SHARED / "data/dev/ivf" / name / "vis").iterdir()):
            (infrared,) = visible.parents[1].glob(f"ir/{visible.stem}.*")
            pixels = luma(read_picture(infrared).pixels)
            noisy = Picture(pixels[..., None], name=infrared.name)
            calm = reduce_noise(noisy).pixels[..., 0]
            beside = luma(read_picture(visible).pixels)
            strengths = [structure(plane) for plane in (pixels, beside)]
            ranks = [strength.ravel().argsort().argsort().reshape(strength.shape) for strength in strengths]
            smooth = places(np.maximum(*ranks), weakest=True)
            rough = places(strengths[0], weakest=False)
            cut = np.s_[: smooth.shape[0], : smooth.shape[1]]
            planes = [beside, pixels, calm]
            if engine is not None:
                for denoise in ("off", "on"):
                    how = {"denoise": denoise, "role": {1: "infrared"}, "align": "none"}
                    fused = fuse([visible, infrared], engine=engine, **how)
                    planes.append(luma(fused.picture.pixels))
            row = [rms(fine(plane)[cut][smooth]) for plane in planes]
            steep = np.hypot(*slope(pixels))
            steep = steep > np.quantile(steep, 0.98)
            row.append(float((slope(calm) * slope(pixels))[:, steep].sum() / (slope(pixels)[:, steep] ** 2).sum()))
            own = fine(pixels)[cut][rough]
            row.append(float((fine(calm)[cut][rough] * own).sum() / (own**2).sum()))
            rows.append(row)
            if options.list:
                print(f"    {visible.stem:20}" + line(row), flush=True)
        print(f"{name:24}" + line(list(np.mean(rows, axis=0))), flush=True)


def line(row: list[float]) -> str:
    return "".join(f"{value:15.1f}" for value in row[:-2]) + "".join(f"{value:15.1%}" for value in row[-2:])


if __name__ == "__main__":
    main()
