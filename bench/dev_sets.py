"""Evaluate a fusion method on the dev sets: means, ranks among the published methods, and their average.

    python bench/dev_sets.py DIR [--sets vifb,mefb,lytro,mfifb] [--workers 2] [--json FILE]

DIR holds vifb/NAME.*, mefb/SCENE.*, lytro/NAME.* and mfifb/NAME.* (a set whose folder is missing is left out). From a
program:

    from dev_sets import report, score            # with bench/ on sys.path
    print(report(score("name", lambda a, b: fused_uint8)))

``fuse(a, b)`` takes the two files in the order of the models (visible, infrared; over-, under-exposed; far, near) and
returns H×W×3 (R, G, B) or H×W uint8. Candidates are re-encoded in memory as the benchmark stored its own.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from tita_cli.metrics import METRICS, evaluate
from tita_cli.metrics.ranking import Published, rank, read_published, reencode

SHARED = Path(__file__).resolve().parents[2] / "shared"
REFERENCES = Path(__file__).with_name("dev_references.json")
FOLDERS = {"mefb": ("mef/mefb30", "BA"), "lytro": ("mff/lytro", "AB"), "mfifb": ("mff/mfifb", "AB")}
"""Of the sets that have a folder a scene: where it is, and the letters of the files in the models' order."""
Pixels = npt.NDArray[np.uint8]
Fuse = Callable[[Path, Path], Pixels]


@dataclass(frozen=True)
class DevSet:
    """One benchmark: its pairs, its published values, and the metrics of the average rank."""

    name: str
    title: str
    table: str
    metrics: tuple[str, ...]
    reencode: str  # "always", or "jpeg": those whose sources are JPEG
    lossless: tuple[str, ...] = ()  # of these, beginnings of the names of those that are not

    def pairs(self, data: Path) -> Iterator[tuple[str, Path, Path]]:
        """Name, and the two files in the models' order."""
        if self.name == "vifb":
            for visible in sorted((data / "ivf/vifb/vis").iterdir()):
                yield visible.stem, visible, data / "ivf/vifb/ir" / visible.name
        else:
            folder, order = FOLDERS[self.name]
            for scene in sorted((data / folder).iterdir()):
                first, second = (next(scene.glob(f"*{letter}.*")) for letter in order)
                yield scene.name, first, second

    @property
    def convention(self) -> Literal["vifb", "mefb"]:
        return "vifb" if self.name == "vifb" else "mefb"

    def as_published(self, first: Path, second: Path) -> tuple[Path, Path]:
        """The sources in the order of the published values, on which Qc depends: MEFB has the darker one first."""
        return (second, first) if self.name == "mefb" else (first, second)

    def stored(self, fused: Pixels, source: Path) -> Pixels:
        """The candidate as the benchmark would have read it back from its file."""
        as_jpeg = source.suffix == ".jpg" and not source.name.startswith(self.lossless)
        return reencode(fused) if self.reencode == "always" or as_jpeg else fused


SETS = {
    dev_set.name: dev_set
    for dev_set in (
        DevSet(
            "vifb", "VIFB", "vifb_published.csv",
            ("EN", "CE", "MI", "PSNR", "RMSE", "SSIM", "AG", "EI", "SF", "SD", "Qabf", "Qcb", "Qcv"), "always",
        ),
        # MEFB lists twenty: TE is no measure of quality (see its docstring), Qp we do not compute.
        DevSet(
            "mefb", "MEFB-30", "mefb30_published.csv",
            ("EN", "CE", "NMI", "Qncie", "PSNR", "MEF_SSIM", "AG", "EI", "SF", "SD", "Qabf", "FMI", "Qcb", "Qcv", "VIF",
             "Qw", "Qy", "Qc"), "jpeg",
        ),
        DevSet(
            "lytro", "Lytro", "lytro_methods.csv",
            ("EN", "MI", "NMI", "SSIM", "AG", "SF", "Qabf", "FMI", "Qcb", "Qcv", "VIF", "Qw", "Qy"), "jpeg",
        ),
        # Whose results were stored without loss shows in the published values: with JPEG in between, a picture made of
        # the sources' own pixels is behind 22 to 27 of the 30 methods in MI and Qabf on these, and ahead of most on the
        # others; without it, ahead of all or nearly all on both.
        DevSet(
            "mfifb", "MFIFB without Lytro, the dev half", "mfifb_methods.csv",
            ("EN", "MI", "NMI", "SSIM", "AG", "SF", "Qabf", "FMI", "Qcb", "Qcv", "VIF", "Qw", "Qy"), "jpeg",
            ("mffw", "stand", "aymaz_24"),
        ),
    )
}  # fmt: skip


@dataclass
class Score:
    """One candidate on one set. ``values``: image to metric to value."""

    candidate: str
    dev_set: str
    values: dict[str, dict[str, float]]
    means: dict[str, float] = field(default_factory=dict)
    places: dict[str, int] = field(default_factory=dict)
    average_rank: float = float("nan")
    place: int = 0
    count: int = 0


def read(path: Path) -> Pixels:
    return np.asarray(Image.open(path).convert("RGB"))


