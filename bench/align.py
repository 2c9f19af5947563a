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
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from tita_cli.align.geometry import corner_error, corners, resizing, transform, translating

FRAME = 640.0
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

    def error(self, matrix: np.ndarray) -> float:
        """Mean corner error on a 640-px-wide frame, or mean distance of the points in their own pixels."""
        if self.truth is not None:
            height, width = self.source.shape[:2]
            return corner_error(matrix, self.truth, (width, height)) * FRAME / self.reference.shape[1]
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
    return Case(name, reference, source, truth=crop @ np.linalg.inv(to_source))


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
    from tita_cli.images.picture import Picture

    pictures = [Picture(image.astype(np.float32) / 255) for image in (case.reference, case.source)]
    try:
        source = align_pictures(pictures, border="fill").sources[1]
    except MismatchError:
        return None
    return source.matrix if source.accepted else None


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


def measure(name: str, method: str, args: argparse.Namespace) -> dict[str, object]:
    errors, before, accepted, seconds, rows = [], [], [], 0.0, []
    for case in cases(args.data, name, args.draws, args.limit):
        began = time.process_time()
        matrix = METHODS[method](case)
        spent = time.process_time() - began
        seconds += spent
        error = case.error(start(case) if matrix is None else matrix)
        errors.append(error)
        before.append(case.error(start(case)))
        accepted.append(matrix is not None)
        rows.append({"case": case.name, "error": error, "before": before[-1], "accepted": accepted[-1]})
        if args.verbose:
            said = "" if accepted[-1] else " refused"
            print(f"    {case.name:28} {before[-1]:7.2f} -> {error:7.2f}{said} {spent:.2f} s")
    e, b, ok = np.array(errors), np.array(before), np.array(accepted)
    limit = WRONG.get(name, 0.3 if name == "registered" else 4.0)
    return {
        "set": name, "method": method, "pairs": len(e), "initial": float(np.median(b)),
        "median": float(np.median(e)), "p90": float(np.percentile(e, 90)),
        "good": float(np.mean(ok & (e < limit))), "refused": float(np.mean(~ok)),
        "wrong": float(np.mean(ok & (e >= limit))), "worse": int(np.sum(ok & (e > b))),
        "cpu_s": seconds / max(len(e), 1), "rows": rows,
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with align/, ivf/, mef/ and mff/")
    parser.add_argument("--sets", default="mef,mff,vifb,msrs,vis_ir,multifocus,registered")
    parser.add_argument("--methods", default="tita")
    parser.add_argument("--limit", type=int, help="use the first N pairs of each set")
    parser.add_argument("--draws", type=int, default=1, help="homographies a pair")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--verbose", "-v", action="store_true")
    args = parser.parse_args()
    results = []
    print("set         method    pairs initial  median     p90    good refused   wrong  worse  cpu s/pair")
    for name in args.sets.split(","):
        for method in args.methods.split(","):
            r = measure(name, method, args)
            results.append(r)
            print(
                f"{name:11} {method:9} {r['pairs']:5} {r['initial']:7.2f} {r['median']:7.2f} {r['p90']:7.2f} "
                f"{r['good']:6.1%} {r['refused']:7.1%} {r['wrong']:7.1%} {r['worse']:6} {r['cpu_s']:9.2f}",
                flush=True,
            )
    if args.json:
        args.json.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    sys.exit(main())
