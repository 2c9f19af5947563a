"""Exposure sequences of any length: MEF-SSIM over all frames, beside the tools that people use.

    python bench/sequences.py MODEL [MODEL ...] [--save DIR]

Prints a row a sequence and the means, for each model as `tita fuse --align none` fuses with it, OpenCV's MergeMertens
and, where it is installed, enfuse with its defaults. On grey images, as the metric is defined.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from tita_cli import fuse
from tita_cli.metrics.evaluate import grey
from tita_cli.metrics.exposure import mef_ssim
from tita_cli.metrics.plane import Plane
from tita_cli.runtime import load_engine

DATA = Path(__file__).resolve().parents[2] / "shared/data/dev/mefseq"
Pixels = npt.NDArray[np.uint8]
Fuse = Callable[[list[Path]], Pixels]


def by_model(model: str) -> Fuse:
    engine = load_engine(model)

    def fused(paths: list[Path]) -> Pixels:
        pixels = fuse(paths, engine=engine, align="none").picture.pixels
        return np.rint(pixels * 255).astype(np.uint8)

    return fused


def mertens(paths: list[Path]) -> Pixels:
    fused = cv2.createMergeMertens().process([read(path) for path in paths])
    return np.clip(np.rint(fused * 255), 0, 255).astype(np.uint8)


def enfuse(paths: list[Path]) -> Pixels:
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "fused.png"
        subprocess.run(["enfuse", "-o", out, *paths], check=True, capture_output=True)
        return read(out)


def read(path: Path) -> Pixels:
    return np.asarray(Image.open(path).convert("RGB"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+")
    parser.add_argument("--save", type=Path, help="write the fused pictures here")
    options = parser.parse_args()
    methods: dict[str, Fuse] = {Path(model).stem: by_model(model) for model in options.models}
    methods["Mertens"] = mertens
    if shutil.which("enfuse"):
        methods["enfuse"] = enfuse
    rows = []
    print(f"{'':14}{'frames':>7}" + "".join(f"{name:>14.13}" for name in methods))
    for scene in sorted(DATA.iterdir()):
        paths = sorted(scene.iterdir())
        sources = [Plane(grey(read(path))) for path in paths]
        values = []
        for name, method in methods.items():
            pixels = method(paths)
            values.append(mef_ssim(Plane(grey(pixels.squeeze())), *sources))
            if options.save:
                (options.save / name).mkdir(parents=True, exist_ok=True)
                Image.fromarray(pixels.squeeze()).save(options.save / name / f"{scene.name}.png")
        rows.append(values)
        print(f"{scene.name:14}{len(paths):>7}" + "".join(f"{value:>14.4f}" for value in values), flush=True)
    print(f"{'mean':21}" + "".join(f"{value:>14.4f}" for value in np.mean(rows, axis=0)))


if __name__ == "__main__":
    main()
