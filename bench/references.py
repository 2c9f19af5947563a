"""Score what the network is trained towards as if it were a method: no network comes into it.

    python bench/references.py [--sets vifb,mefb] [--set NAME=VALUE ...] [--workers 2]

``exposure_reference`` on MEFB-30 and ``infrared_reference`` on VIFB, ranked among the published methods as
bench/weights.py ranks a model. ``--set GAIN=1.2`` changes a constant of their modules for this run: how the shipped
ones were chosen. There is no rule for focus pairs, which are trained towards the truth; for them ``--sets lytro`` takes
a model's own gate (``--model``), cleaned by a majority within a Gaussian of ``--sigma`` pixels: what a gate without
specks would be worth (the network's own gate votes by now, see ``tita_cli/network/region.py``).
"""

from __future__ import annotations

import argparse
import ast
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from dev_sets import Pixels, read, report, score

from tita_cli.engine import load_engine
from tita_cli.images.color import Chroma, fuse_chroma, merge_luma, split_luma
from tita_cli.images.picture import FloatArray
from tita_cli.training import synthesis_infrared, synthesis_patches

Rule = Callable[[FloatArray, FloatArray], tuple[FloatArray, FloatArray | None]]


def exposures(a: FloatArray, b: FloatArray) -> tuple[FloatArray, FloatArray | None]:
    return synthesis_patches.exposure_reference(a, b), None


def infrared(a: FloatArray, b: FloatArray) -> tuple[FloatArray, FloatArray | None]:
    contrast = synthesis_infrared.infrared_contrast(a, b)
    return synthesis_infrared.infrared_reference(a, b, contrast).image, np.ones_like(a)


def cleaned(model: str, sigma: float) -> Rule:
    engine = load_engine(model)

    def rule(a: FloatArray, b: FloatArray) -> tuple[FloatArray, FloatArray | None]:
        gate = engine.fuse(a, b).gate
        assert gate is not None, "this model has no gate"
        if sigma:
            votes = cv2.GaussianBlur(gate, (0, 0), sigma) - 0.5
            gate = np.clip(votes * sigma * 1.5 + 0.5, 0, 1).astype(np.float32)
        return b + gate * (a - b), gate

    return rule


def fused_by(rule: Rule) -> Callable[[Path, Path], Pixels]:
    """Luminance by ``rule``, chroma as tita does it."""

    def fuse(first: Path, second: Path) -> Pixels:
        (y_a, *c_a), (y_b, *c_b) = (split_luma(read(path).astype(np.float32) / 255) for path in (first, second))
        y, gate = rule(y_a, y_b)
        chroma = fuse_chroma(Chroma(*c_a), Chroma(*c_b), gate)
        assert chroma is not None
        return np.clip(np.rint(merge_luma(y, *chroma) * 255), 0, 255).astype(np.uint8)

    return fuse


def change(settings: list[str]) -> None:
    for setting in settings:
        name, _, value = setting.partition("=")
        modules = [m for m in (synthesis_infrared, synthesis_patches) if hasattr(m, name)]
        if not modules:
            sys.exit(f"{name}: no such constant")
        for module in modules:
            setattr(module, name, ast.literal_eval(value))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", default="vifb,mefb")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--model")
    parser.add_argument("--sigma", type=float, default=0.0)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    change(options.set)
    rules: dict[str, Rule] = {"vifb": infrared, "mefb": exposures}
    if options.model:
        rules["lytro"] = cleaned(options.model, options.sigma)
    for name in options.sets.split(","):
        if name not in rules:
            sys.exit(f"{name}: no rule (lytro needs --model)")
        print(report(score("reference", fused_by(rules[name]), sets=[name], workers=options.workers)))


if __name__ == "__main__":
    main()
