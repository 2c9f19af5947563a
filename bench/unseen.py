"""Evaluate a model on sets without a published ranking, beside pixel average, pixel maximum and MergeMertens.

    python bench/unseen.py MODEL [--sets msrs,nir,polar,mri_ct,mri_pet,mri_spect] [--save DIR]

msrs is infrared and visible; the others are tasks that were never trained on: near infrared, degree of polarisation,
magnetic resonance with computed tomography, PET and SPECT. Prints the mean of each metric over a set. Nothing was
tuned on these sets.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).parent))
from dev_sets import BASELINES, SHARED, Pixels, read

from tita_cli import fuse
from tita_cli.metrics import METRICS, evaluate
from tita_cli.runtime import load_engine

FOLDERS = {
    "msrs": ("ivf/msrs", "vis", "ir"),
    "nir": ("unseen/nir", "vis", "nir"),
    "polar": ("unseen/polar", "vis", "po"),
    "mri_ct": ("unseen/mri_ct", "mri", "ct"),
    "mri_pet": ("unseen/mri_pet", "pet", "mri"),
    "mri_spect": ("unseen/mri_spect", "spect", "mri"),
}
SHOWN = ("Qabf", "SSIM", "VIF", "MI", "SCD", "SD", "AG")


def pairs(name: str) -> Iterator[tuple[Path, Path]]:
    """The pairs of a set by name; the source that may have colour comes first."""
    folder, first, second = FOLDERS[name]
    root = SHARED / "data/dev" / folder
    for path in sorted((root / first).iterdir()):
        (partner,) = (root / second).glob(f"{path.stem}.*")
        yield path, partner


def grey(image: Pixels) -> Pixels:
    """Luminance, on which all are compared, since the baselines mix grey and colour."""
    return image if image.ndim == 2 else np.asarray(Image.fromarray(image).convert("L"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--sets", default=",".join(FOLDERS))
    parser.add_argument("--threads", type=int)
    parser.add_argument("--save", type=Path)
    options = parser.parse_args()
    engine = load_engine(options.model, threads=options.threads)

    def ours(first: Path, second: Path) -> Pixels:
        fusion = fuse(first, second, engine=engine, align="none")
        pixels = np.rint(fusion.picture.pixels * 255).astype(np.uint8).squeeze()
        if options.save:
            target = options.save / f"{first.parent.parent.name}_{first.stem}.png"
            target.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(target)
        return grey(pixels)

    for name in options.sets.split(","):
        rows: dict[str, list[list[float]]] = {}
        for first, second in pairs(name):
            a, b = grey(read(first)), grey(read(second))
            fused = {
                "tita": ours(first, second),
                "average": ((a.astype(np.uint16) + b + 1) // 2).astype(np.uint8),
                "maximum": np.maximum(a, b),
                "Mertens": grey(BASELINES["Mertens"](first, second)),
            }
            for method, picture in fused.items():
                values = evaluate(picture, a, b, metrics=[METRICS[metric] for metric in SHOWN])
                rows.setdefault(method, []).append([values[metric] for metric in SHOWN])
        print(f"{name} ({len(rows['tita'])} pairs)")
        print(f"{'':10}" + "".join(f"{metric + ' ' + METRICS[metric].arrow:>10}" for metric in SHOWN))
        for method, values_of in rows.items():
            print(f"{method:10}" + "".join(f"{value:10.3f}" for value in np.mean(values_of, 0)))
        print()


if __name__ == "__main__":
    main()
