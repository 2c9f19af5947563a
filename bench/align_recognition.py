"""For bench/align.py and align_cross.py: registered pairs put off by 1 to 20 pixels, and how reliable confidence is."""

from __future__ import annotations

import time
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
from align_cases import FRAME, as_pictures, pairs

from tita_cli.align import align_pictures
from tita_cli.align.geometry import corner_error, translating
from tita_cli.align.placement import Placement

LIMITS = {"mef": 2.0, "mff": 2.0, "mfifb": 2.0, "vifb": 6.0, "msrs": 6.0}
"""Pixels on a 640-pixel-wide frame from which a pair must not be taken for registered."""
BINS = (0.5, 0.9, 0.97, 1.01)
KINDS = ("shift", "rotation", "scale")


def put_off(width: int, height: int, pixels: float, kind: str, rng: np.random.Generator) -> np.ndarray:
    """A motion that displaces the corners by ``pixels`` on a 640-pixel-wide frame: a shift, a rotation or a scale."""
    size, middle = pixels * width / FRAME, ((width - 1) / 2, (height - 1) / 2)
    if kind == "shift":
        way = rng.uniform(0, 2 * np.pi)
        return translating(size * np.cos(way), size * np.sin(way))
    part = size / np.hypot(*middle) * rng.choice([-1.0, 1.0])
    c, s = (np.cos(part), np.sin(part)) if kind == "rotation" else (1.0 + part, 0.0)
    return translating(*middle) @ np.array([[c, -s, 0], [s, c, 0], [0, 0, 1.0]]) @ translating(-middle[0], -middle[1])


def placed(a: np.ndarray, b: np.ndarray) -> tuple[Placement, float]:
    """How ``b`` is placed, and the processor seconds."""
    began = time.thread_time()
    found = align_pictures(as_pictures(a, b), border="fill").placements[1]
    return found, time.thread_time() - began


def recognition(data: Path, names: list[str], limit: int | None, seed: int, draws: int) -> None:
    """Print one line a set: how many pairs are kept as published, moved, or refused after a search in vain; of those
    put off (``draws`` times each) beyond the set's limit, how many are taken for registered."""
    for name in names:
        rng, taken, asked, kept, off_by, seconds = np.random.default_rng(11), 0, 0, [], [], []
        for index, (_, a, b) in enumerate(pairs(data, name, limit, seed)):
            height, width = a.shape[:2]
            own, spent = placed(a, b)
            kept.append(own.accepted and own.model == "none")
            if own.accepted and own.model != "none":
                off_by.append(corner_error(own.matrix, np.eye(3), (width, height)) * FRAME / width)
            seconds.append(spent)
            for kind in (KINDS[(index + k) % 3] for k in range(draws)):
                off = float(np.exp(rng.uniform(0.0, np.log(20.0))))
                motion = put_off(width, height, off, kind, rng)
                moved = cv2.warpPerspective(
                    b, motion, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101
                )
                found, _ = placed(a, moved)
                truth = motion if not own.accepted else motion @ np.linalg.inv(own.matrix)
                apart = corner_error(truth, np.eye(3), (width, height)) * FRAME / width
                if apart > LIMITS[name]:
                    asked += 1
                    taken += found.accepted and found.model == "none"
        print(
            f"recognition {name:6} {len(kept)} as published: kept {sum(kept)}, "
            f"moved {len(off_by)} ({np.median(off_by or [0.0]):.1f} px at the corners), "
            f"refused {len(kept) - sum(kept) - len(off_by)} ({np.median(seconds):.3f} s); "
            f"beyond {LIMITS[name]:.0f} px taken for registered: {taken} of {asked}",
            flush=True,
        )


def reliability(seen: list[tuple[float, bool]]) -> None:
    """Print, by confidence, which share of the accepted pairs is right; ``seen``: confidence, and whether it is."""
    print("\nconfidence   estimates   right")
    for low, high in pairwise(BINS):
        inside = [right for confidence, right in seen if low <= confidence < high]
        share = f"{np.mean(inside):.1%}" if inside else "–"
        print(f"{low:.2f}–{min(high, 1.0):.2f} {len(inside):12} {share:>7}")
