"""Measure `tita align` against other aligners: corner errors on synthetic homographies, published landmarks.

python bench/align.py --data ../shared/data/dev [--sets mef,mff,vifb,msrs,vis_ir,multifocus,registered]
                      [--methods tita,ecc,sift,hugin] [--limit N] [--draws N] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from tita_cli.align.geometry import corner_error, corners, resizing, transform, translating

if TYPE_CHECKING:
    from tita_cli.engine import Engine
    from tita_cli.images.picture import Picture

FRAME = 640.0
NEARLY = 15.0
"""px at the corners: what is farther from the published registration is no correction of it."""
HEAD = (
    "set         method    pairs initial  median     p90   good refused   wrong  worse    own   good  wrong cpu s/pair"
)
ENGINE: dict[str, Engine] = {}
SYNTHETIC = ("mef", "mff", "vifb", "msrs")
WRONG = {"mef": 1.5, "mff": 1.5, "vifb": 5.0, "msrs": 5.0}


@dataclass(frozen=True)
class Case:
    """A pair with its truth: the matrix reference ← source, or points that must meet."""

    name: str
    reference: np.ndarray
    source: np.ndarray
    truth: np.ndarray | None = None
    points: tuple[np.ndarray, np.ndarray] | None = None  # of the source, of the reference
    undisturbed: tuple[np.ndarray, np.ndarray] | None = None  # the pair before it was put off, and ...
    disturbance: tuple[np.ndarray, np.ndarray] | None = None  # ... the crop of its reference, b → source

    def error(self, matrix: np.ndarray) -> float:
        """Mean corner error on a 640-px-wide frame, or mean distance of the points in their own pixels."""
        if self.truth is not None:
            height, width = self.source.shape[:2]
            return corner_error(matrix, self.truth, (width, height)) * FRAME / self.reference.shape[1]
        if self.points is None:
            return float("nan")
        moved = transform(matrix, self.points[0]) - self.points[1]
        return float(np.hypot(moved[:, 0], moved[:, 1]).mean())


def read(path: Path) -> np.ndarray:
    image = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR)
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def pairs(data: Path, name: str) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    if name == "mef":
        folders = sorted((data / "mef/mefb30").iterdir())
    elif name == "mff":
        folders = sorted((data / "mff/lytro").iterdir())
    else:
        for path in sorted((data / "ivf" / name / "vis").iterdir()):
            yield path.stem, read(path), read(path.parent.parent / "ir" / path.name)
        return
    for folder in folders:
        a, b = sorted(folder.iterdir())[:2]
        yield folder.name, read(a), read(b)


def draw(rng: np.random.Generator, width: int, height: int) -> np.ndarray:
    """Shift ≤ 5 % of the width, rotation ≤ 3°, scale ≤ 5 %, perspective 2 %, about the centre."""
    angle = np.deg2rad(rng.uniform(-3, 3))
    scale = np.exp(rng.uniform(-1, 1) * np.log(1.05))
    shift = rng.uniform(-0.05, 0.05, 2) * width
    tilt = rng.uniform(-0.02, 0.02, 2) / (width / 2)
    about = translating((width - 1) / 2, (height - 1) / 2)
    c, s = scale * np.cos(angle), scale * np.sin(angle)
    motion = np.array([[c, -s, shift[0]], [s, c, shift[1]], [tilt[0], tilt[1], 1.0]])
    return about @ motion @ np.linalg.inv(about)


def synthetic(name: str, a: np.ndarray, b: np.ndarray, rng: np.random.Generator) -> Case:
    """Move ``b`` by a homography and crop both so that no void border betrays it."""
    height, width = a.shape[:2]
    b_to_moved = draw(rng, width, height)
    for margin in np.arange(0.0, 0.3, 0.005):
        left, top = round(margin * width), round(margin * height)
        size = width - 2 * left, height - 2 * top
        back = transform(np.linalg.inv(b_to_moved), corners(size) + np.array([left, top]))
        if (back >= 0).all() and (back <= (width - 1, height - 1)).all():
            break
    crop = translating(-left, -top)
    to_source = crop @ b_to_moved  # pixel of b -> pixel of the moved, cropped b
    source = cv2.warpPerspective(b, to_source, size, flags=cv2.INTER_CUBIC)
    reference = a[top : top + size[1], left : left + size[0]]
    return Case(
        name,
        reference,
        source,
        truth=crop @ np.linalg.inv(to_source),
        undisturbed=(a, b),
        disturbance=(crop, to_source),
    )


def cases(data: Path, name: str, draws: int, limit: int | None) -> Iterator[Case]:
    if name in SYNTHETIC:
        for index, (stem, a, b) in enumerate(pairs(data, name)):
            if limit is not None and index >= limit:
                return
            for k in range(draws):
                yield synthetic(f"{stem}#{k}", a, b, np.random.default_rng([20240, index, k]))
    elif name == "vis_ir":
        truth = json.loads((data / "align/vis_ir/ground_truth.json").read_text())
        for stem in sorted(truth)[:limit]:
            a, b = (read(data / f"align/vis_ir/{stem}_{side}.png") for side in "ab")
            fixed, moving = (np.array(truth[stem][key]) - 1 for key in ("LMfix", "LMmov"))
            yield Case(stem, a, b, points=(moving, fixed))
    elif name == "multifocus":
        for folder in sorted((data / "align/multifocus").iterdir())[:limit]:
            template = next(folder.glob("*_t.jpg"))
            record = next(folder.glob("*.json"))
            truth = json.loads(record.read_text())
            moving, fixed = (np.array(truth[key]["Points"]) for key in ("Sample", "Template"))
            yield Case(folder.name, read(template), read(record.with_suffix(".jpg")), points=(moving, fixed))
    elif name == "unrelated":
        for sub in SYNTHETIC:
            known = list(pairs(data, sub))[:limit]
            for index, (stem, a, _) in enumerate(known[::2]):
                other, _, b = known[(2 * index + 3) % len(known)]
                if other != stem:
                    yield Case(f"{sub}/{stem}+{other}", a, b)
    else:
        for sub in SYNTHETIC:
            for index, (stem, a, b) in enumerate(pairs(data, sub)):
                if limit is not None and index >= limit:
                    break
                yield Case(f"{sub}/{stem}", a, b, truth=np.eye(3))


# -- the methods: each returns the matrix source -> reference, or None where it refuses ------------------------------


def tita(case: Case) -> np.ndarray | None:
    from tita_cli.align import align_pictures
    from tita_cli.errors import MismatchError

    try:
        source = align_pictures(as_pictures(case.reference, case.source), border="fill").sources[1]
    except MismatchError:
        return None
    return source.matrix if source.accepted else None


def as_pictures(*images: np.ndarray) -> list[Picture]:
    from tita_cli.images.picture import Picture

    return [Picture(image.astype(np.float32) / 255) for image in images]


def gray(image: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)


def start(case: Case) -> np.ndarray:
    return resizing(case.source.shape[1::-1], case.reference.shape[1::-1])


def ecc(case: Case) -> np.ndarray | None:
    back = np.linalg.inv(start(case)).astype(np.float32)
    stop = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 200, 1e-6)
    try:
        _, back = cv2.findTransformECC(
            gray(case.reference), gray(case.source), back, cv2.MOTION_HOMOGRAPHY, stop, None, 5
        )
    except cv2.error:
        return None
    return np.linalg.inv(back.astype(np.float64))


def sift(case: Case) -> np.ndarray | None:
    detector = cv2.SIFT_create()
    (points_a, words_a), (points_b, words_b) = (
        detector.detectAndCompute(gray(image), None) for image in (case.reference, case.source)
    )
    if words_a is None or words_b is None or len(words_a) < 2:
        return None
    matches = [
        m for m, *n in cv2.BFMatcher().knnMatch(words_b, words_a, k=2) if n and m.distance < 0.75 * n[0].distance
    ]
    if len(matches) < 4:
        return None
    matrix, _ = cv2.findHomography(
        np.float32([points_b[m.queryIdx].pt for m in matches]),
        np.float32([points_a[m.trainIdx].pt for m in matches]),
        cv2.RANSAC,
        3.0,
    )
    return matrix


def hugin(case: Case) -> np.ndarray | None:
    """align_image_stack, with the options its manual gives for hand-held series; it solves for roll, pitch, yaw and
    field of view, and writes remapped pictures only: its motion is measured by mapping a coordinate ramp along."""
    if shutil.which("align_image_stack") is None:
        raise SystemExit("align_image_stack is not installed")
    height, width = case.reference.shape[:2]
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for index, image in enumerate((case.reference, case.source)):
            cv2.imwrite(str(root / f"{index}.tif"), cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
        run = subprocess.run(
            ["align_image_stack", "-m", "-p", "out.pto", "0.tif", "1.tif"],
            cwd=root, capture_output=True, check=False, timeout=300,
        )  # fmt: skip
        if run.returncode or not (root / "out.pto").exists():
            return None
        y, x = np.mgrid[:height, :width].astype(np.float32)
        ramp = np.dstack([x * 65535 / width, y * 65535 / height, np.full_like(x, 65535)]).round().astype(np.uint16)
        for index in range(2):
            cv2.imwrite(str(root / f"{index}.tif"), ramp)
        run = subprocess.run(["nona", "-m", "TIFF_m", "-z", "NONE", "-r", "ldr", "-i", "1", "-o", "map", "out.pto"],
                             cwd=root, capture_output=True, check=False, timeout=300)  # fmt: skip
        made = sorted(root.glob("map*.tif"))
        mapped = cv2.imread(str(made[0]), cv2.IMREAD_UNCHANGED) if made else None
        if mapped is None or mapped.shape[:2] != (height, width):
            return None
        inside = mapped[..., 2] == 65535
        inside = cv2.erode(inside.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
        if inside.sum() < 1000:
            return None
        target = np.stack([x[inside], y[inside]], 1)[::97]
        origin = np.stack([mapped[..., 0][inside] * (width / 65535), mapped[..., 1][inside] * (height / 65535)], 1)[
            ::97
        ]
        return cv2.findHomography(origin, target, cv2.RANSAC, 1.0)[0]


def identity(case: Case) -> np.ndarray | None:
    return start(case)


METHODS: dict[str, Callable[[Case], np.ndarray | None]] = {
    "identity": identity, "tita": tita, "ecc": ecc, "sift": sift, "hugin": hugin,
}  # fmt: skip


def own_error(case: Case, matrix: np.ndarray) -> float:
    """Against where tita itself lays the undisturbed pair, given that it lies nearly right: what is left of the error
    when a published set is not registered as well as it says."""
    if case.undisturbed is None or case.disturbance is None:
        return float("nan")
    from tita_cli.align import align_pictures

    found = align_pictures(as_pictures(*case.undisturbed), mode="affine", border="fill").sources[1]
    size = case.undisturbed[1].shape[1::-1]
    near = found.accepted and corner_error(found.matrix, np.eye(3), size) * FRAME / size[0] < NEARLY
    crop, to_source = case.disturbance
    truth = crop @ (found.matrix if near else np.eye(3)) @ np.linalg.inv(to_source)
    height, width = case.source.shape[:2]
    return corner_error(matrix, truth, (width, height)) * FRAME / case.reference.shape[1]


def measure(name: str, method: str, args: argparse.Namespace) -> dict[str, object]:
    rows, seconds = [], 0.0
    for case in cases(args.data, name, args.draws, args.limit):
        began = time.process_time()
        matrix = METHODS[method](case)
        spent = time.process_time() - began
        seconds += spent
        laid = start(case) if matrix is None else matrix
        own = own_error(case, laid) if name in ("vifb", "msrs") else float("nan")
        row = {"case": case.name, "error": case.error(laid), "own": own, "before": case.error(start(case))}
        rows.append({**row, "accepted": matrix is not None})
        if args.verbose:
            said = "" if matrix is not None else " refused"
            print(f"    {case.name:28} {row['before']:7.2f} -> {row['error']:7.2f} ({own:.2f}){said} {spent:.2f} s")
    e, own, b = (np.array([row[key] for row in rows]) for key in ("error", "own", "before"))
    ok = np.array([row["accepted"] for row in rows])
    limit = -1.0 if name == "unrelated" else WRONG.get(name, 0.3 if name == "registered" else 4.0)
    wrong = ok & ~(e < limit)
    return {
        "set": name, "method": method, "pairs": len(e), "initial": float(np.median(b)),
        "median": percentile(e[ok], 50), "p90": percentile(e[ok], 90),
        "good": float(np.mean(ok & (e < limit))), "refused": float(np.mean(~ok)),
        "wrong": float(np.mean(wrong)), "worse": int(np.sum(ok & (e > b))),
        "own": percentile(own[ok], 50), "own_good": float(np.mean(ok & (own < limit))),
        "own_wrong": float(np.mean(ok & (own >= limit))), "cpu_s": seconds / max(len(e), 1), "rows": rows,
    }  # fmt: skip


def percentile(values: np.ndarray, share: float) -> float:
    return float(np.percentile(values, share)) if len(values) else float("nan")


def print_row(r: dict[str, object]) -> None:
    own = f"{r['own']:6.2f} {r['own_good']:6.1%} {r['own_wrong']:6.1%}" if r["own"] == r["own"] else f"{'':20}"
    print(
        f"{r['set']:11} {r['method']:9} {r['pairs']:5} {r['initial']:7.2f} {r['median']:7.2f} {r['p90']:7.2f} "
        f"{r['good']:6.1%} {r['refused']:7.1%} {r['wrong']:7.1%} {r['worse']:6} {own} {r['cpu_s']:9.2f}",
        flush=True,
    )


# -- time and memory --------------------------------------------------------------------------------------------------


def timing(data: Path) -> None:
    """A 12-megapixel pair, the share of recognising a registered one, stacks of 5, 10 and 20 frames."""
    from tita_cli.align import align_pictures

    a, b = (read(path) for path in sorted((data / "photos/bracket_large").iterdir()))
    size = (4240, 2832)
    a, b = (cv2.resize(image, size, interpolation=cv2.INTER_AREA) for image in (a, b))
    turn = draw(np.random.default_rng(1), *size)
    for text, second in (("registered", b), ("put off", cv2.warpPerspective(b, turn, size, flags=cv2.INTER_CUBIC))):
        pictures = as_pictures(a, second)
        began = time.perf_counter()
        placed = align_pictures(pictures, border="fill").sources[1]
        print(f"12 MP pair, {text}: {time.perf_counter() - began:.2f} s, model {placed.model}", flush=True)
    for name in ("vifb", "mef", "mff"):
        shares = sorted(recognition_share(a, b) for _, a, b in list(pairs(data, name))[:5])
        print(f"share of recognition in a fusion, {name}: median {shares[len(shares) // 2]:.1%}", flush=True)
    for count in (5, 10, 20):
        stack_cost(a[:1800, :2700], count)


def recognition_share(a: np.ndarray, b: np.ndarray) -> float:
    """Time of a fusion that looks whether its pair is registered, over one that does not: what looking adds."""
    from tita_cli.align import Aligner
    from tita_cli.api import fuse
    from tita_cli.engine import load_engine

    engine = ENGINE.setdefault("engine", load_engine("tita-lite", threads=1))
    pictures = as_pictures(a, b)
    spent = []
    for _ in range(3):
        began = time.perf_counter()
        fuse(pictures, engine=engine, align="none")
        middle = time.perf_counter()
        aligner = Aligner(2, mode="auto", reference=0)
        for index in aligner.order:
            aligner.look(index, pictures[index])
        spent.append((time.perf_counter() - middle) / (middle - began))
    return min(spent)


def stack_cost(image: np.ndarray, count: int) -> None:
    """Frames that drift by two pixels each, made when they are asked for, so that none but the aligner keeps any."""
    from tita_cli.align import Aligner
    from tita_cli.images.picture import Picture

    tracemalloc.start()
    aligner = Aligner(count, mode="auto", reference=count // 2)
    seconds = 0.0
    for index in aligner.order:
        frame = Picture(image[2 * index : 2 * index + 1600, 3 * index : 3 * index + 2400].astype(np.float32) / 255)
        began = time.perf_counter()
        aligner.look(index, frame)
        seconds += time.perf_counter() - began
    most = tracemalloc.get_traced_memory()[1] / 2**20
    tracemalloc.stop()
    print(f"stack of {count} frames of 3.8 MP: {seconds:.1f} s, {seconds / count:.2f} s a frame, peak {most:.0f} MiB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with align/, ivf/, mef/ and mff/")
    parser.add_argument("--sets", default="mef,mff,vifb,msrs,vis_ir,multifocus,registered,unrelated")
    parser.add_argument("--methods", default="tita")
    parser.add_argument("--limit", type=int, help="use the first N pairs of each set")
    parser.add_argument("--quick", action="store_true", help="--limit 5")
    parser.add_argument("--draws", type=int, default=1, help="homographies a pair")
    parser.add_argument("--timing", action="store_true", help="time and memory, too")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--verbose", "-v", action="store_true")
    args = parser.parse_args()
    args.limit = args.limit or (5 if args.quick else None)
    results = []
    print(" " * 34 + "errors of what is accepted" + " " * 28 + "against itself")
    print(HEAD)
    for name in args.sets.split(",") if args.sets else ():
        for method in args.methods.split(","):
            results.append(measure(name, method, args))
            print_row(results[-1])
    if args.json:
        args.json.write_text(json.dumps(results, indent=1))
    if args.timing:
        timing(args.data)


if __name__ == "__main__":
    sys.exit(main())
