"""Measure alignment between modalities: registered pairs put off by known homographies, and published truths.

    python bench/align_cross.py --data ../shared/data/dev [--sets vifb,msrs,tno,vis_ir,crossmodal,unrelated]
                                [--methods tita,ecc,sift] [--limit N] [--seed N] [--unlike sar,depth] [--verbose]

Corners of vifb, msrs and tno pairs are moved by 3 % of the width, each in another direction. "own": against tita's
estimate for the undisturbed pair where that is accepted, since published registrations have errors of their own.
Of crossmodal, whose corners may lie outside the reference: at the published landmarks.
Errors in pixels on a 640-px-wide frame, of accepted pairs; wrong: accepted, and farther off than the limit (8 px; 5 px
for published truths; any motion for unrelated pictures), against own where there is one. Last, the reliability of the
confidence: the share of estimates within the limit, by confidence.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from align_cases import FRAME, Case, as_pictures, cases, pairs, read, start, subset
from align_methods import ecc, sift
from align_recognition import reliability

from tita_cli.align.cross import estimate_across
from tita_cli.align.geometry import Matrix, corner_error, corners, inverse, normalized, transform, translating
from tita_cli.align.pair import PairEstimator
from tita_cli.errors import TitaError

SHARE = 0.03  # of the width, by which a corner is moved
LIMITS = {"vis_ir": 5.0, "crossmodal": 5.0, "unrelated": -1.0}
LIMIT = 8.0


class Row(NamedTuple):
    name: str
    confidence: float
    accepted: bool
    before: float
    error: float
    own: float
    seconds: float


def disturbed(name: str, a: np.ndarray, b: np.ndarray, rng: np.random.Generator) -> Case:
    """``b`` with each corner moved by SHARE of the width; both cropped so that no empty border shows."""
    height, width = a.shape[:2]
    angles = rng.uniform(0, 2 * np.pi, 4)
    own = corners((width, height))
    moved = own + SHARE * width * np.stack([np.cos(angles), np.sin(angles)], 1)
    matrix = cv2.getPerspectiveTransform(own.astype(np.float32), moved.astype(np.float32)).astype(np.float64)
    margin = int(np.ceil(SHARE * width))
    size, crop = (width - 2 * margin, height - 2 * margin), translating(-margin, -margin)
    source = cv2.warpPerspective(b, crop @ matrix, size, flags=cv2.INTER_CUBIC)
    reference = np.ascontiguousarray(a[margin : margin + size[1], margin : margin + size[0]])
    truth = normalized(crop @ inverse(crop @ matrix))
    return Case(name, reference, source, truth=truth, undisturbed=(a, b), disturbance=(crop, crop @ matrix))


def published(data: Path, unlike: set[str]) -> Iterator[Case]:
    """align/crossmodal with truth, but for the sensors in ``unlike``."""
    for path in sorted((data / "align/crossmodal").glob("*/*.json")):
        if not any(word in str(path).lower() for word in unlike):
            known = json.loads(path.read_text())
            truth = np.array(known["H_b_to_a"], dtype=np.float64)
            points = tuple(np.array(known[key], dtype=np.float64) for key in ("points_b", "points_a") if key in known)
            a, b = (read(path.with_name(f"{path.stem}_{side}.jpg")) for side in "ab")
            yield Case(path.stem, a, b, truth=truth, points=(points[0], points[1]) if len(points) == 2 else None)


def unrelated(data: Path, limit: int | None, seed: int) -> Iterator[Case]:
    for name in ("vifb", "msrs"):
        known = list(pairs(data, name, None if limit is None else limit // 2, seed))
        for (stem, a, _), (other, _, b) in zip(known, known[1:] + known[:1], strict=True):
            yield Case(f"{stem}+{other}", a, b)


def chosen(args: argparse.Namespace, name: str) -> Iterator[Case]:
    if name == "crossmodal":
        yield from subset(list(published(args.data, set(args.unlike.split(",")))), args.limit, args.seed)
    elif name == "unrelated":
        yield from unrelated(args.data, args.limit, args.seed)
    elif name == "vis_ir":
        yield from cases(args.data, name, 1, args.limit, args.seed)
    else:
        for index, (stem, a, b) in enumerate(pairs(args.data, name, args.limit, args.seed)):
            yield disturbed(stem, a, b, np.random.default_rng([5, index]))


def own_truth(case: Case) -> Matrix | None:
    """The truth by tita's estimate for the undisturbed pair; None where that is refused, or where there is none."""
    if case.undisturbed is None or case.disturbance is None:
        return None
    one, two = (PairEstimator().view(picture) for picture in as_pictures(*case.undisturbed))
    found = estimate_across(one, two, np.eye(3), "homography", exact=True)
    crop, to_source = case.disturbance
    return normalized(crop @ found.matrix @ inverse(to_source)) if found.accepted else None


