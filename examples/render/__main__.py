"""Render the example pictures: python examples/render [FOLDER [SCALE]]

What stands in examples/ was made by this script; nothing in it is a photograph, and all of it is public domain (CC0).
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import room
import street
import table
from PIL import Image, TiffImagePlugin

NAMES = {"bracket": ("under", "middle", "over"), "focus": ("table1", "table2", "table3")}


def exif(seconds: float, number: int) -> Image.Exif:
    """What a camera says of a frame: one burst, each frame with its exposure time."""
    tags = Image.Exif()
    tags[0x0110], tags[0x0132] = "examples/render", f"2025:06:01 12:00:0{number}"
    shot = tags.get_ifd(0x8769)
    shot[0x829A], shot[0x829D] = TiffImagePlugin.IFDRational(1, round(1 / seconds)), TiffImagePlugin.IFDRational(56, 10)
    shot[0x8827], shot[0x9003] = 100, tags[0x0132]
    return tags


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[1]
    scale = float(sys.argv[2]) if len(sys.argv) > 2 else 1.0
    wanted = sys.argv[3:] or ["infrared", "bracket", "focus"]

    def save(image: Any, name: str, **how: Any) -> None:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.asarray(image)).save(path, **how)

    if "infrared" in wanted:
        for name, image in street.sources(scale).items():
            save(image, f"infrared/{name}.png", optimize=True)
    if "bracket" in wanted:
        for number, image in enumerate(room.sources(scale)):
            tags = exif(room.SECONDS[number], number)
            save(image, f"bracket/{NAMES['bracket'][number]}.jpg", quality=92, subsampling=0, exif=tags)
    if "focus" in wanted:
        for number, image in enumerate(table.sources(scale)):
            save(image, f"focus/{NAMES['focus'][number]}.jpg", quality=92, subsampling=0)


if __name__ == "__main__":
    main()
