"""Processor time and memory of alignment; bench/align.py --timing prints them."""

from __future__ import annotations

import time
import tracemalloc
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from align_cases import as_pictures, draw, pairs, read

if TYPE_CHECKING:
    from tita_cli.runtime import AnyEngine

ENGINE: dict[str, AnyEngine] = {}


def timing(data: Path) -> None:
    """A 12-megapixel pair, the cost of recognising registered pairs, stacks of 5, 10 and 20 frames."""
    from tita_cli.align import align_pictures

    a, b = (read(path) for path in sorted((data / "photos/bracket_large").iterdir()))
    size = (4240, 2832)
    a, b = (cv2.resize(image, size, interpolation=cv2.INTER_AREA) for image in (a, b))
    turn = draw(np.random.default_rng(1), *size)
    for text, second in (("registered", b), ("displaced", cv2.warpPerspective(b, turn, size, flags=cv2.INTER_CUBIC))):
        pictures = as_pictures(a, second)
        began, clock = time.process_time(), time.perf_counter()
        placed = align_pictures(pictures).placements[1]
        spent, elapsed = time.process_time() - began, time.perf_counter() - clock
        print(f"12 MP pair, {text}: {spent:.2f} processor s, {elapsed:.2f} s, model {placed.model}", flush=True)
    for name in ("vifb", "mef", "mff"):
        known = (recognition_share(a, b) for _, a, b in pairs(data, name))
        shares = sorted(islice((share for share in known if share is not None), 5))
        print(f"share of recognition in a fusion, {name}: median of {len(shares)} {np.median(shares):.1%}", flush=True)
    for count in (5, 10, 20):
        stack_cost(a[:1800, :2700], count)


def recognition_share(a: np.ndarray, b: np.ndarray) -> float | None:
    """Time of recognising a registered pair, relative to its fusion without alignment; None for a pair that is moved or
    refused, after a search of another cost."""
    from tita_cli.align import find_frame
    from tita_cli.api import fuse
    from tita_cli.runtime import load_engine

    engine = ENGINE.setdefault("engine", load_engine("tita-lite", threads=1))
    pictures = as_pictures(a, b)
    found = find_frame(2, pictures.__getitem__).placements[1]
    if not (found.accepted and found.model == "none"):
        return None
    spent = []
    for _ in range(3):
        began = time.process_time()
        fuse(pictures, engine=engine, align="none")
        middle = time.process_time()
        find_frame(2, pictures.__getitem__)
        spent.append((time.process_time() - middle) / (middle - began))
    return min(spent)


def stack_cost(image: np.ndarray, count: int) -> None:
    """Frames that drift by two pixels each, created on request so that only the aligner keeps any."""
    from tita_cli.align import find_frame
    from tita_cli.images.picture import Picture

    making = 0.0

    def frame(index: int) -> Picture:
        nonlocal making
        began = time.process_time()
        pixels = image[2 * index : 2 * index + 1600, 3 * index : 3 * index + 2400].astype(np.float32)
        pixels /= 255  # in place: what making a frame takes is not the aligner's
        making += time.process_time() - began
        return Picture(pixels)

    tracemalloc.start()
    began = time.process_time()
    find_frame(count, frame, reference=count // 2)
    seconds = time.process_time() - began - making
    most = tracemalloc.get_traced_memory()[1] / 2**20
    tracemalloc.stop()
    print(f"stack of {count} frames of 3.8 MP: {seconds:.1f} s, {seconds / count:.2f} s a frame, peak {most:.0f} MiB")
