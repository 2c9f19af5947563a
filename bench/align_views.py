"""Infrared that shows a part of what the photograph beside it shows, sought with either of them for reference.

    python bench/align_views.py [--sets vifb,msrs,tno] [--most N] [--false]

Of pairs of the dev sets in random order half to 85 % of the infrared's width is kept and resized to 0.6 to 1.4 of its
size; `--false`: of another pair's infrared. Prints the confidences with the photograph and with the infrared for
reference, how far the corners are from where the infrared was cut out (px of 640 on its width; the pairs themselves are
some px off), and how many would be accepted.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from dev_sets import SHARED

from tita_cli.align.estimator import ACCEPTED
from tita_cli.align.geometry import corner_error, inverse
from tita_cli.align.pair import PairEstimator
from tita_cli.align.structure import View
from tita_cli.images import Picture, read_picture


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", default="vifb,msrs,tno")
    parser.add_argument("--most", type=int, default=57)
    parser.add_argument("--false", action="store_true", dest="other", help="of another pair's infrared")
    options = parser.parse_args()
    rng, estimator = np.random.default_rng(1), PairEstimator()
    pairs = [
        (visible, next(visible.parents[1].glob(f"ir/{visible.stem}.*")))
        for name in options.sets.split(",")
        for visible in sorted((SHARED / "data/dev/ivf" / name / "vis").iterdir())
    ]
    accepted = np.zeros(2, int)
    chosen = rng.permutation(len(pairs))[: options.most]
    for at in chosen:
        visible = pairs[at][0]
        infrared = pairs[(at + len(pairs) // 3) % len(pairs) if options.other else at][1]
        plane = read_picture(infrared).pixels.mean(axis=2)
        share = rng.uniform(0.5, 0.85)
        height, width = (int(side * share) for side in plane.shape)
        x, y = int(rng.uniform(0, plane.shape[1] - width)), int(rng.uniform(0, plane.shape[0] - height))
        scale = rng.uniform(0.6, 1.4)
        part = cv2.resize(plane[y : y + height, x : x + width], None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        truth = np.array([[width / part.shape[1], 0, x], [0, height / part.shape[0], y], [0, 0, 1]])
        photograph = View.of(read_picture(visible), 1024)
        thermal = View.of(Picture(part[..., None].astype(np.float32)), 1024)
        found = estimator.estimate(photograph, thermal, most="homography", exact=False)
        back = estimator.estimate(thermal, photograph, most="homography", exact=False)
        matrices = found.matrix, inverse(back.matrix)
        off = [corner_error(matrix, truth, thermal.full) * 640 / width for matrix in matrices]
        accepted += [one.confidence >= ACCEPTED for one in (found, back)]
        print(
            f"{visible.parents[1].name + '/' + visible.stem:22} photograph {found.confidence:.3f}, {off[0]:6.1f} px; "
            f"infrared {back.confidence:.3f}, {off[1]:6.1f} px",
            flush=True,
        )
    print(
        f"accepted of {len(chosen)}: {accepted[0]} with the photograph for reference, {accepted[1]} with the infrared"
    )


if __name__ == "__main__":
    main()
