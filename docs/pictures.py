"""Render the README's pictures: the examples, fused by the shipped model through the command line.

    python docs/pictures.py [infrared bracket focus]

Sources and results stand side by side in docs/pictures/*.jpg.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from tita_cli.cli.demo import EXAMPLES, examples_folder
from tita_cli.cli.main import run

TARGET = Path(__file__).parent / "pictures"
GAP, WIDTH = 6, 480
LABELS = {
    "infrared": ("visible", "infrared"),
    "bracket": ("0 EV", "-3 EV", "+3 EV"),
    "focus": ("near", "middle", "far"),
}


def side_by_side(images: list[Image.Image], labels: tuple[str, ...]) -> Image.Image:
    """One row with a label below each picture."""
    height = round(WIDTH * images[0].height / images[0].width)
    sheet = Image.new("RGB", (len(images) * (WIDTH + GAP) - GAP, height + 26), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(15)
    for index, (image, label) in enumerate(zip(images, labels, strict=True)):
        left = index * (WIDTH + GAP)
        sheet.paste(image.convert("RGB").resize((WIDTH, height), Image.Resampling.LANCZOS), (left, 0))
        draw.text((left + WIDTH / 2, height + 13), label, fill="black", font=font, anchor="mm")
    return sheet


def main() -> None:
    for name in sys.argv[1:] or EXAMPLES:
        files = [examples_folder() / name / file for file in EXAMPLES[name]]
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder, "out.png")
            if run(["fuse", *map(str, files), "-o", str(out)]):
                raise SystemExit(1)
            images = [Image.open(file) for file in (*files, out)]
            side_by_side(images, (*LABELS[name], "tita fuse")).save(TARGET / f"{name}.jpg", quality=88)


if __name__ == "__main__":
    main()
