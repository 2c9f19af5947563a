"""How often infrared that a palette has coloured is recognised, and how often a photograph is taken for it.

    python bench/palettes.py [--infrared | --photographs] [--sets vifb,msrs,tno] [--palettes ironblack,iron,…]
                             [--unnamed] [--list]

Infrared of the dev sets is spread over its range (plain), or equalised over the whole picture or in tiles (CLAHE), as
cameras do; coloured by each palette; stored as PNG and as JPEG with halved chroma. Prints how many pictures are known
with certainty, possibly ("may be"), taken for another palette, or missed; a palette that differs from the right one by
its shade or range alone (their colours are 25 of 255 apart in the mean at most) counts as right. Hot is certain
only where something else says that it is infrared, as it does here unless ``--unnamed``. Of photographs, all coloured
ones of the dev and training sets, it prints those that are taken for coloured infrared.
"""

from __future__ import annotations

import argparse
import io
import sys
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).parent))
from dev_sets import SHARED, Pixels

from tita_cli import Picture, read_picture
from tita_cli.errors import TitaError
from tita_cli.images.false_color import recognise_palette
from tita_cli.images.palettes import palettes

QUALITIES = (None, 95, 75)
SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".tif"}
THERMAL = ("radiometric", "ir")
"""Folders that hold infrared."""


def spread(grey: Pixels, how: str) -> Pixels:
    """Infrared as a camera may show it: ``how`` is plain, equalised or CLAHE."""
    if how == "equalised":
        return np.asarray(cv2.equalizeHist(grey))
    if how == "CLAHE":
        return np.asarray(cv2.createCLAHE(4.0, (8, 8)).apply(grey))
    low, high = np.percentile(grey, (0.5, 99.5))
    return np.clip(np.rint((grey - low) * (255 / max(high - low, 1))), 0, 255).astype(np.uint8)


def stored(colors: Pixels, quality: int | None) -> Picture:
    """H×W×3 as it is read back from JPEG of this quality, with halved chroma; None: without loss."""
    if quality is not None:
        file = io.BytesIO()
        Image.fromarray(colors).save(file, "JPEG", quality=quality, subsampling=2)
        colors = np.asarray(Image.open(file))
    return Picture(colors.astype(np.float32) / np.float32(255))


def alike(one: str, other: str) -> bool:
    return float(np.abs(palettes()[one] - palettes()[other]).mean()) <= 25


def report_infrared(sets: list[str], names: list[str], *, named: bool, listed: bool) -> None:
    pictures = {
        f"{name}/{path.stem}": np.asarray(cv2.imread(str(path), cv2.IMREAD_GRAYSCALE))
        for name in sets
        for path in sorted((SHARED / "data/dev/ivf" / name / "ir").iterdir())
    }
    print(f"{'of ' + str(len(pictures)):20}{'':10}{'stored':10}certain  may be  other  missed")
    for palette in names:
        table = np.rint(palettes()[palette]).astype(np.uint8)
        for how in ("plain", "equalised", "CLAHE"):
            for quality in QUALITIES:
                kinds: Counter[str] = Counter()
                missed = []
                for name, grey in pictures.items():
                    found = recognise_palette(stored(table[spread(grey, how)], quality), infrared=named)
                    right = found is not None and alike(found.name, palette)
                    kind = (
                        "missed" if found is None else "other" if not right else "certain" if found.certain else "may"
                    )
                    kinds[kind] += 1
                    if kind in ("missed", "other"):
                        missed.append(name if found is None else f"{name} ({found.name})")
                counts = "".join(f"{kinds[kind]:8}" for kind in ("certain", "may", "other", "missed"))
                file = "PNG" if quality is None else f"JPEG {quality}"
                print(f"{palette:20}{how:10}{file:8}{counts}", flush=True)
                if listed and missed:
                    print(f"    {', '.join(missed)}")


def report_photographs() -> None:
    data = SHARED / "data"
    found, unread, count = [], [], 0
    for path in sorted(p for p in data.rglob("*") if p.suffix.lower() in SUFFIXES):
        if any(part in THERMAL for part in path.relative_to(data).parts):
            continue
        try:
            picture = read_picture(path)
        except TitaError as error:
            unread.append(f"{path.relative_to(data)}: {error.message}")
            continue
        if not picture.is_color:
            continue
        count += 1
        palette = recognise_palette(picture)
        if palette is not None:
            found.append(f"{path.relative_to(data)}: {'is' if palette.certain else 'may be'} {palette.name}")
    print(f"{count} coloured photographs, {len(found)} taken for coloured infrared")
    print("".join(f"    {line}\n" for line in found), end="")
    print(f"{len(unread)} files were not read" + "".join(f"\n    {line}" for line in unread))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--infrared", action="store_true", help="infrared only")
    parser.add_argument("--photographs", action="store_true", help="photographs only")
    parser.add_argument("--sets", default="vifb,msrs,tno")
    parser.add_argument("--palettes", default=",".join(palettes()))
    parser.add_argument("--unnamed", action="store_true", help="no name says that it is infrared")
    parser.add_argument("--list", action="store_true", help="name what is missed")
    options = parser.parse_args()
    if not options.photographs:
        sets, names = options.sets.split(","), options.palettes.split(",")
        report_infrared(sets, names, named=not options.unnamed, listed=options.list)
    if not options.infrared:
        report_photographs()


if __name__ == "__main__":
    main()
