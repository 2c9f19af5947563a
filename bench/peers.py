"""Time and memory of tita beside other exposure and focus fusion programs, in one run on one machine.

    python bench/peers.py [--sizes 1,12,24] [--frames 10] [--hand-held]

Fuses an exposure bracket and a focus stack, made from a picture of scikit-image, at each size in megapixels: with
``tita fuse`` (from the start of the process to the written file, without alignment, as the others do not align), with
OpenCV's MergeMertens in a process that reads and writes the same files, and with enfuse if it is installed. Seconds are
medians of three rounds, up to nine where they are short, in each of which every program runs once; before them each
runs once uncounted, when Python compiles its modules, as pip does where a package is installed.

With --hand-held, frames are shifted by up to 1 % of the width and turned by up to 0.3°, and programs align first: tita
by itself, OpenCV by AlignMTB, enfuse after align_image_stack of Hugin.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

MERTENS = """
import sys, cv2, numpy as np
images = [cv2.imread(name) for name in sys.argv[2:]]
cv2.imwrite(sys.argv[1], np.clip(cv2.createMergeMertens().process(images) * 255, 0, 255).astype(np.uint8))
"""
MTB = MERTENS.replace("cv2.imwrite", "cv2.createAlignMTB().process(images, images)\ncv2.imwrite")
HUGIN = """
folder=$(mktemp -d) && trap 'rm -r "$folder"' EXIT && out=$1 && shift
align_image_stack -a "$folder/a" "$@" && enfuse -o "$out" "$folder"/a*
"""
ROUNDS, MOST_ROUNDS, ENOUGH = 3, 9, 30.0  # at least, at most, and seconds from which the least will do


def make(folder: Path, megapixels: float, frames: int, hand_held: bool) -> dict[str, list[str]]:
    """Kind → the files of a set: one picture under several exposures, and focused on several upright strips."""
    import cv2
    import numpy as np
    from skimage import data

    picture = data.astronaut()[:, :, ::-1]
    height, width = (round((megapixels * 1e6 * ratio) ** 0.5) for ratio in (2 / 3, 3 / 2))
    value = cv2.resize(picture, (width, height), interpolation=cv2.INTER_CUBIC).astype(np.float32) / 255
    blurred = cv2.GaussianBlur(value, (0, 0), height / 200)
    column = np.arange(width)[None, :, None]
    rng = np.random.default_rng(7)
    files: dict[str, list[str]] = {}
    for i in range(frames):
        gain = 2.0 ** (4 * i / (frames - 1) - 2)
        sharp = (column >= i * width // frames) & (column < (i + 1) * width // frames)
        images = {"exposure": np.clip(value * gain, 0, 1), "focus": np.where(sharp, value, blurred)}
        turn = cv2.getRotationMatrix2D((width / 2, height / 2), rng.uniform(-0.3, 0.3), 1)
        turn[:, 2] += rng.uniform(-0.01, 0.01, 2) * width
        for kind, still in images.items():
            image = cv2.warpAffine(still, turn, (width, height), flags=cv2.INTER_CUBIC) if hand_held else still
            path = folder / f"{kind}-{megapixels:g}-{i:03d}.png"
            cv2.imwrite(str(path), np.clip(image * 255, 0, 255).astype(np.uint8), [cv2.IMWRITE_PNG_COMPRESSION, 1])
            files.setdefault(kind, []).append(str(path))
    return files


class Run(NamedTuple):
    """Seconds from the start to the end of a process, processor seconds, and its peak resident MB."""

    seconds: float
    processor: float
    memory: float


def run(command: Sequence[str], environment: dict[str, str]) -> Run:
    start = time.perf_counter()
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"failed: {' '.join(command)}")
    return Run(time.perf_counter() - start, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1e3)


def compare(programs: dict[str, list[str]], compiled: str) -> dict[str, Run]:
    """Medians of some rounds in which each program runs once, and the largest memory. ``compiled``: a folder for
    Python's compiled modules."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    environment["PYTHONPYCACHEPREFIX"] = compiled
    for command in programs.values():
        run(command, environment)
    runs: dict[str, list[Run]] = {program: [] for program in programs}
    start = time.perf_counter()
    for done in range(MOST_ROUNDS):
        if done >= ROUNDS and time.perf_counter() - start > ENOUGH:
            break
        for program, command in programs.items():
            runs[program].append(run(command, environment))
    return {
        program: Run(
            *(statistics.median(side) for side in list(zip(*found, strict=True))[:2]), max(r.memory for r in found)
        )
        for program, found in runs.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="1,12")
    parser.add_argument("--frames", type=int, default=2)
    parser.add_argument("--hand-held", action="store_true")
    options = parser.parse_args()
    print("| set | MP | program | seconds | processor s | RSS, MB | times as long as tita |")
    print("|---|---:|---|---:|---:|---:|---:|")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for size in map(float, options.sizes.split(",")):
            # In a process of its own, since the measured peak of a child starts at the memory of its parent.
            made = "import sys; sys.path.insert(0, sys.argv[1]); import peers, pathlib, json; "
            made += "print(json.dumps(peers.make(pathlib.Path(sys.argv[2]), *map(json.loads, sys.argv[3:]))))"
            numbers = map(json.dumps, (size, options.frames, options.hand_held))
            command = [sys.executable, "-c", made, str(Path(__file__).parent), name, *numbers]
            sets = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
            for kind, files in sets.items():
                align = "auto" if options.hand_held else "none"
                programs = {
                    "tita": [sys.executable, "-m", "tita_cli", "fuse", *files, "--align", align, "-f", "-o"],
                    "OpenCV MergeMertens": [sys.executable, "-c", MTB if options.hand_held else MERTENS],
                    "enfuse": [shutil.which("enfuse") or "", "-o"],
                }
                if options.hand_held:
                    programs["enfuse"] = ["sh" if shutil.which("align_image_stack") else "", "-c", HUGIN, "sh"]
                for program in [name for name, start in programs.items() if not start[0]]:
                    print(f"| {kind} | {size:g} | {program}: not installed | | | | |")
                    del programs[program]
                for program, start in programs.items():
                    start += [str(folder / "out.png"), *([] if program == "tita" else files)]
                found = compare(programs, f"{name}/compiled")
                for program, one in found.items():
                    times = f"{one.seconds:.2f} | {one.processor:.2f} | {one.memory:.0f}"
                    print(f"| {kind} | {size:g} | {program} | {times} | {one.seconds / found['tita'].seconds:.2f} |")


if __name__ == "__main__":
    main()
