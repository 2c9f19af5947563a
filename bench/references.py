"""Rank the training targets of infrared and exposure pairs as if they were fusion methods.

    python bench/references.py [--sets vifb,mefb] [--set NAME=VALUE ...] [--workers 2]

``exposure_reference`` on MEFB-30 and ``infrared_reference`` on VIFB, ranked among the published methods like a model by
bench/weights.py. ``--set GAIN=1.2`` changes a constant of their modules for this run. Focus pairs have a true target
and no rule.
"""

from __future__ import annotations

import argparse
import ast
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from dev_sets import Pixels, read, report, score

from tita_cli.images.color import Chroma, fuse_chroma, merge_luma, split_luma
from tita_cli.images.picture import FloatArray
from tita_cli.training import synthesis_infrared, synthesis_patches

Rule = Callable[[FloatArray, FloatArray], FloatArray]


def infrared(a: FloatArray, b: FloatArray) -> FloatArray:
    contrast = synthesis_infrared.infrared_contrast(a, b)
    return synthesis_infrared.infrared_reference(a, b, contrast).image


def fused_by(rule: Rule) -> Callable[[Path, Path], Pixels]:
    """Luminance by ``rule``, chroma as in tita."""

    def fuse(first: Path, second: Path) -> Pixels:
        (y_a, *c_a), (y_b, *c_b) = (split_luma(read(path).astype(np.float32) / 255) for path in (first, second))
        chroma = fuse_chroma(Chroma(*c_a), Chroma(*c_b))
        assert chroma is not None
        return np.clip(np.rint(merge_luma(rule(y_a, y_b), *chroma) * 255), 0, 255).astype(np.uint8)

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
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    change(options.set)
    rules: dict[str, Rule] = {"vifb": infrared, "mefb": synthesis_patches.exposure_reference}
    for name in options.sets.split(","):
        if name not in rules:
            sys.exit(f"{name}: no rule")
        print(report(score("reference", fused_by(rules[name]), sets=[name], workers=options.workers)))


if __name__ == "__main__":
    main()
