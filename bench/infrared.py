"""Rank models among networks for infrared and visible pictures, on grey images of MSRS and TNO.

    python bench/infrared.py MODEL [MODEL ...] [--sets msrs,tno]
    python bench/infrared.py --roles [MODEL] [--sets msrs,tno,vifb]

Eight metrics as the evaluator that comes with CDDFuse defines them (Zhao et al., CVPR 2023): VIF and SSIM are sums over
both sources, VIF that of pixels at four scales, SSIM in windows of 7×7 at a range of 2. Prints every network's means
and its average place among the networks; the pixel maximum and mean are listed, but have no place. Infrared is taken as
it is stored (`--range full`), since that is what the other networks got and what the metrics compare with.

`--roles`: for how many pairs without names the infrared is found, taken for the photograph, or left open, in either
order; as stored, all in grey, and at one more size. For pairs that are left open and a MODEL: how much the order of the
sources changes the result.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

sys.path.insert(0, str(Path(__file__).parent))
from dev_sets import SHARED, Pixels
from unseen import grey

from tita_cli import fuse
from tita_cli.fusion.look import Look
from tita_cli.fusion.roles import judge_roles
from tita_cli.fusion.source import describe_sources
from tita_cli.images.picture import Picture
from tita_cli.metrics import METRICS, evaluate
from tita_cli.runtime import load_engine

TABLES = {"msrs": "peers_msrs20.csv", "tno": "peers_tno_pv.csv"}
SHOWN = ("EN", "SD", "SF", "MI", "SCD", "VIF", "Qabf", "SSIM")
OURS = tuple(name for name in SHOWN if name not in ("VIF", "SSIM"))
NO_NETWORKS = ("max", "mean")
Fuse = Callable[[Path, Path], Pixels]
Means = Mapping[str, float]
Doubles = npt.NDArray[np.float64]


def vif(source: Pixels, fused: Pixels) -> float:
    """Visual information fidelity in the pixel domain (Sheikh & Bovik, TIP 2006), four scales, noise of variance 2."""
    reference, distorted = source.astype(np.float64), fused.astype(np.float64)
    kept = there = 0.0
    for side in (17, 9, 5, 3):
        kernel, margin = cv2.getGaussianKernel(side, side / 5), side // 2

        def mean(x: Doubles, kernel: Doubles = kernel, margin: int = margin) -> Doubles:
            return np.asarray(cv2.sepFilter2D(x, cv2.CV_64F, kernel, kernel)[margin:-margin, margin:-margin])

        if side < 17:
            reference, distorted = mean(reference)[::2, ::2], mean(distorted)[::2, ::2]
        m1, m2 = mean(reference), mean(distorted)
        v1 = np.maximum(mean(reference**2) - m1**2, 0)
        v2 = np.maximum(mean(distorted**2) - m2**2, 0)
        cov = mean(reference * distorted) - m1 * m2
        gain = np.where((v1 < 1e-10) | (v2 < 1e-10), 0, cov / (v1 + 1e-10))
        noise = np.where(gain < 0, v2, v2 - gain * cov)
        gain = np.maximum(gain, 0)
        kept += float(np.log10(1 + gain**2 * v1 / (np.maximum(noise, 1e-10) + 2)).sum())
        there += float(np.log10(1 + v1 / 2).sum())
    return kept / there if there else 1.0


def ssim(a: Pixels, b: Pixels) -> float:
    """SSIM in windows of 7×7 without weights, of 8-bit values at a range of 2."""
    x, y = a.astype(np.float64), b.astype(np.float64)

    def mean(z: Doubles) -> Doubles:
        return np.asarray(cv2.blur(z, (7, 7))[3:-3, 3:-3])

    unbiased = 49 / 48
    mx, my = mean(x), mean(y)
    vx, vy, cov = (
        (mean(p * q) - mp * mq) * unbiased for p, q, mp, mq in ((x, x, mx, mx), (y, y, my, my), (x, y, mx, my))
    )
    c1, c2 = (0.01 * 2) ** 2, (0.03 * 2) ** 2
    return float((((2 * mx * my + c1) * (2 * cov + c2)) / ((mx**2 + my**2 + c1) * (vx + vy + c2))).mean())


def read_grey(path: Path) -> Pixels:
    return np.asarray(cv2.imread(str(path), cv2.IMREAD_GRAYSCALE))


def by_model(model: str) -> Fuse:
    engine = load_engine(model)

    def fused(visible: Path, infrared: Path) -> Pixels:
        pixels = fuse([visible, infrared], engine=engine, align="none", value_range="full").picture.pixels
        return grey(np.rint(pixels * 255).astype(np.uint8).squeeze())

    return fused


def peers(name: str) -> dict[str, Means]:
    """Method to metric to mean over the images."""
    values: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    with (SHARED / "bench" / TABLES[name]).open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            values[row["method"]][row["metric"]].append(float(row["value"]))
    return {method: {metric: float(np.mean(v)) for metric, v in rows.items()} for method, rows in values.items()}


def measure(name: str, method: Fuse) -> Means:
    rows = []
    for visible in sorted((SHARED / "data/dev/ivf" / name / "vis").iterdir()):
        (infrared,) = visible.parents[1].glob(f"ir/{visible.stem}.*")
        fused, a, b = method(visible, infrared), read_grey(visible), read_grey(infrared)
        row = evaluate(fused, a, b, metrics=[METRICS[m] for m in OURS], convention="vifb")
        rows.append(row | {"VIF": vif(a, fused) + vif(b, fused), "SSIM": ssim(a, fused) + ssim(b, fused)})
    return {metric: float(np.mean([row[metric] for row in rows])) for metric in SHOWN}


def place(means: Means, others: list[Means]) -> float:
    return float(np.mean([1 + sum(other[m] > means[m] for other in others) for m in SHOWN]))


def nameless(path: Path, *, as_grey: bool, scale: float) -> Picture:
    """A picture of 8 bits without a name."""
    pixels = np.asarray(cv2.imread(str(path)))[..., ::-1]
    pixels = cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else pixels
    codes = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)[..., None] if as_grey else pixels
    return Picture(codes.astype(np.float32) / np.float32(255))


def report_roles(name: str, model: str | None) -> None:
    """Print how often the infrared of a set's pairs is told from the photograph where no name says it."""
    engine = load_engine(model) if model else None
    for title, as_grey, scale in (
        ("as stored", False, 1),
        ("grey", True, 1),
        ("grey, infrared half as wide", True, 0.5),
    ):
        found: Counter[str] = Counter()
        differs: list[float] = []
        for visible in sorted((SHARED / "data/dev/ivf" / name / "vis").iterdir()):
            (infrared,) = visible.parents[1].glob(f"ir/{visible.stem}.*")
            pair = [nameless(visible, as_grey=as_grey, scale=1), nameless(infrared, as_grey=as_grey, scale=scale)]
            looks = [Look.at(picture) for picture in pair]
            for order in ((0, 1), (1, 0)):
                at = [pair[k] for k in order]
                judged = judge_roles(describe_sources(at), [looks[k] for k in order]).infrared
                found["left open" if judged is None else "right" if order[judged] == 1 else "wrong"] += 1
            if engine is not None and judged is None and scale == 1:
                one, two = (fuse(way, engine=engine, align="none").picture.pixels for way in (pair, pair[::-1]))
                differs.append(255 * float(np.abs(one - two).max()))
        order_matters = f"; order changes the result by {max(differs):.1f} of 255 at most" if differs else ""
        shares = ", ".join(f"{kind} {found[kind]}" for kind in ("right", "wrong", "left open"))
        print(f"{name:6}{title:28}{shares} of {found.total()}{order_matters}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*")
    parser.add_argument("--sets")
    parser.add_argument("--roles", action="store_true")
    options = parser.parse_args()
    if options.roles:
        for name in (options.sets or "msrs,tno,vifb").split(","):
            report_roles(name, next(iter(options.models), None))
        return
    options.sets = options.sets or ",".join(TABLES)
    for name in options.sets.split(","):
        published = peers(name)
        found = {Path(model).stem: measure(name, by_model(model)) for model in options.models}
        print(f"{name:16}" + "".join(f"{metric:>8}" for metric in SHOWN) + "   average place")
        for method, means in (published | found).items():
            others = [m for other, m in published.items() if other not in (method, *NO_NETWORKS)]
            rank = "" if method in NO_NETWORKS else f"{place(means, others):8.2f} of {len(others) + 1}"
            print(f"{method:16}" + "".join(f"{means[metric]:8.3f}" for metric in SHOWN) + rank)
        print()


if __name__ == "__main__":
    main()
