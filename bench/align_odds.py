"""Choose the constants of the confidence between modalities on training pairs, never on those that are measured.

    python bench/align_odds.py --train ../shared/data/train [--limit N] [--seed N] [--json FILE]

Infrared and visible pairs of ivf/ (N of each set, chosen at random) with corners moved by 3 % of the width, each in
another direction, and visible pictures beside the infrared of another scene (sets without videos), which are never
right. Right: within 8 px on a 640-px-wide frame of the estimate for the undisturbed pair where that is accepted, else
of the published registration. The constants printed have the highest likelihood; then the share of right ones by
confidence, with these and with the constants of the code. The features were trained on these sets, which favours them.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from align_cases import FRAME, Case, as_pictures, read, subset
from align_cross import LIMIT, disturbed, own_truth
from align_recognition import reliability

from tita_cli.align.cross import confidence_of, found_across
from tita_cli.align.geometry import corner_error
from tita_cli.align.pair import PairEstimator

SETS = ("msrs", "roadscene", "llvip", "m3fd", "m3svd", "various")
SCENES = ("msrs", "roadscene")
"""Sets whose pictures show a scene each."""
EVIDENCES, SCALES, SPREADS, STEEPNESSES = np.arange(30, 91, 5), np.arange(6, 25, 2), np.arange(4, 9.1, 0.5), (4.0, 6.0)
Row = tuple[float, float, bool]
"""Evidence less what searching costs, spread, and whether it is right."""


def images(folder: Path, limit: int | None, seed: int) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    for path in subset(sorted((folder / "vis").iterdir()), limit, seed):
        one, two = read(path), read(next((folder / "ir").glob(f"{path.stem}.*")))
        if one.shape == two.shape:
            yield path.stem, one, two


def row(case: Case, *, related: bool) -> Row | None:
    one, two = (PairEstimator().view(picture) for picture in as_pictures(case.reference, case.source))
    found = found_across(one, two, np.eye(3))
    if found is None:
        return None
    own = own_truth(case) if related else None
    truth = case.truth if own is None else own
    off = corner_error(found.matrix, truth, two.full) * FRAME / one.full[0]
    return found.fit.evidence - found.searched, found.spread, bool(related and off < LIMIT)


def rows(data: Path, limit: int | None, seed: int) -> Iterator[Row]:
    for name in SETS:
        known = list(images(data / "ivf" / name, limit, seed))
        for index, (stem, a, b) in enumerate(known):
            made = row(disturbed(stem, a, b, np.random.default_rng([5, index, seed])), related=True)
            if made is not None:
                yield made
            other = known[(index + 1) % len(known)][2]
            if name in SCENES and other.shape == a.shape and index % 2:
                made = row(Case(stem, a, other, truth=np.eye(3)), related=False)
                if made is not None:
                    yield made


def likelihood(confidence: np.ndarray, right: np.ndarray) -> float:
    sure = np.clip(confidence, 1e-3, 1.0 - 1e-3)
    return float(np.where(right, np.log(sure), np.log(1.0 - sure)).sum())


def confidences(evidence: np.ndarray, spread: np.ndarray, a: float, b: float, s: float, steep: float) -> np.ndarray:
    return np.asarray(1.0 / (1.0 + np.exp(-(evidence - a) / b)) / (1.0 + (spread / s) ** steep))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--train", type=Path, required=True)
    parser.add_argument("--limit", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, help="keep the rows there")
    args = parser.parse_args()
    known = list(rows(args.train, args.limit, args.seed))
    if args.json:
        args.json.write_text(json.dumps(known))
    evidence, spread, right = (np.array(column) for column in zip(*known, strict=True))
    now = np.array([confidence_of(*pair) for pair in zip(evidence, spread, strict=True)])
    print(f"{len(known)} motions, {right.mean():.0%} right; log-likelihood of the code's: {likelihood(now, right):.2f}")
    tried = {
        constants: likelihood(confidences(evidence, spread, *constants), right)
        for constants in itertools.product(EVIDENCES, SCALES, SPREADS, STEEPNESSES)
    }
    best = max(tried, key=lambda constants: tried[constants])
    print("best: evidence {}, per nat {}, spread {}, steep {}: {:.2f}".format(*best, tried[best]))
    for found in (now, confidences(evidence, spread, *best)):
        reliability(list(zip(found.tolist(), right.tolist(), strict=True)))


if __name__ == "__main__":
    main()
