"""Where a model falls short of the infrared reference on VIFB: in brightness or in detail.

    python bench/brightness.py MODEL [--workers 2]

Prints average ranks on VIFB of what the model makes, of the same with the reference's brightness (all that is coarser
than its detail bands) or the reference's detail in place of its own, and of the reference; then, image by image, the
infrared's share in the brightness away from what glows, fitted by least squares, in the model's picture and in the
reference, and the mean difference of their brightness; and in the mean of the pairs how far the shares are apart, also
for pairs scaled to a height of 192 pixels, as crops in training are, and for crops of that side: what is off there only
is the size, or the content. The visible picture always comes first.
"""

from __future__ import annotations

import argparse
import sys
from itertools import product
from pathlib import Path

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from dev_sets import SETS, SHARED, read, score
from references import Rule, fused_by

from tita_cli.engine import Engine, load_engine
from tita_cli.images.color import split_luma
from tita_cli.images.picture import FloatArray
from tita_cli.training import synthesis_infrared as rule

SIDE = 192
"""Of the crops that the shipped weights were trained on last."""
KINDS = ("model", "reference's brightness", "reference's detail", "reference")


def reference(a: FloatArray, b: FloatArray) -> FloatArray:
    return rule.infrared_reference(a, b, rule.infrared_contrast(a, b)).image


def brightness(image: FloatArray) -> FloatArray:
    for _ in range(rule.LEVELS):
        image = np.asarray(cv2.pyrDown(image), np.float32)
    return image


def with_brightness_of(image: FloatArray, other: FloatArray) -> FloatArray:
    """``image`` with the brightness of ``other`` beneath its detail."""
    sizes = [image.shape]
    for _ in range(rule.LEVELS):
        sizes.append(tuple((side + 1) // 2 for side in sizes[-1]))
    change = brightness(other) - brightness(image)
    for height, width in reversed(sizes[:-1]):
        change = np.asarray(cv2.pyrUp(change, dstsize=(width, height)), np.float32)
    return np.clip(image + change, 0, 1)


def mixed(engine: Engine, kind: str) -> Rule:
    def fuse(a: FloatArray, b: FloatArray) -> tuple[FloatArray, FloatArray | None]:
        made, wanted = engine.fuse(a, b).fused, reference(a, b)
        pictures = (made, with_brightness_of(made, wanted), with_brightness_of(wanted, made), wanted)
        return dict(zip(KINDS, pictures, strict=True))[kind], np.ones_like(a)

    return fuse


def share(picture: FloatArray, a: FloatArray, b: FloatArray) -> float:
    """The infrared's in the brightness of ``picture``, where nothing glows."""
    of_a, of_b, made = (brightness(image) for image in (a, b, picture))
    around = cv2.GaussianBlur(of_b, (0, 0), rule.SURROUNDINGS / 2**rule.LEVELS, borderType=cv2.BORDER_REFLECT_101)
    cold = of_b - around < rule.infrared_contrast(a, b).hot / 2
    apart = (of_b - of_a)[cold]
    return float((apart * (made - of_a)[cold]).sum() / max(float(np.square(apart).sum()), 1e-9))


def crops(a: FloatArray, b: FloatArray) -> list[tuple[FloatArray, FloatArray]]:
    """Side by side, as many as there is room for."""
    corners = product(*(range(0, length - SIDE + 1, SIDE) for length in a.shape))
    return [(a[y : y + SIDE, x : x + SIDE].copy(), b[y : y + SIDE, x : x + SIDE].copy()) for y, x in corners]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    engine = load_engine(options.model)
    for kind in KINDS:
        (found,) = score(kind, fused_by(mixed(engine, kind)), sets=["vifb"], workers=options.workers)
        print(f"{kind:24} {found.average_rank:5.2f}", flush=True)
    apart: dict[str, list[float]] = {"whole": [], f"scaled to {SIDE}": [], f"crops of {SIDE}": []}
    print(f"\n{'':16} {'share':>6} {'wanted':>7} {'difference':>11}")
    for name, *files in SETS["vifb"].pairs(SHARED / "data/dev"):
        a, b = (split_luma(read(file).astype(np.float32) / 255)[0] for file in files)
        made, wanted = engine.fuse(a, b).fused, reference(a, b)
        off = np.abs(brightness(made) - brightness(wanted)).mean()
        print(f"{name:16} {share(made, a, b):6.2f} {share(wanted, a, b):7.2f} {off:11.4f}", flush=True)
        small = [cv2.resize(x, (SIDE * x.shape[1] // x.shape[0], SIDE), interpolation=cv2.INTER_AREA) for x in (a, b)]
        for key, pairs in zip(apart, ([(a, b)], [(small[0], small[1])], crops(a, b)), strict=True):
            errors = [abs(share(engine.fuse(*pair).fused, *pair) - share(reference(*pair), *pair)) for pair in pairs]
            apart[key].append(float(np.mean(errors)))
    print("\nshare and wanted apart: " + ", ".join(f"{key} {np.mean(each):.3f}" for key, each in apart.items()))


if __name__ == "__main__":
    main()
