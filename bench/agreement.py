"""How far the two images of a pair agree at low resolution, per dev set: what distinguishes the tasks.

    python bench/agreement.py [MODEL]

Prints smallest, median and largest value over the pairs of each set of two of
``tita_cli.network.statistics.image_statistics``: the disagreement, which distinguishes focus pairs from all others,
and the share of edges with equal sign, which distinguishes exposures from spectra. With a tita-lite model, also its
emphasis on hot targets, 0..1: the mean of each set and the pairs with the smallest and the largest.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parent))
from dev_sets import SETS, SHARED, read
from unseen import FOLDERS, grey, pairs

from tita_cli.models.checkpoint import load_network
from tita_cli.network.pair import PairNetwork
from tita_cli.network.tita_lite_filters import FILTERS


def seen(first: Path, second: Path) -> tuple[float, float]:
    """Disagreement, and share of edges with equal sign."""
    a, b = (grey(read(path)).astype(np.float32) / 255 for path in (first, second))
    *_, disagreement, same = FILTERS.statistics([a, b])
    return float(disagreement), float(same)


def emphasis(network: PairNetwork, first: Path, second: Path) -> float:
    """The model's emphasis on hot targets of the second image, 0..1. It does not depend on the features."""
    a, b = (grey(read(path)).astype(np.float32) / 255 for path in (first, second))
    seen = torch.from_numpy(FILTERS.statistics([a, b]))
    pooled = torch.cat((torch.zeros(2 * network.config.dim), seen))
    with torch.inference_mode():
        return float(network.weigh(pooled[None])[0, -3])


def main() -> None:
    sets = {name: [files for _, *files in s.pairs(SHARED / "data/dev")] for name, s in SETS.items()}
    sets |= {name: [list(files) for files in pairs(name)] for name in FOLDERS}
    print(f"{'':10} {'':5} {'disagreement':^23}   {'equal edges':^23}")
    print(f"{'set':10} {'pairs':>5}" + 2 * f" {'least':>7} {'median':>7} {'largest':>7}  ")
    for name, files in sets.items():
        print(f"{name:10} {len(files):5}", end="")
        for found in zip(*(seen(*pair) for pair in files), strict=True):
            print(f" {min(found):7.3f} {np.median(found):7.3f} {max(found):7.3f}  ", end="")
        print()
    if len(sys.argv) > 1:
        network = load_network(sys.argv[1]).network
        print(f"\n{'set':10} emphasis on hot targets")
        for name, files in sets.items():
            found = sorted((emphasis(network, *pair), "/".join(Path(pair[0]).parts[-2:])) for pair in files)
            (least, dimmest), (most, brightest) = found[0], found[-1]
            mean = np.mean([value for value, _ in found])
            print(f"{name:10} {mean:.3f}, from {least:.2f} ({dimmest}) to {most:.2f} ({brightest})")


if __name__ == "__main__":
    main()