def _values(dev_set: str, fused: Pixels, first: Path, second: Path) -> dict[str, float]:
    chosen = SETS[dev_set]
    metrics = [METRICS[name] for name in chosen.metrics]
    fused = chosen.stored(fused, first)
    a, b = chosen.as_published(first, second)
    return evaluate(fused, read(a), read(b), metrics=metrics, convention=chosen.convention)


def score(
    candidate: str, fuse: Fuse, *, sets: Sequence[str] = tuple(SETS), shared: Path = SHARED, workers: int = 1
) -> list[Score]:
    """Evaluate ``fuse``. It runs in this process; with ``workers`` > 1 only the metrics run in other processes."""
    scores = []
    cv2.setNumThreads(1)
    pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn")) if workers > 1 else None
    try:
        for name in sets:
            jobs = {}
            for image, first, second in SETS[name].pairs(shared / "data/dev"):
                job = (name, np.ascontiguousarray(fuse(first, second)), first, second)
                jobs[image] = pool.submit(_values, *job) if pool else _values(*job)
            values = {image: job if isinstance(job, dict) else job.result() for image, job in jobs.items()}
            scores.append(_ranked(candidate, name, values, read_published(shared / "bench" / SETS[name].table)))
    finally:
        if pool:
            pool.shutdown()
    return scores


def _ranked(candidate: str, name: str, values: dict[str, dict[str, float]], published: Published) -> Score:
    metrics = [METRICS[metric] for metric in SETS[name].metrics]
    ranks = rank(values, published, metrics)
    means = {m.name: float(np.mean([row[m.name] for row in values.values()])) for m in metrics}
    return Score(candidate, name, values, means, ranks.places, ranks.average, ranks.place, ranks.count)


def average(a: Path, b: Path) -> Pixels:
    return ((read(a).astype(np.uint16) + read(b) + 1) // 2).astype(np.uint8)


def maximum(a: Path, b: Path) -> Pixels:
    return np.maximum(read(a), read(b))


def mertens(a: Path, b: Path) -> Pixels:
    fused = cv2.createMergeMertens().process([read(a), read(b)])
    return np.clip(np.rint(fused * 255), 0, 255).astype(np.uint8)


BASELINES: dict[str, Fuse] = {"average": average, "maximum": maximum, "Mertens": mertens}


def references(shared: Path, *, fresh: bool, workers: int) -> list[Score]:
    """The baselines' scores, from the file beside this one unless ``fresh``."""
    if not fresh and REFERENCES.exists():
        return [Score(**entry, values={}) for entry in json.loads(REFERENCES.read_text(encoding="utf-8"))]
    found = [row for name, fuse in BASELINES.items() for row in score(name, fuse, shared=shared, workers=workers)]
    entries = [{key: value for key, value in vars(row).items() if key != "values"} for row in found]
    REFERENCES.write_text(json.dumps(entries, indent=1) + "\n", encoding="utf-8")
    return found


def report(scores: Sequence[Score]) -> str:
    """One table per set: candidates in columns, each with mean and place."""
    lines = []
    for name, dev_set in SETS.items():
        columns = [row for row in scores if row.dev_set == name]
        if not columns:
            continue
        lines.append(f"{dev_set.title} ({len(dev_set.metrics)} metrics, of {columns[0].count})")
        lines.append(f"{'':10}" + "".join(f"{row.candidate:>18.17}" for row in columns))
        for metric in dev_set.metrics:
            cells = "".join(f"{row.means[metric]:>13.4f} {row.places[metric]:>4d}" for row in columns)
            lines.append(f"{metric + ' ' + METRICS[metric].arrow:10}{cells}")
        lines.append(f"{'average':10}" + "".join(f"{row.average_rank:>13.2f} {row.place:>4d}" for row in columns))
        lines.append("")
    return "\n".join(lines)


def from_folder(folder: Path) -> Fuse:
    """A ``fuse`` that reads results from ``folder``/SET/NAME.*."""

    def look_up(first: Path, _: Path) -> Pixels:
        of_set = next((name for name, (root, _) in FOLDERS.items() if first.match(f"{root}/*/*")), "vifb")
        name = first.stem if of_set == "vifb" else first.parent.name
        found = sorted((folder / of_set).glob(f"{name}.*"))
        if len(found) != 1:
            raise SystemExit(f"{folder / of_set}: {len(found)} files named {name}.*")
        return np.asarray(Image.open(found[0]))

    return look_up


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="*", help="fused images: DIR/vifb, DIR/mefb …")
    parser.add_argument("--sets", default=",".join(SETS))
    parser.add_argument("--shared", type=Path, default=SHARED, help="folder with data/ and bench/")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--json", type=Path, help="write means, places and per-image values here")
    parser.add_argument("--fresh-references", action="store_true", help="compute the baselines anew")
    options = parser.parse_args(argv)
    scores: list[Score] = []
    for folder in options.folder:
        sets = [name for name in options.sets.split(",") if (folder / name).is_dir()]
        scores += score(folder.name, from_folder(folder), sets=sets, shared=options.shared, workers=options.workers)
    if options.json:
        options.json.write_text(json.dumps([vars(row) for row in scores], indent=1) + "\n", encoding="utf-8")
    scores += references(options.shared, fresh=options.fresh_references, workers=options.workers)
    print(report([row for row in scores if row.dev_set in options.sets.split(",")]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
