"""Render the pictures of README and gallery: the examples, fused by the shipped model through the command line.

    python docs/pictures.py [infrared bracket focus landsat apartment styles counts peers terminal]

A sheet shows the sources and the result, and below them one place of each, pixel for pixel. ``peers`` shows a place of
what MergeMertens (OpenCV), enfuse, which has to be installed, and tita make of the same aligned files. ``terminal`` is
what commands print. Everything lands in docs/pictures/.

``landsat`` is of the real pair in docs/pictures/landsat: bands 3, 2, 1 and band 4 (near infrared) of Landsat 7 ETM+
over Olinda, Brazil, each stretched from its 0.5th to its 99.5th percentile. NASA and USGS, in the public domain; taken
from ``L7_ETMs.tif`` of the R package stars.

``apartment`` is of the real high dynamic range in docs/pictures/apartment: a part of the panorama ``apartment.exr`` by
Poly Haven (CC0), from the npm package @pmndrs/assets 1.7.0 (CC0), multiplied by 2 to the power of -4.3, -1.3 and 0.7,
clipped at 1, under the curve of sRGB in 8 bits. It was merged from exposures; these are developed from it.
"""

from __future__ import annotations

import os
import pty
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from tita_cli.cli.demo import EXAMPLES, examples_folder
from tita_cli.cli.main import run

TARGET = Path(__file__).parent / "pictures"
GAP, WIDTH = 4, 900
LABELS = {
    "infrared": ("visible", "infrared"),
    "bracket": ("0 EV", "-3 EV", "+3 EV"),
    "focus": ("near", "middle", "far"),
    "landsat": ("visible", "near infrared"),
    "apartment": ("0 EV", "-3 EV", "+2 EV"),
}
STORED = {"landsat": ("visible.png", "infrared.png"), "apartment": ("middle.jpg", "under.jpg", "over.jpg")}
"""Photographs, in folders of docs/pictures."""
PLACES = {
    "infrared": (250, 225), "bracket": (190, 150), "focus": (230, 190), "landsat": (25, 60), "apartment": (140, 22),
}  # fmt: skip
"""Left and upper edge of what is shown pixel for pixel."""
STYLES = ("", "--balance 0.8", "--palette inferno", "--overlay 170")
COUNTS = ("--denoise off", "--denoise auto", "--palette ironbow --scale-bar")
COUNTS_PLACES = ((150, 0), (150, 0), (WIDTH, 0))
COMMANDS = (
    "tita fuse examples/infrared/visible.png examples/infrared/infrared.png -o street.png --explain",
    "tita fuse examples/focus/*.jpg -o table.jpg",
    "tita fuse examples/focus/table1.jpg examples/focus/tabel2.jpg -o sharp.jpg",
    "tita batch examples --dry-run",
)
COLUMNS = 100


def sheet(rows: Sequence[Sequence[Image.Image]], labels: Sequence[str]) -> Image.Image:
    """Rows of pictures of one size each, the names below."""
    heights = [row[0].height for row in rows]
    result = Image.new("RGB", (WIDTH, sum(heights) + GAP * len(rows) + 22), "white")
    draw, font = ImageDraw.Draw(result), ImageFont.load_default(14)
    top = 0
    for row, height in zip(rows, heights, strict=True):
        for index, image in enumerate(row):
            result.paste(image, (index * (row[0].width + GAP), top))
        top += height + GAP
    for index, label in enumerate(labels):
        width = rows[0][0].width
        draw.text((index * (width + GAP) + width / 2, top + 9), label, fill="black", font=font, anchor="mm")
    return result


def crop(image: Image.Image, place: tuple[int, int], width: int) -> Image.Image:
    left, upper = min(place[0], image.width - width), min(place[1], image.height - round(width * 0.7))
    return image.crop((left, upper, left + width, upper + round(width * 0.7)))


def tita(*arguments: str | Path) -> None:
    if run(list(map(str, arguments))):
        raise SystemExit(1)


def example(name: str, folder: Path) -> None:
    """Sources and result, small and pixel for pixel."""
    files = [examples_folder() / name / file for file in EXAMPLES.get(name, ())]
    files = files or [TARGET / name / file for file in STORED[name]]
    out = folder / f"{name}.png"
    tita("fuse", *files, "-o", out, "-q")
    images = [Image.open(file).convert("RGB") for file in (*files, out)]
    width = (WIDTH + GAP) // len(images) - GAP
    small = (width, round(width * images[0].height / images[0].width))
    rows = [
        [image.resize(small, Image.Resampling.LANCZOS) for image in images],
        [crop(image, PLACES[name], width) for image in images],
    ]
    sheet(rows, (*LABELS[name], "tita fuse")).save(TARGET / f"{name}.jpg", quality=90, subsampling=0)


