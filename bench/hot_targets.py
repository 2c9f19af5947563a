"""Are hot targets shown? How much of the brightness that the infrared reference gives them a model gives, on VIFB.

    python bench/hot_targets.py MODEL [MODEL ...] [--published]

For every pair, over the pixels that stand out from their surroundings in the infrared picture (by
``infrared_contrast(…).hot``) and are brighter there than in the blend: their share of the picture, by how much
the reference lifts them above the blend, and by what share of that each model does (1: as the reference; 0: as if they
were cold). The visible picture always comes first. Prints the mean of these shares at the end, and their median. With
``--published``, also for the methods whose fused pictures VIFB's authors published.
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
from brightness import brightness, reference, rule
from dev_sets import SETS, SHARED, read

from tita_cli.engine import load_engine
from tita_cli.images.color import split_luma
from tita_cli.images.picture import FloatArray

FUSED = SHARED / "bench/vifb_fused"
LEAST = 0.03
"""By so much the infrared must be brighter than the blend for a lift to be worth a figure."""


class Target(NamedTuple):
    """What stands out in one pair's infrared picture: luminances, which pixels, what a blend and the reference give."""

    name: str
    a: FloatArray
    b: FloatArray
    hot: npt.NDArray[np.bool_]
    blend: float
    wanted: float

    def share(self, fused: FloatArray) -> float:
        """By what share of the reference's lift a fused luminance is lifted above the blend."""
        return (float(brightness(fused)[self.hot].mean()) - self.blend) / (self.wanted - self.blend)


def targets() -> Iterator[Target]:
    """Those of VIFB, pair by pair; pairs without any are left out."""
    for name, *files in SETS["vifb"].pairs(SHARED / "data/dev"):
        a, b = (split_luma(read(file).astype(np.float32) / 255)[0] for file in files)
        contrast = rule.infrared_contrast(a, b)
        of_a, of_b, wanted = (brightness(image) for image in (a, b, reference(a, b)))
        around = cv2.GaussianBlur(of_b, (0, 0), rule.SURROUNDINGS / 2**rule.LEVELS, borderType=cv2.BORDER_REFLECT_101)
        blend = of_a + contrast.share * (of_b - of_a)
        hot = (of_b - around > contrast.hot) & (of_b > blend + LEAST)
        if hot.any():
            yield Target(name, a, b, hot, float(blend[hot].mean()), float(wanted[hot].mean()))


def published(method: Path, name: str) -> FloatArray:
    """What a method made of a pair, as luminance."""
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
        pictures = [engine.fuse(target.a, target.b).fused for engine in engines]
        pictures += [published(method, target.name) for method in methods]
        shares.append([target.share(picture) for picture in pictures])
        line = f"{target.name:14}{target.hot.mean():7.1%}{target.wanted - target.blend:8.3f}"
        print(line + "".join(f"{share:14.2f}" for share in shares[-1]), flush=True)
    for word, figure in (("mean", np.mean), ("median", np.median)):
        print(f"{word:29}" + "".join(f"{share:14.2f}" for share in figure(shares, axis=0)))


if __name__ == "__main__":
    main()
