"""Measure `tita align` against other aligners: corner errors on synthetic homographies, published landmarks.

python bench/align.py --data ../shared/data/dev [--sets mef,mff,mfifb,vifb,msrs,vis_ir,multifocus,registered]
                      [--methods tita,ecc,sift,hugin,points] [--limit N] [--seed N] [--draws N] [--json FILE]
                      [--stacks] [--recognition]

Last, the reliability of tita's confidence: the share of the accepted pairs that are right, against the pair's own
undisturbed estimate where there is one, by confidence.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from align_cases import FRAME, Case, as_pictures, cases, start
from align_methods import placed
from align_recognition import LIMITS, recognition, reliability
from align_stacks import stacks
from align_timing import timing

from tita_cli.align.geometry import corner_error

NEARLY = 40.0
"""Pixels at the corners: an estimate farther from the published registration is not used as its correction."""
HEAD = (
    "set         method    pairs initial  median     p90   good refused   wrong  worse    own    p95   good  wrong"
    " cpu s/pair"
)
WRONG = {"mef": 5.0, "mff": 5.0, "mfifb": 5.0, "vifb": 8.0, "msrs": 8.0}


KNOWN: dict[str, np.ndarray | None] = {}


def own_truth(case: Case, *, across: bool) -> np.ndarray | None:
    """tita's estimate for the undisturbed pair, moved as the case is; None where that is refused. Without the error of
    the published set, where it is near that."""
    if case.undisturbed is None or case.disturbance is None:
        return None
    from tita_cli.align import align_pictures
    from tita_cli.errors import MismatchError

    mode = "affine" if across else "homography"
    try:
        found = align_pictures(as_pictures(*case.undisturbed), mode=mode, border="fill").placements[1]
    except MismatchError:
        return None
    size = case.undisturbed[1].shape[1::-1]
    near = found.accepted and corner_error(found.matrix, np.eye(3), size) * FRAME / size[0] < NEARLY
    crop, to_source = case.disturbance
    return crop @ (found.matrix if near else np.eye(3)) @ np.linalg.inv(to_source)


def own_error(case: Case, matrix: np.ndarray, *, across: bool) -> float:
    """Corner error against ``own_truth``."""
    if case.name not in KNOWN:
        KNOWN[case.name] = own_truth(case, across=across)
    truth = KNOWN[case.name]
    if truth is None:
        return float("nan")
    height, width = case.source.shape[:2]
    return corner_error(matrix, truth, (width, height)) * FRAME / case.reference.shape[1]


def measure(name: str, method: str, args: argparse.Namespace) -> dict[str, object]:
    rows, seconds = [], 0.0
    for case in cases(args.data, name, args.draws, args.limit, args.seed):
        began = time.process_time()
        matrix, confidence = placed(case, method)
        spent = time.process_time() - began
        seconds += spent
        used = start(case) if matrix is None else matrix
        own = own_error(case, used, across=name in ("vifb", "msrs"))
        row = {"case": case.name, "error": case.error(used), "own": own, "before": case.error(start(case))}
        rows.append({**row, "accepted": matrix is not None, "confidence": confidence})
        if args.verbose:
            verdict = "" if matrix is not None else " refused"
            said = f"({own:.2f}) confidence {confidence:.2f}{verdict} {spent:.2f} s"
            print(f"    {case.name:28} {row['before']:7.2f} -> {row['error']:7.2f} {said}", flush=True)
    e, own, b = (np.array([row[key] for row in rows]) for key in ("error", "own", "before"))
    ok = np.array([row["accepted"] for row in rows])
    limit = -1.0 if name == "unrelated" else WRONG.get(name, 0.3 if name == "registered" else 4.0)
    wrong = ok & ~(e < limit)
    for row in rows:
        row["right"] = (row["error"] if np.isnan(row["own"]) else row["own"]) < limit
    return {
        "set": name, "method": method, "pairs": len(e), "initial": float(np.median(b)),
        "median": percentile(e[ok], 50), "p90": percentile(e[ok], 90),
        "good": float(np.mean(ok & (e < limit))), "refused": float(np.mean(~ok)),
        "wrong": float(np.mean(wrong)), "worse": int(np.sum(ok & (e > b))),
        "own": percentile(own[ok], 50), "own_p95": percentile(own[ok], 95),
        "own_good": float(np.mean(ok & (own < limit))),
        "own_wrong": float(np.mean(ok & (own >= limit))), "cpu_s": seconds / max(len(e), 1), "rows": rows,
    }  # fmt: skip


def percentile(values: np.ndarray, share: float) -> float:
    return float(np.percentile(values, share)) if len(values) else float("nan")


def print_row(r: dict[str, object]) -> None:
    own = (
        f"{r['own']:6.2f} {r['own_p95']:6.2f} {r['own_good']:6.1%} {r['own_wrong']:6.1%}"
        if r["own"] == r["own"]
        else f"{'':27}"
    )
    print(
        f"{r['set']:11} {r['method']:9} {r['pairs']:5} {r['initial']:7.2f} {r['median']:7.2f} {r['p90']:7.2f} "
        f"{r['good']:6.1%} {r['refused']:7.1%} {r['wrong']:7.1%} {r['worse']:6} {own} {r['cpu_s']:9.2f}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with align/, ivf/, mef/ and mff/")
    parser.add_argument("--sets", default="mef,mff,mfifb,vifb,msrs,vis_ir,multifocus,registered,unrelated")
    parser.add_argument("--methods", default="tita")
    parser.add_argument("--limit", type=int, help="N pairs of each set, chosen at random")
    parser.add_argument("--seed", type=int, default=0, help="of that choice")
    parser.add_argument("--quick", action="store_true", help="--limit 5")
    parser.add_argument("--draws", type=int, default=1, help="homographies per pair")
    parser.add_argument("--stacks", action="store_true", help="synthetic stacks of 10 to 30 frames")
    parser.add_argument("--recognition", action="store_true", help="registered pairs put off by 1 to 20 px")
    parser.add_argument("--timing", action="store_true", help="measure time and memory as well")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--verbose", "-v", action="store_true")
    args = parser.parse_args()
    args.limit = args.limit or (5 if args.quick else None)
    results = []
    print(" " * 34 + "errors of accepted pairs" + " " * 28 + "against itself")
    print(HEAD)
    for name in args.sets.split(",") if args.sets else ():
        for method in args.methods.split(","):
            results.append(measure(name, method, args))
            print_row(results[-1])
    reliability([
        (row["confidence"], row["right"])
        for result in results if result["method"] == "tita" for row in result["rows"] if row["accepted"]
    ])  # fmt: skip
    if args.json:
        args.json.write_text(json.dumps(results, indent=1))
    chosen = [name for name in args.sets.split(",") if name in LIMITS]
    if args.stacks:
        stacks(args.data, args.limit)
    if args.recognition:
        recognition(args.data, chosen, args.limit, args.seed, args.draws)
    if args.timing:
        timing(args.data)


if __name__ == "__main__":
    sys.exit(main())
