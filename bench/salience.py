"""What the numbers of the rule for what is salient do to VIFB: its average rank, and how much of hot targets is shown.

    python bench/salience.py MODEL [VARIANT ...]

A variant is a list such as ``SHARE=0.5,NEAR=0``: names of ``tita_cli.network.salience_rule`` and other values for them.
The first line is the rule as it is. Prints the average rank among the published methods, and the mean and the least of
what ``bench/hot_targets.py`` prints. Nothing is trained anew: the network, and how far it heeds what is salient, stay.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from dev_sets import score
from hot_targets import targets
from references import fused_by

from tita_cli.engine import load_engine
from tita_cli.images.picture import FloatArray
from tita_cli.network import salience_rule


def changes(variant: str) -> dict[str, float]:
    """What ``SHARE=0.5,NEAR=0`` says. Whole numbers stay whole."""
    parts = [part.split("=") for part in variant.split(",") if part]
    return {name: float(value) if "." in value else int(value) for name, value in parts}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("variants", nargs="*", metavar="VARIANT")
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    engine = load_engine(options.model)
    shown = list(targets())
    constants = {name: value for name, value in vars(salience_rule).items() if name.isupper()}

    def fuse(a: FloatArray, b: FloatArray) -> tuple[FloatArray, FloatArray]:
        fused = engine.fuse(a, b)
        return fused.fused, np.ones_like(a)

    print(f"{'':40}{'VIFB':>7}{'mean':>7}{'least':>7}")
    for variant in ("", *options.variants):
        for name, value in (constants | changes(variant)).items():
            setattr(salience_rule, name, value)
        shares = [target.share(engine.fuse(target.a, target.b).fused) for target in shown]
        (found,) = score(variant or "rule", fused_by(fuse), sets=["vifb"], workers=options.workers)
        line = f"{variant or 'as it is':40}{found.average_rank:7.2f}{np.mean(shares):7.2f}{min(shares):7.2f}"
        print(line, flush=True)


if __name__ == "__main__":
    main()
