"""Evaluate a model on the dev sets, fused as `tita fuse` would.

    python bench/weights.py MODEL [--sets vifb,mefb,lytro,mfifb] [--save DIR] [--workers 2] [--json FILE]

Prints means, places among the published methods and average ranks (see dev_sets.py), and mean and standard deviation of
OAF's six weights over each set, which show whether the network distinguishes the tasks.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).parent))
from dev_sets import SETS, SHARED, Pixels, report, score

from tita_cli import fuse
from tita_cli.runtime import load_engine


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--sets", default=",".join(SETS))
    parser.add_argument("--save", type=Path)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    engine = load_engine(options.model, threads=options.threads)
    weights: dict[str, list[list[float]]] = defaultdict(list)

    def fuse_pair(first: Path, second: Path) -> Pixels:
        name = next(name for name in SETS if name in str(first))
        fusion = fuse(first, second, engine=engine, align="none")
        weights[name].append([w for source in fusion.steps[0].sources for w in source.values])
        pixels = np.rint(fusion.picture.pixels * 255).astype(np.uint8)
        if options.save:
            stem = first.stem if name == "vifb" else first.parent.name
            (options.save / name).mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels.squeeze()).save(options.save / name / f"{stem}.png")
        return pixels if pixels.shape[2] == 3 else pixels[..., 0]

    scores = score(Path(options.model).stem, fuse_pair, sets=options.sets.split(","), workers=options.workers)
    print(report(scores))
    for name, rows in weights.items():
        mean, spread = np.mean(rows, 0), np.std(rows, 0)
        print(f"OAF {name}: " + "  ".join(f"{m:.3f}±{s:.3f}" for m, s in zip(mean, spread, strict=True)))
    if options.json:
        summary = {s.dev_set: {"average_rank": s.average_rank, "of": s.count, "means": s.means} for s in scores}
        options.json.write_text(json.dumps(summary, indent=1) + "\n")


if __name__ == "__main__":
    assert SHARED.exists(), f"{SHARED} is not there"
    main()
