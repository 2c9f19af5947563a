"""For bench/align.py: registered pairs put off by 1 to 20 pixels, and how reliable the confidence is."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
from align_cases import FRAME, as_pictures, pairs, synthetic

from tita_cli.align import align_pictures
from tita_cli.align.geometry import corner_error, translating
from tita_cli.align.placement import Placement

LIMITS = {"mef": 2.0, "mff": 2.0, "mfifb": 2.0, "vifb": 6.0, "msrs": 6.0}
"""Pixels on a 640-pixel-wide frame from which a pair must not be taken for registered."""
BINS = (0.5, 0.7, 0.9, 0.97, 1.01)


def put_off(width: int, height: int, pixels: float, kind: str, rng: np.random.Generator) -> np.ndarray:
    """A motion that displaces the corners by ``pixels`` on a 640-pixel-wide frame: a shift, a rotation or a scale."""
    size, middle = pixels * width / FRAME, ((width - 1) / 2, (height - 1) / 2)
    if kind == "shift":
        way = rng.uniform(0, 2 * np.pi)
        return translating(size * np.cos(way), size * np.sin(way))
    part = size / np.hypot(*middle) * rng.choice([-1.0, 1.0])
    c, s = (np.cos(part), np.sin(part)) if kind == "rotation" else (1.0 + part, 0.0)
    return translating(*middle) @ np.array([[c, -s, 0], [s, c, 0], [0, 0, 1.0]]) @ translating(-middle[0], -middle[1])


def placed(a: np.ndarray, b: np.ndarray, *, mode: str = "auto") -> tuple[Placement, float]:
    """How ``b`` is placed, and the processor seconds."""
    began = time.thread_time()
    found = align_pictures(as_pictures(a, b), mode=mode, border="fill").placements[1]
    return found, time.thread_time() - began


def _pairs(data: Path, name: str, limit: int | None) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    for index, (stem, a, b) in enumerate(pairs(data, name)):
        if limit is not None and index >= limit:
            return
        if a.shape == b.shape:
            yield stem, a, b


def recognition(data: Path, names: list[str], limit: int | None) -> None:
    """Print one line a set: how many of the pairs that are put off are taken for registered, beyond the set's limit."""
    for name in names:
        rng, taken, asked, kept, seconds = np.random.default_rng(11), 0, 0, [], []
        for _, a, b in _pairs(data, name, limit):
            height, width = a.shape[:2]
            own, spent = placed(a, b)
            kept.append(own.accepted and own.model == "none")
            seconds.append(spent)
            for kind in ("shift", "rotation", "scale"):
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
            f"recognition {name:6} as published, kept {np.mean(kept):.1%} ({np.median(seconds):.3f} s); "
            f"beyond {LIMITS[name]:.0f} px taken for registered: {taken} of {asked}",
            flush=True,
        )


def reliability(data: Path, names: list[str], limit: int | None, draws: int) -> None:
    """Print, by confidence, which share of the accepted pairs is right: under synthetic homographies, against the
    pair's own undisturbed estimate, within 5 pixels (8 between modalities) on a 640-pixel-wide frame."""
    rows: list[tuple[float, bool]] = []
    for name in names:
        right_below = 5.0 if LIMITS[name] < 5.0 else 8.0
        for index, (stem, a, b) in enumerate(_pairs(data, name, limit)):
            own, _ = placed(a, b, mode="homography")
            for k in range(draws if own.accepted else 0):
                case = synthetic(stem, a, b, np.random.default_rng([31, index, k]))
                found, _ = placed(case.reference, case.source)
                if found.accepted and case.disturbance is not None:
                    truth = case.disturbance[0] @ own.matrix @ np.linalg.inv(case.disturbance[1])
                    error = corner_error(found.matrix, truth, found.size) * FRAME / found.size[0]
                    rows.append((found.confidence, error < right_below))
    confidence, right = np.array([row[0] for row in rows]), np.array([row[1] for row in rows])
    for low, high in pairwise(BINS):
        inside = (confidence >= low) & (confidence < high)
        if inside.any():
            print(f"confidence {low:.2f} to {min(high, 1.0):.2f}: {inside.sum():4}, {right[inside].mean():.1%} right")
