"""Time and memory of tita beside other exposure and focus fusion programs, in one run on one machine.

    python bench/peers.py [--sizes 1,12]

Fuses an exposure pair and a focus pair, made from a picture of scikit-image, at each size in megapixels: with ``tita
fuse`` (from the start of the process to the written file, without alignment, as the others do not align), with OpenCV's
MergeMertens in a process that reads and writes the same files, and with enfuse if it is installed.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

MERTENS = """
import sys, cv2, numpy as np
images = [cv2.imread(name) for name in sys.argv[2:]]
cv2.imwrite(sys.argv[1], np.clip(cv2.createMergeMertens().process(images) * 255, 0, 255).astype(np.uint8))
"""
ROUNDS = 3


def make(folder: Path, megapixels: float) -> dict[str, list[str]]:
    """Kind → the files of a pair: one picture under- and over-exposed, and focused left and right."""
    import cv2
    import numpy as np
    from skimage import data

    picture = data.astronaut()[:, :, ::-1]
    height, width = (round((megapixels * 1e6 * ratio) ** 0.5) for ratio in (2 / 3, 3 / 2))
    picture = cv2.resize(picture, (width, height), interpolation=cv2.INTER_CUBIC)
    value = picture.astype(np.float32) / 255
    blurred = cv2.GaussianBlur(value, (0, 0), height / 200)
    left = (np.arange(width) < width // 2)[None, :, None]
    pairs = {
        "exposure": (np.clip(value * 2, 0, 1), value**2),
        "focus": (np.where(left, value, blurred), np.where(left, blurred, value)),
    }
    files: dict[str, list[str]] = {}
    for kind, images in pairs.items():
        for i, image in enumerate(images):
            path = folder / f"{kind}-{megapixels:g}-{i}.png"
            cv2.imwrite(str(path), (image * 255).astype(np.uint8), [cv2.IMWRITE_PNG_COMPRESSION, 1])
            files.setdefault(kind, []).append(str(path))
    return files


def run(command: Sequence[str]) -> tuple[float, float]:
    """Seconds and peak resident MB of the best of some runs."""
    best, memory = float("inf"), 0.0
    for _ in range(ROUNDS):
        start = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        if status:
            raise SystemExit(f"failed: {' '.join(command)}")
        best = min(best, time.perf_counter() - start)
        memory = max(memory, usage.ru_maxrss / 1e3)
    return best, memory


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="1,12")
    options = parser.parse_args()
    print("| pair | MP | program | seconds | RSS, MB | times as long as tita |")
    print("|---|---:|---|---:|---:|---:|")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for size in map(float, options.sizes.split(",")):
            # In a process of its own, since the measured peak of a child starts at the memory of its parent.
            made = "import sys; sys.path.insert(0, sys.argv[1]); import peers, pathlib, json; "
            made += "print(json.dumps(peers.make(pathlib.Path(sys.argv[2]), float(sys.argv[3]))))"
            command = [sys.executable, "-c", made, str(Path(__file__).parent), name, str(size)]
            pairs = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
            for kind, files in pairs.items():
                programs = {
                    "tita": [sys.executable, "-m", "tita_cli", "fuse", *files, "--align", "none", "-f", "-o"],
                    "OpenCV MergeMertens": [sys.executable, "-c", MERTENS],
                    "enfuse": [shutil.which("enfuse") or "", "-o"],
                }
                ours = 0.0
                for program, start in programs.items():
                    if not start[0]:
                        print(f"| {kind} | {size:g} | {program}: not installed | | | |")
                        continue
                    rest = [str(folder / "out.png")] + ([] if program == "tita" else files)
                    seconds, memory = run([*start, *rest])
                    ours = ours or seconds
                    print(f"| {kind} | {size:g} | {program} | {seconds:.2f} | {memory:.0f} | {seconds / ours:.2f} |")


if __name__ == "__main__":
    main()
