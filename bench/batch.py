"""Images a second of ``tita batch``, beside the engine alone and beside what a shell would do.

    python bench/batch.py [--model MODEL] [--pairs 12] [--size 640x480] [--workers 1 2] [--align none] [--json]

Generated pairs (colour visible, grey infrared, PNG), registered; ``--align auto`` has tita find that out. Rows: ``tita
batch`` with its own choice of workers (*) and with those given; a shell loop over ``tita fuse``; ``xargs -P2``; the
engine on decoded luminance with all cores. For batch the time runs from the journal's first record to its last, and, in
brackets, over the whole process with its start. Processor time, of all processes, is what to compare on a machine that
does other things as well.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np

TITA = [sys.executable, "-m", "tita_cli"]


@dataclass(frozen=True, slots=True)
class Row:
    """``seconds`` and ``cpu`` for all pairs; ``whole`` with the start of the process where that is not in it."""

    name: str
    pairs: int
    seconds: float
    cpu: float
    whole: float | None = None

    def __str__(self) -> str:
        whole = "" if self.whole is None else f"  ({self.pairs / self.whole:.2f})"
        return f"{self.name:28} {self.pairs / self.seconds:8.2f}/s  {self.cpu / self.pairs:7.2f} CPU s each{whole}"


def generate(folder: Path, pairs: int, width: int, height: int) -> None:
    """Smooth colour with noise, and warm blobs: compressible about as photographs are."""
    for side in ("vis", "ir"):
        (folder / side).mkdir(parents=True)
    for number in range(pairs):
        rng = np.random.default_rng(number)
        visible = cv2.GaussianBlur(rng.random((height, width, 3), dtype=np.float32), (0, 0), width / 40)
        visible = cv2.normalize(visible, None, 0, 0.95, cv2.NORM_MINMAX) + 0.03 * rng.random((height, width, 1))
        infrared = np.zeros((height, width), np.float32)
        for x, y, radius, heat in rng.random((5, 4)):
            place, size = (int(x * width), int(y * height)), int(4 + radius * width / 8)
            cv2.circle(infrared, place, size, 0.4 + 0.6 * heat, -1)
        infrared = cv2.GaussianBlur(infrared, (0, 0), 2) * 0.9 + 0.05 * rng.random((height, width), dtype=np.float32)
        cv2.imwrite(str(folder / f"vis/{number:04}.png"), np.rint(visible.clip(0, 1) * 255).astype(np.uint8))
        cv2.imwrite(str(folder / f"ir/{number:04}.png"), np.rint(infrared.clip(0, 1) * 255).astype(np.uint8))


def cpu_seconds() -> float:
    """Of this process and of the children that have ended."""
    usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def engine_alone(folder: Path, model: str, pairs: int) -> Row:
    from tita_cli.engine import load_engine
    from tita_cli.images import read_picture
    from tita_cli.images.color import luma

    engine = load_engine(model)
    planes = [
        tuple(luma(read_picture(folder / side / f"{number:04}.png").pixels) for side in ("vis", "ir"))
        for number in range(pairs)
    ]
    engine.fuse(*planes[0])
    begun, cpu = time.perf_counter(), cpu_seconds()
    for a, b in planes:
        engine.fuse(a, b)
    return Row("engine alone", pairs, time.perf_counter() - begun, cpu_seconds() - cpu)


def batch(folder: Path, model: str, pairs: int, workers: int | None, align: str) -> Row:
    with tempfile.TemporaryDirectory() as out:
        command = [*TITA, "batch", str(folder), "-o", out, "-m", model, "--align", align, "--json"]
        command += ["--workers", str(workers)] if workers else []
        begun, cpu = time.perf_counter(), cpu_seconds()
        done = subprocess.run(command, check=True, capture_output=True)
        whole, cpu = time.perf_counter() - begun, cpu_seconds() - cpu
        records = [json.loads(line) for line in done.stdout.splitlines()]
    engine = records[0]["engine"]
    name = f"tita batch, {engine['workers']} × {engine['threads']} threads" + ("" if workers else " *")
    return Row(name, pairs, records[-1]["seconds"], cpu, whole)


def shell(folder: Path, model: str, pairs: int, parallel: int, align: str) -> Row:
    """``tita fuse`` for each pair: one after the other, or with xargs."""
    with tempfile.TemporaryDirectory() as out:
        fuse = " ".join(TITA) + f" fuse {folder}/vis/$1 {folder}/ir/$1 -o {out}/$1 -m {model} --align {align} -q"
        names = f"ls {folder}/vis"
        one_by_one = f"for name in $({names}); do set -- $name; {fuse}; done"
        side_by_side = f"{names} | xargs -P{parallel} -I@ sh -c 'set -- @; {fuse}'"
        begun, cpu = time.perf_counter(), cpu_seconds()
        subprocess.run(["sh", "-c", one_by_one if parallel == 1 else side_by_side], check=True)
        seconds, cpu = time.perf_counter() - begun, cpu_seconds() - cpu
    return Row("shell loop over tita fuse" if parallel == 1 else f"xargs -P{parallel} tita fuse", pairs, seconds, cpu)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="tita-lite")
    parser.add_argument("--pairs", type=int, default=12)
    parser.add_argument("--size", default="640x480")
    parser.add_argument("--workers", type=int, nargs="*", default=[1, 2])
    parser.add_argument("--align", default="none")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    width, height = map(int, options.size.split("x"))
    rows: list[Row] = []

    def show(row: Row) -> None:
        rows.append(row)
        if not options.json:
            print(row, flush=True)

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "pairs"
        generate(folder, options.pairs, width, height)
        for workers in (None, *options.workers):
            show(batch(folder, options.model, options.pairs, workers, options.align))
        show(shell(folder, options.model, options.pairs, 1, options.align))
        show(shell(folder, options.model, options.pairs, 2, options.align))
        show(engine_alone(folder, options.model, options.pairs))
    if options.json:
        print(json.dumps([asdict(row) for row in rows]))
        return
    best = rows[-1].pairs / rows[-1].seconds
    for row in rows[:-1]:
        print(f"{row.name:28} {100 * row.pairs / row.seconds / best:6.0f} % of the engine alone")


if __name__ == "__main__":
    main()
