"""Frames that are turned by quarter turns or mirrored against the reference: starts for a trial, and their names."""

from __future__ import annotations

import numpy as np

from tita_cli.align.geometry import Matrix, Size, normalized, resizing

_LINEAR: tuple[tuple[int, int, int, int], ...] = (
    (0, -1, 1, 0), (-1, 0, 0, -1), (0, 1, -1, 0),  # quarter turns
    (-1, 0, 0, 1), (1, 0, 0, -1), (0, 1, 1, 0), (0, -1, -1, 0),  # and mirrored
)  # fmt: skip

_TURNS = ("", "turned by 90° clockwise", "turned by 180°", "turned by 90° counter-clockwise")


def turned_starts(source: Size, reference: Size) -> list[Matrix]:
    """A source of one size laid over a reference of another corner to corner, in each other orientation: matrices."""
    starts = []
    for a, b, c, d in _LINEAR:
        size = source if a else (source[1], source[0])
        x, y = (0 if p + q > 0 else side - 1 for p, q, side in ((a, b, size[0]), (c, d, size[1])))
        turn = np.array([[a, b, x], [c, d, y], [0, 0, 1]], dtype=np.float64)
        starts.append(normalized(resizing(size, reference) @ turn))
    return starts


def turned_by(matrix: Matrix) -> str | None:
    """How a source is turned that ``matrix`` (source → reference) puts right, in words; None where that is by less than
    an eighth of a turn. A mirrored one is turned after that."""
    linear = np.linalg.inv(matrix)[:2, :2]
    mirrored = bool(np.linalg.det(linear) < 0.0)
    if mirrored:
        linear = linear @ np.diag([-1.0, 1.0])
    angle = np.rad2deg(np.arctan2(linear[1, 0] - linear[0, 1], linear[0, 0] + linear[1, 1]))
    turn = _TURNS[round(float(angle) / 90.0) % 4]
    words = [word for word in ("mirrored" if mirrored else "", turn) if word]
    return " and ".join(words) or None
