"""Synthetic stacks for bench/align.py: focus breathing, drift, shake, defocus and noise whose truth is known."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from align_cases import FRAME, read

from tita_cli.align import find_frame
from tita_cli.align.geometry import corner_error, translating
from tita_cli.images.picture import Picture

BLURS = (0.0, 1.0, 2.0, 3.0, 4.5, 6.0)
"""Standard deviations, in pixels, between which defocus is interpolated."""
MARGIN = 0.14  # of the width: what drift and shake may bring into view


def frames(plane: np.ndarray, count: int, rng: np.random.Generator) -> tuple[list[Picture], list[np.ndarray]]:
    """``count`` frames of a sharp H×W luminance, and the matrices from it to each.

    The scene recedes from its bottom to its top, and the focus goes through it. Per frame: scale 0.1 to 0.3 %, drift of
    0.5 to 2.5 pixels, shake of half a pixel and 0.1 degrees, noise of 2 grey levels.
    """
    height, width = plane.shape
    depth = np.linspace(1.0, 0.0, height)[:, None] + 0.15 * np.sin(np.arange(width) * 9.0 / width)[None]
    levels = np.stack([plane, *(cv2.GaussianBlur(plane, (0, 0), blur) for blur in BLURS[1:])])
    y, x = np.mgrid[:height, :width]
    breathing, way = rng.uniform(0.001, 0.003), rng.uniform(0, 2 * np.pi)
    drift = rng.uniform(0.5, 2.5) * np.array([np.cos(way), np.sin(way)])
    centre, border = np.array([(width - 1) / 2, (height - 1) / 2]), round(MARGIN * width)
    size = width - 2 * border, height - 2 * border
    pictures, matrices = [], []
    for index in range(count):
        blur = np.clip(np.abs(np.clip(depth, 0, 1) - index / (count - 1)) * 6.0, 0, BLURS[-1])
        level = np.interp(blur, BLURS, np.arange(len(BLURS)))
        low = np.clip(level.astype(int), 0, len(BLURS) - 2)
        part = (level - low).astype(np.float32)
        image = levels[low, y, x] * (1 - part) + levels[low + 1, y, x] * part
        scale, turn = 1.0 + breathing * index, np.deg2rad(0.1 * rng.normal())
        c, s = scale * np.cos(turn), scale * np.sin(turn)
        to = centre + drift * (index - (count - 1) / 2) + rng.normal(0.0, 0.5, 2)
        motion = translating(*to) @ np.array([[c, -s, 0], [s, c, 0], [0, 0, 1.0]]) @ translating(*-centre)
        matrix = translating(-border, -border) @ motion
        seen = cv2.warpPerspective(image, matrix, size, flags=cv2.INTER_CUBIC)
        seen = np.clip(seen + rng.normal(0.0, 2 / 255, seen.shape), 0, 1)
        pictures.append(Picture((np.round(seen * 255) / 255).astype(np.float32)[..., None], name=f"frame_{index}"))
        matrices.append(matrix)
    return pictures, matrices


def stack_errors(pictures: list[Picture], matrices: list[np.ndarray]) -> tuple[np.ndarray, int]:
    """Corner error of every aligned frame on a 640-pixel-wide frame, and how many were left out."""
    frame = find_frame(len(pictures), pictures.__getitem__, reference=None)
    base, width = matrices[frame.reference], pictures[0].width
    errors = [
        corner_error(one.matrix, base @ np.linalg.inv(matrix), one.size) * FRAME / width
        for one, matrix in zip(frame.placements, matrices, strict=True)
        if one.accepted
    ]
    return np.array(errors), len(pictures) - len(errors)


def stacks(data: Path, limit: int | None) -> None:
    """Print one line a stack: sharp halves of mff/mfifb's synthetic pairs, with 10, 20 and 30 frames."""
    folders = sorted(folder for folder in (data / "mff/mfifb").iterdir() if folder.name.startswith(("tsai", "aymaz")))
    for number, folder in enumerate(folders[: limit or 6]):
        a, b = (cv2.cvtColor(read(path), cv2.COLOR_RGB2GRAY) for path in sorted(folder.iterdir())[:2])
        sharper = cv2.GaussianBlur(np.abs(cv2.Laplacian(np.float32(a), 5)), (0, 0), 6) > cv2.GaussianBlur(
            np.abs(cv2.Laplacian(np.float32(b), 5)), (0, 0), 6
        )
        plane = np.where(sharper, a, b).astype(np.float32) / 255
        pictures, matrices = frames(plane, (10, 20, 30)[number % 3], np.random.default_rng([7, number]))
        errors, left_out = stack_errors(pictures, matrices)
        print(
            f"stack {folder.name:10} {len(pictures)} frames: median {np.median(errors):.2f}, "
            f"worst {errors.max():.2f} px, left out {left_out}",
            flush=True,
        )