def styles(folder: Path) -> None:
    """The street as the options of thermal users show it."""
    files = [examples_folder() / "infrared" / file for file in EXAMPLES["infrared"]]
    images = []
    for number, option in enumerate(STYLES):
        out = folder / f"{number}.png"
        tita("fuse", *files, "-o", out, "-q", *option.split())
        images.append(Image.open(out).convert("RGB"))
    width = (WIDTH + GAP) // len(images) - GAP
    small = (width, round(width * images[0].height / images[0].width))
    rows = [
        [image.resize(small, Image.Resampling.LANCZOS) for image in images],
        [crop(image, PLACES["infrared"], width) for image in images],
    ]
    sheet(rows, ["tita fuse", *STYLES[1:]]).save(TARGET / "styles.jpg", quality=90, subsampling=0)


def counts(folder: Path) -> None:
    """The street with infrared as counts of 16 bits, to which stripes and grain of a sensor are added."""
    visible, infrared = (examples_folder() / "infrared" / file for file in EXAMPLES["infrared"])
    rng = np.random.default_rng(1)
    values = 7000 + 6 * np.asarray(Image.open(infrared).convert("L"), np.float32)
    values += 1530 * (0.02 * rng.standard_normal(values.shape) + 0.02 * rng.standard_normal(values.shape[1]))
    thermal = folder / "thermal.tif"
    Image.fromarray(values.astype(np.uint16)).save(thermal)
    images = []
    for number, option in enumerate(COUNTS):
        out = folder / f"{number}.png"
        tita("fuse", visible, thermal, "-o", out, "-q", *option.split())
        images.append(Image.open(out).convert("RGB"))
    width = (WIDTH + GAP) // len(images) - GAP
    height = min(round(width * image.height / image.width) for image in images)
    rows = [
        [image.resize((width, height), Image.Resampling.LANCZOS) for image in images],
        [crop(image, left, width) for image, left in zip(images, COUNTS_PLACES, strict=True)],
    ]
    sheet(rows, COUNTS).save(TARGET / "counts.jpg", quality=90, subsampling=0)


def peers(folder: Path) -> None:
    """One place of the bracket and of the focus stack as three programs fuse the same aligned files."""
    rows = []
    for name in ("bracket", "focus"):
        aligned = folder / f"{name}-aligned"
        tita("align", *(examples_folder() / name / file for file in EXAMPLES[name]), "-o", aligned, "-q")
        files = [aligned / f"{number}-{Path(file).stem}.png" for number, file in enumerate(EXAMPLES[name], start=1)]
        made = [folder / f"{name}-{who}.png" for who in ("mertens", "enfuse", "tita")]
        fused = cv2.createMergeMertens().process([cv2.imread(str(file)) for file in files])
        cv2.imwrite(str(made[0]), np.clip(fused * 255, 0, 255).astype(np.uint8))
        # As enfuse's manual has it for focus stacks: only local contrast decides, and the best pixel wins.
        focus = ["--exposure-weight=0", "--saturation-weight=0", "--contrast-weight=1", "--hard-mask"]
        subprocess.run(["enfuse", "-o", made[1], *(focus if name == "focus" else []), *files], check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip
        tita("fuse", *files, "--align", "none", "-o", made[2], "-q")
        rows.append([crop(Image.open(file).convert("RGB"), PLACES[name], 297) for file in made])
    sheet(rows, ("MergeMertens (OpenCV)", "enfuse", "tita fuse")).save(TARGET / "peers.jpg", quality=90, subsampling=0)


def printed(command: str, folder: Path) -> str:
    """What a command prints on a terminal of COLUMNS columns."""
    ours, theirs = pty.openpty()
    environment = os.environ | {
        "TERM": "xterm" if "-run" in command else "dumb",
        "COLUMNS": str(COLUMNS),
        "PYTHONPATH": str(Path.cwd()),
    }
    line = command.replace("tita ", f"{sys.executable} -m tita_cli ", 1)
    process = subprocess.Popen(line, shell=True, cwd=folder, stdout=theirs, stderr=theirs, env=environment)
    os.close(theirs)
    said = b""
    while True:
        try:
            part = os.read(ours, 4096)
        except OSError:  # how a terminal says that nobody is at its other end
            break
        if not part:
            break
        said += part
    process.wait()
    os.close(ours)
    return said.decode().replace("\r\n", "\n").rstrip()


def terminal(folder: Path) -> None:
    from rich._export_format import CONSOLE_SVG_FORMAT
    from rich.console import Console
    from rich.text import Text

    for name in EXAMPLES:
        shutil.copytree(examples_folder() / name, folder / "examples" / name)
    console = Console(record=True, width=COLUMNS, file=open(os.devnull, "w"))  # noqa: SIM115, PTH123
    for command in COMMANDS:
        console.print(Text("$ ", style="bold green") + Text(command, style="bold"))
        console.print(Text.from_ansi(printed(command, folder)), end="\n\n")
    plain = re.sub(r"@font-face \{\{.*?\}\}\s*", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)  # it loads nothing
    console.save_svg(str(TARGET / "terminal.svg"), title="tita", code_format=plain.replace("Fira Code, ", ""))


def main() -> None:
    for name in sys.argv[1:] or (*LABELS, "styles", "counts", "peers", "terminal"):
        with tempfile.TemporaryDirectory() as folder:
            if name in LABELS:
                example(name, Path(folder))
            else:
                {"styles": styles, "counts": counts, "peers": peers, "terminal": terminal}[name](Path(folder))


if __name__ == "__main__":
    main()