def tita(case: Case) -> tuple[Matrix | None, float]:
    estimator = PairEstimator()
    one, two = (estimator.view(picture) for picture in as_pictures(case.reference, case.source))
    found = estimator.estimate(one, two)
    return (found.matrix if found.accepted else None), found.confidence


def measured(case: Case, method: str, own: Matrix | None) -> Row:
    began = time.process_time()
    try:
        matrix, confidence = tita(case) if method == "tita" else (METHODS[method](case), 1.0)
    except TitaError:
        matrix, confidence = None, 0.0
    seconds = time.process_time() - began
    used = start(case) if matrix is None else matrix
    size = (case.source.shape[1], case.source.shape[0])
    unit = FRAME / case.reference.shape[1]
    apart = np.nan if own is None else corner_error(used, own, size) * unit
    if case.truth is not None and case.points is not None:
        apart = float(np.hypot(*(transform(used, case.points[0]) - case.points[1]).T).mean()) * unit
    return Row(case.name, confidence, matrix is not None, case.error(start(case)), case.error(used), apart, seconds)


METHODS = {"ecc": ecc, "sift": sift}


def wrong(row: Row, limit: float) -> bool:
    error = row.error if np.isnan(row.own) else row.own
    return row.accepted and not error < limit


def _median(values: list[float]) -> float:
    known = [value for value in values if not np.isnan(value)]
    return float(np.median(known)) if known else float("nan")


def table(name: str, method: str, rows: list[Row]) -> None:
    limit = LIMITS.get(name, LIMIT)
    kept = [row for row in rows if row.accepted]
    median = [_median([getattr(row, key) for row in kept]) for key in ("error", "own")]
    print(
        f"{name:11} {method:5} {len(rows):5} {np.median([row.before for row in rows]):8.2f}"
        f" {len(kept) / len(rows):9.0%}"
        f" {median[0]:7.2f} {median[1]:6.2f} {sum(wrong(row, limit) for row in rows):6}"
        f" {np.mean([row.seconds for row in rows]):7.2f}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--sets", default="vifb,msrs,tno,vis_ir,crossmodal,unrelated")
    parser.add_argument("--methods", default="tita,ecc,sift")
    parser.add_argument("--limit", type=int, help="N pairs of each set, chosen at random")
    parser.add_argument("--seed", type=int, default=0, help="of that choice")
    parser.add_argument("--unlike", default="sar,depth", help="sensors of align/crossmodal to leave out")
    parser.add_argument("--verbose", "-v", action="store_true")
    args = parser.parse_args()
    print("set         method pairs  initial  accepted  median    own  wrong  cpu s")
    seen: list[tuple[float, bool]] = []
    for name in args.sets.split(","):
        found: dict[str, list[Row]] = {}
        for case in chosen(args, name):
            own = own_truth(case)
            for method in args.methods.split(","):
                row = measured(case, method, own)
                found.setdefault(method, []).append(row)
                if args.verbose:
                    print("   ", method, *(f"{x:.2f}" if isinstance(x, float) else x for x in row), flush=True)
        for method, rows in found.items():
            table(name, method, rows)
            if method == "tita":
                limit = LIMITS.get(name, LIMIT)
                seen += [(row.confidence, not wrong(row, limit)) for row in rows if row.accepted]
    reliability(seen)


if __name__ == "__main__":
    main()
