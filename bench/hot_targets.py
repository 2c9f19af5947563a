"""How bright a model shows hot targets on VIFB, compared with the infrared reference.

    python bench/hot_targets.py MODEL [MODEL ...] [--published]

Hot pixels exceed their surroundings in the infrared picture by ``infrared_contrast(…).threshold`` and are brighter than
in a blend of both pictures. For every pair: their share of the picture, how much brighter than the blend the reference
shows them, and what share of that each model gives (1: as the reference; 0: not emphasised). The visible picture always
comes first. Mean and median of these shares follow. With ``--published``, also for the methods whose fused pictures
VIFB's authors published.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

sys.path.insert(0, str(Path(__file__).parent))
from dev_sets import SETS, SHARED, read

from tita_cli import fuse
from tita_cli.images.color import split_luma
from tita_cli.images.picture import FloatArray, Picture
from tita_cli.runtime import load_engine
from tita_cli.training import synthesis_infrared as rule

FUSED = SHARED / "bench/vifb_fused"
LEAST = 0.03
"""Pixels of the infrared that exceed the blend by less are not counted."""


def reference(a: FloatArray, b: FloatArray) -> FloatArray:
    """The infrared reference of a pair, H×W in 0..1."""
    return rule.infrared_reference(a, b, rule.infrared_contrast(a, b)).image


def brightness(image: FloatArray) -> FloatArray:
    """What is coarser than the detail bands of the reference."""
    for _ in range(rule.LEVELS):
        image = np.asarray(cv2.pyrDown(image), np.float32)
    return image


class Target(NamedTuple):
    """The hot pixels of a pair: luminances, mask, and the mean brightness in the blend and the reference."""

    name: str
    a: FloatArray
    b: FloatArray
    hot: npt.NDArray[np.bool_]
    blend: float
    wanted: float

    def share(self, fused: FloatArray) -> float:
        """Brightness above the blend, relative to that of the reference."""
        return (float(brightness(fused)[self.hot].mean()) - self.blend) / (self.wanted - self.blend)


def targets() -> Iterator[Target]:
    """Those of VIFB; pairs without any are left out."""
    for name, *files in SETS["vifb"].pairs(SHARED / "data/dev"):
        a, b = (split_luma(read(file).astype(np.float32) / 255)[0] for file in files)
        contrast = rule.infrared_contrast(a, b)
        of_a, of_b, wanted = (brightness(image) for image in (a, b, reference(a, b)))
        around = cv2.GaussianBlur(of_b, (0, 0), rule.SURROUNDINGS / 2**rule.LEVELS, borderType=cv2.BORDER_REFLECT_101)
        blend = of_a + contrast.share * (of_b - of_a)
        hot = (of_b - around > contrast.threshold) & (of_b > blend + LEAST)
        if hot.any():
            yield Target(name, a, b, hot, float(blend[hot].mean()), float(wanted[hot].mean()))


def published(method: Path, name: str) -> FloatArray:
    """The published result of a method, as luminance."""
    (file,) = method.glob(f"{name}.*")
    picture = read(file).astype(np.float32) / 255
    return split_luma(picture)[0] if picture.ndim == 3 else picture


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", metavar="MODEL")
    parser.add_argument("--published", action="store_true")
    options = parser.parse_args()
    engines = [load_engine(model) for model in options.models]
    methods = sorted(path for path in FUSED.iterdir() if path.is_dir()) if options.published else []
    names = [Path(model).stem for model in options.models] + [method.name for method in methods]
    print(f"{'':14}{'area':>7}{'wanted':>8}" + "".join(f"{name[-12:]:>14}" for name in names))
    shares = []
    for target in targets():
        pair = [Picture(target.a[..., None]), Picture(target.b[..., None])]
        roles = {0: "visible", 1: "infrared"}
        pictures = [fuse(pair, engine=engine, role=roles, align="none").picture.pixels[..., 0] for engine in engines]
        pictures += [published(method, target.name) for method in methods]
        shares.append([target.share(picture) for picture in pictures])
        line = f"{target.name:14}{target.hot.mean():7.1%}{target.wanted - target.blend:8.3f}"
        print(line + "".join(f"{share:14.2f}" for share in shares[-1]), flush=True)
    for word, figure in (("mean", np.mean), ("median", np.median)):
        print(f"{word:29}" + "".join(f"{share:14.2f}" for share in figure(shares, axis=0)))


if __name__ == "__main__":
    main()
