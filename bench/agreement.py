"""How far apart the two images of a pair are when seen from afar, set by set: what tells focus pairs from all others.

    python bench/agreement.py

Prints the least, median and largest disagreement of ``tita_cli.network.layout.tones`` over the pairs of each dev set.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from dev_sets import SETS, SHARED, read
from unseen import FOLDERS, grey, pairs

from tita_cli.engine.tiles import tones
from tita_cli.network.lite import TitaLite


def disagreement(first: Path, second: Path) -> float:
    a, b = (grey(read(path)).astype(np.float32) / 255 for path in (first, second))
    return float(tones(a, b, TitaLite.multiple)[-1])


def main() -> None:
    sets = {name: [files for _, *files in s.pairs(SHARED / "data/dev")] for name, s in SETS.items()}
    sets |= {name: [list(files) for files in pairs(name)] for name in FOLDERS}
    print(f"{'set':10} {'pairs':>5} {'least':>7} {'median':>7} {'largest':>7}")
    for name, files in sets.items():
        found = [disagreement(*pair) for pair in files]
        print(f"{name:10} {len(found):5} {min(found):7.3f} {np.median(found):7.3f} {max(found):7.3f}")


if __name__ == "__main__":
    main()
