"""Render the README's pictures: scenes that are ours to show, fused by the shipped model through the command line.

    python docs/pictures.py [--only infrared,exposure,focus]

The infrared–visible scene is drawn here. The exposure bracket and the focus stack are made, by a camera model, from
photographs that scikit-image ships (extra ``docs``): "astronaut" (NASA, public domain) and "coffee" (Rachel Michetti,
CC0). Sources and results stand side by side in docs/pictures/*.jpg.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from tita_cli.cli.main import run

Pixels = npt.NDArray[Any]
TARGET = Path(__file__).parent / "pictures"
GAP = 6


def person(canvas: Pixels, x: int, foot: int, height: int, value: Any) -> None:
    """A standing figure: head, trunk, arms, legs."""
    h = height
    cv2.ellipse(canvas, (x, foot - int(0.91 * h)), (int(0.065 * h), int(0.085 * h)), 0, 0, 360, value, -1, cv2.LINE_AA)
    trunk = np.array([[-0.13, -0.80], [0.13, -0.80], [0.09, -0.42], [-0.09, -0.42]]) * h + (x, foot)
    cv2.fillPoly(canvas, [trunk.astype(np.int32)], value, cv2.LINE_AA)
    for side in (-1, 1):
        limbs = (((0.12, -0.77), (0.17, -0.45), 0.055), ((0.045, -0.44), (0.07, 0.0), 0.075))
        for (x0, y0), (x1, y1), width in limbs:
            start = (x + int(side * x0 * h), foot + int(y0 * h))
            end = (x + int(side * x1 * h), foot + int(y1 * h))
            cv2.line(canvas, start, end, value, max(1, int(width * h)), cv2.LINE_AA)


def infrared() -> list[Pixels]:
    """A street at night: what the eye sees by a lamp and lit windows, and what is warm."""
    h, w = 384, 512
    rng = np.random.default_rng(5)
    grain = cv2.GaussianBlur(rng.standard_normal((h, w)).astype(np.float32), (0, 0), 1.5)
    rows = np.linspace(0, 1, h, dtype=np.float32)[:, None]
    night = np.dstack([0.05 + 0.05 * rows + 0 * grain, 0.055 + 0.05 * rows + 0 * grain, 0.10 - 0.02 * rows + 0 * grain])
    warm = np.full((h, w), 0.10, np.float32)
    for left, right, top in ((0, 150, 60), (165, 300, 110), (330, 511, 30)):
        cv2.rectangle(night, (left, top), (right, 268), (0.13, 0.12, 0.13), -1)
        cv2.rectangle(warm, (left, top), (right, 268), 0.30, -1)
        for y in range(top + 18, 240, 42):
            for x in range(left + 14, right - 26, 36):
                lit = rng.random() < 0.35
                cv2.rectangle(night, (x, y), (x + 18, y + 24), (0.95, 0.78, 0.42) if lit else (0.04, 0.05, 0.07), -1)
                cv2.rectangle(warm, (x, y), (x + 18, y + 24), 0.42 if lit else 0.24, -1)
    night[268:] = np.array([0.10, 0.10, 0.11]) + 0.025 * grain[268:, :, None]
    warm[268:] = 0.22 + 0.02 * grain[268:]
    for x in range(-40, w, 90):
        stripe = np.array([[x, 330], [x + 46, 330], [x + 40, 338], [x - 8, 338]], np.int32)
        cv2.fillPoly(night, [stripe], (0.42, 0.42, 0.40), cv2.LINE_AA)
    y, x = np.mgrid[:h, :w].astype(np.float32)
    glow = np.exp(-np.hypot(x - 316, 1.2 * (y - 100)) / 70)[..., None]
    night = night + glow * np.array([0.55, 0.45, 0.28])
    cv2.line(night, (316, 104), (316, 285), (0.20, 0.20, 0.20), 4, cv2.LINE_AA)
    cv2.line(warm, (316, 104), (316, 285), 0.17, 4, cv2.LINE_AA)
    cv2.circle(warm, (316, 98), 7, 0.7, -1, cv2.LINE_AA)
    cv2.circle(night, (316, 98), 8, (1.0, 0.96, 0.82), -1, cv2.LINE_AA)
    night = night.astype(np.float32)
    for at, foot, height in ((236, 306, 92), (96, 322, 118), (430, 300, 84)):
        person(night, at, foot, height, (0.055, 0.055, 0.065))
        person(warm, at, foot, height, 0.92)
    warm = cv2.GaussianBlur(warm, (0, 0), 1.3) + 0.012 * rng.standard_normal((h, w)).astype(np.float32)
    night = cv2.GaussianBlur(night, (0, 0), 0.6) + 0.012 * rng.standard_normal((h, w, 3)).astype(np.float32)
    return [_bytes(night), _bytes(warm)]


def exposure() -> list[Pixels]:
    """Three frames of one scene, two stops apart, through a camera curve that clips."""
    from skimage import data

    sharp = cv2.resize(data.astronaut(), (448, 448), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    linear = sharp**2.2
    y, x = np.mgrid[:448, :448].astype(np.float32) / 448
    light = np.exp2(-3.2 + 5.4 * np.clip(0.55 * x + 0.75 * (1 - y) - 0.15, 0, 1))  # a bright window behind the right
    rng = np.random.default_rng(3)
    frames = []
    for stops in (-1.5, 2.0):
        exposed = linear * light[..., None] * 2.0**stops
        noisy = exposed + 0.004 * rng.standard_normal(exposed.shape) * np.sqrt(exposed + 0.01)
        frames.append(_bytes(np.clip(noisy, 0, 1) ** (1 / 2.2)))
    return frames


def focus() -> list[Pixels]:
    """One frame focused on the cup, one on the table behind it."""
    from skimage import data

    sharp = cv2.resize(data.coffee(), (525, 350), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    mask = np.zeros(sharp.shape[:2], np.float32)
    cv2.ellipse(mask, (255, 185), (190, 142), 0, 0, 360, 1.0, -1, cv2.LINE_AA)
    mask = cv2.GaussianBlur(mask, (0, 0), 1.0)[..., None]
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (11, 11)).astype(np.float32)
    blurred = cv2.filter2D(sharp, -1, disc / disc.sum(), borderType=cv2.BORDER_REFLECT)
    return [_bytes(mask * sharp + (1 - mask) * blurred), _bytes(mask * blurred + (1 - mask) * sharp)]


SCENES: dict[str, tuple[Callable[[], list[Pixels]], tuple[str, ...]]] = {
    "infrared": (infrared, ("visible", "infrared")),
    "exposure": (exposure, ("short exposure", "long exposure")),
    "focus": (focus, ("focus on the cup", "focus on the table")),
}


def _bytes(image: Pixels) -> Pixels:
    return np.asarray(np.clip(np.rint(image * 255), 0, 255).astype(np.uint8))


def side_by_side(images: list[Pixels], labels: tuple[str, ...]) -> Image.Image:
    """One row with a label below each picture."""
    h, w = images[0].shape[:2]
    sheet = Image.new("RGB", (len(images) * (w + GAP) - GAP, h + 26), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(15)
    for i, (image, label) in enumerate(zip(images, labels, strict=True)):
        left = i * (w + GAP)
        sheet.paste(Image.fromarray(image).convert("RGB"), (left, 0))
        draw.text((left + w / 2, h + 13), label, fill="black", font=font, anchor="mm")
    return sheet


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default=",".join(SCENES))
    parser.add_argument("--model", default="tita-lite")
    parser.add_argument("--sources", type=Path, help="write the sources to this folder instead, and fuse nothing")
    options = parser.parse_args()
    if options.sources:
        options.sources.mkdir(parents=True, exist_ok=True)
        for name in options.only.split(","):
            for i, source in enumerate(SCENES[name][0]()):
                Image.fromarray(source).save(options.sources / f"{name}-{i}.png")
        return
    TARGET.mkdir(exist_ok=True)
    for name in options.only.split(","):
        make, labels = SCENES[name]
        sources = make()
        with tempfile.TemporaryDirectory() as folder:
            files = [str(Path(folder, f"{i}.png")) for i in range(len(sources))]
            for file, source in zip(files, sources, strict=True):
                Image.fromarray(source).save(file)
            out = str(Path(folder, "out.png"))
            if run(["fuse", *files, "-o", out, "--align", "none", "-m", options.model]):
                raise SystemExit(1)
            fused = np.asarray(Image.open(out))
        side_by_side([*sources, fused], (*labels, "tita fuse")).save(TARGET / f"{name}.jpg", quality=88)


if __name__ == "__main__":
    main()
