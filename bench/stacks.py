"""Synthetic focus stacks whose all-in-focus truth is known: PSNR and SSIM beside enfuse and the tree of pairs.

    python bench/stacks.py MODEL [MODEL ...] [--large] [--save DIR]

Ten stacks of 5 to 15 frames from photographs of the dev sets: the surface slopes or steps, the circle of confusion
grows with the distance from each frame's plane of focus, some stacks breathe (each frame is magnified a little, as
lenses do) and some have noise. Fused with `--align none` (breathing stays below half a pixel a frame). enfuse runs with
its settings for focus: --contrast-weight=1 --exposure-weight=0 --saturation-weight=0 --hard-mask. `--large` takes
photographs of 0.8 to 4.5 MP instead, of which the network sees a reduction; the circles of confusion grow with them.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

sys.path.insert(0, str(Path(__file__).parent))
from sequences import Fuse, Pixels, by_model

from tita_cli.training.region_masks import random_matte, smooth_noise, tilted_plane
from tita_cli.training.similarity import ssim
from tita_cli.training.synthesis_focus import defocus

DATA = Path(__file__).resolve().parents[2] / "shared/data/dev"
PHOTOGRAPHS = (
    "mefseq/Balloons", "mefseq/Cave", "mefseq/Church", "mefseq/House", "mefseq/Lamp", "mefseq/Laurenziana",
    "mefseq/Mask", "mefseq/Ostrow", "mefseq/Tower", "mefseq/Window",
)  # fmt: skip
LARGE = {
    "dynamic/Seq_00": 1, "dynamic/Seq_20": 1, "dynamic/Seq_70": 1, "photos/bracket_handheld": 1,
    "brackets/bracket_building_11mp": 2, "photos/bracket_large": 2,
}  # fmt: skip
"""Photographs and what they are reduced by, since pixels of a camera are not sharp."""
FOCUS = ("--contrast-weight=1", "--exposure-weight=0", "--saturation-weight=0", "--hard-mask")
LADDER = (0.0, 0.7, 1.2, 2.0, 3.2, 5.0, 8.0)


class Stack(NamedTuple):
    """``frames`` and their ``truth``: H×W×3 uint8."""

    name: str
    frames: list[Pixels]
    truth: Pixels


def make_stack(number: int, large: bool = False) -> Stack:
    """A function of its number: the photograph in the middle of a sequence, 5 to 15 frames."""
    rng = np.random.default_rng([2026, number])
    name, reduced = list(LARGE.items())[number] if large else (PHOTOGRAPHS[number], 1)
    paths = sorted((DATA / name).iterdir())
    truth = np.asarray(Image.open(paths[len(paths) // 2]).convert("RGB").reduce(reduced))
    shape = truth.shape[:2]
    blur = max(shape) / 640 if large else 1.0
    count = int(np.linspace(5, 15, len(PHOTOGRAPHS))[number])
    depth = tilted_plane(shape, rng) + np.float32(rng.uniform(0, 0.5)) * smooth_noise(shape, 3, rng)
    if number % 2:
        depth = 0.4 * depth + sum(rng.uniform(-1, 1) * random_matte(shape, None, rng) for _ in range(4))
    low, high = np.percentile(depth, (1, 99))
    depth = np.clip((depth - low) / (high - low), 0, 1)
    light = np.square(truth.astype(np.float32) / 255)
    blurred = [light if radius == 0 else defocus(light, radius * blur, 0) for radius in LADDER]
    noise = 0.012 if number % 3 == 2 else 0.0
    frames = []
    for k, plane in enumerate(np.linspace(0.02, 0.98, count)):
        radius = np.minimum(14 * np.maximum(np.abs(depth - plane) - 0.55 / count, 0), LADDER[-1])
        at = np.interp(radius, LADDER, np.arange(len(LADDER)))
        frame = sum(np.maximum(1 - np.abs(at - i), 0)[..., None] * level for i, level in enumerate(blurred))
        if number % 5 == 4:
            frame = magnified(frame, 1 + 0.0006 * (k - count // 2))
        shot = np.sqrt(np.maximum(frame, 0)) + noise * rng.standard_normal(truth.shape)
        frames.append(np.clip(np.rint(shot * 255), 0, 255).astype(np.uint8))
    return Stack(name.split("/")[1], frames, truth)


def magnified(image: npt.NDArray[np.floating], scale: float) -> npt.NDArray[np.floating]:
    height, width = image.shape[:2]
    move = np.array([[scale, 0, (1 - scale) * width / 2], [0, scale, (1 - scale) * height / 2]])
    return cv2.warpAffine(image, move, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101)


def enfuse(paths: list[Path]) -> Pixels:
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "fused.png"
        subprocess.run(["enfuse", *FOCUS, "-o", out, *paths], check=True, capture_output=True)
        return np.asarray(Image.open(out).convert("RGB"))


def quality(fused: Pixels, truth: Pixels) -> tuple[float, float]:
    """PSNR in dB over all channels, and SSIM of luminance."""
    error = float(np.mean(np.square(fused.astype(np.float64) - truth)))
    y = [
        torch.from_numpy(cv2.cvtColor(x, cv2.COLOR_RGB2GRAY).astype(np.float32) / 255)[None, None]
        for x in (fused, truth)
    ]
    return 10 * float(np.log10(255**2 / max(error, 1e-9))), float(ssim(*y))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+")
    parser.add_argument("--large", action="store_true")
    parser.add_argument("--save", type=Path, help="write the fused pictures here")
    options = parser.parse_args()
    methods: dict[str, Fuse] = {Path(model).stem: by_model(model) for model in options.models}
    if shutil.which("enfuse"):
        methods["enfuse"] = enfuse
    print(f"{'':14}{'frames':>7}" + "".join(f"{name:>20.18}" for name in methods))
    rows = []
    for number in range(len(LARGE if options.large else PHOTOGRAPHS)):
        stack = make_stack(number, options.large)
        values = []
        with tempfile.TemporaryDirectory() as folder:
            paths = [Path(folder) / f"{k:02d}.png" for k in range(len(stack.frames))]
            for path, frame in zip(paths, stack.frames, strict=True):
                Image.fromarray(frame).save(path)
            for name, method in methods.items():
                fused = method(paths)
                values.append(quality(fused, stack.truth))
                if options.save:
                    (options.save / name).mkdir(parents=True, exist_ok=True)
                    Image.fromarray(fused).save(options.save / name / f"{stack.name}.png")
        rows.append(values)
        cells = "".join(f"{psnr:>12.2f} {similarity:.4f} " for psnr, similarity in values)
        print(f"{stack.name:14}{len(stack.frames):>7}{cells}", flush=True)
    means = np.mean(rows, axis=0)
    print(f"{'mean':21}" + "".join(f"{psnr:>12.2f} {similarity:.4f} " for psnr, similarity in means))


if __name__ == "__main__":
    main()
