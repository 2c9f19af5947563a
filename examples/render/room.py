"""A room whose only light comes through a window: no single exposure holds both it and what is outside."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from raycast import (
    Box,
    Camera,
    Cylinder,
    Ellipsoid,
    Light,
    Material,
    Rectangle,
    Shape,
    Surface,
    camera_curve,
    noise,
    plain,
    render,
)

SIZE = (480, 360)
STOPS = (-3.0, 0.0, 3.0)
SECONDS = (1 / 250, 1 / 30, 1 / 4)
_SHIFTS = ((2.6, -1.8), (0.0, 0.0), (-3.3, 2.2))
"""Pixels by which the hand moved between the frames."""
_SPARE = 8  # pixels rendered around the frame, to move within


def _outside() -> Material:
    """Sky with clouds above hills and a field, as a picture behind the window that shines by itself."""
    cloud, wood, field = noise(21), noise(22), noise(23)

    def at(points: Any, uv: Any) -> Surface:
        x, y = uv[:, 0], uv[:, 1]
        mist = np.clip((cloud(np.stack([x * 0.6, y * 1.4], 1)) - 0.45) * 3.2, 0, 1)[:, None]
        sky = np.float32([0.30, 0.55, 1.0]) * (1.25 - 0.6 * y[:, None]) * (1 - mist) + 1.55 * mist
        far = y < 0.50 + 0.07 * np.sin(5 * x + 0.6) + 0.025 * np.sin(17 * x)
        near = y < 0.40 + 0.04 * np.sin(7 * x + 2) + 0.030 * (wood(np.stack([x * 6, 0 * x], 1)) - 0.5)
        meadow = y < 0.33 - 0.03 * x
        hill = np.float32([0.20, 0.32, 0.36]) * (0.8 + 0.5 * wood(uv * 5))[:, None]
        trees = np.float32([0.05, 0.12, 0.035]) * (0.2 + 2.0 * wood(uv * 9))[:, None]
        grass = np.float32([0.30, 0.42, 0.10]) * (0.5 + field(uv * np.float32([7, 16])))[:, None]
        light = np.where(far[:, None], hill, sky)
        light = np.where(meadow[:, None], grass, np.where(near[:, None], trees, light))
        return Surface(0.0, 3.2 * light)

    return at


def _planks() -> Material:
    grain = noise(31)

    def at(points: Any, uv: Any) -> Surface:
        row = np.floor(points[:, 0] / 0.16)
        streak = grain(np.stack([points[:, 0] * 3.1 + row * 0.37, points[:, 2] * 0.35 + row * 0.71], 1))
        gap = ((points[:, 0] / 0.16) % 1 < 0.03) | (((points[:, 2] + row * 0.53) / 1.4) % 1 < 0.004)
        return Surface(np.float32([0.42, 0.26, 0.14]) * (np.where(gap, 0.15, 0.45 + 0.9 * streak))[:, None])

    return at


def _rug() -> Material:
    weave = noise(33)

    def at(points: Any, uv: Any) -> Surface:
        edge = np.minimum(np.minimum(uv[:, 0], 1 - uv[:, 0]) * 1.6, np.minimum(uv[:, 1], 1 - uv[:, 1]))
        diamond = (np.abs((uv[:, 0] * 8) % 1 - 0.5) + np.abs((uv[:, 1] * 5) % 1 - 0.5)) % 0.5 < 0.22
        red, blue, cream = np.float32([[0.40, 0.07, 0.06], [0.06, 0.10, 0.26], [0.62, 0.55, 0.42]])
        color = np.where(diamond[:, None], red, blue)
        color = np.where(((edge > 0.05) & (edge < 0.09))[:, None], cream, color)
        return Surface(color * (0.55 + 0.8 * weave(uv * 11))[:, None])

    return at


def _plaster(color: tuple[float, float, float], seed: int) -> Material:
    rough = noise(seed)
    return lambda points, uv: Surface(np.float32(color) * (0.80 + 0.35 * rough(points[:, :2] + points[:, 1:]))[:, None])


def _wood(color: tuple[float, float, float]) -> Material:
    grain = noise(41)
    return lambda points, uv: Surface(np.float32(color) * (0.5 + grain(uv * np.float32([0.5, 6])))[:, None])


def _books(x: float, y: float, z: float, count: int, seed: int) -> list[Shape]:
    rng = np.random.default_rng(seed)
    found: list[Shape] = []
    for _ in range(count):
        width, height = rng.uniform(0.03, 0.065), rng.uniform(0.20, 0.30)
        color = np.float32([[0.45, 0.09, 0.07], [0.08, 0.18, 0.32], [0.10, 0.26, 0.14], [0.6, 0.5, 0.3]])[
            rng.integers(4)
        ]
        found.append(Box(plain(color * rng.uniform(0.6, 1.2)), (x, y, z), (x + width, y + height, z + 0.22)))
        x += width + 0.003
    return found


def _painting() -> Material:
    stroke = noise(51)

    def at(points: Any, uv: Any) -> Surface:
        frame = (np.abs(uv - 0.5) > 0.44).any(1)
        warm = stroke(uv * np.float32([0.7, 1.6]))[:, None]
        canvas = np.float32([0.75, 0.42, 0.14]) * warm + np.float32([0.06, 0.16, 0.30]) * (1 - warm)
        return Surface(
            np.where(frame[:, None], np.float32([0.16, 0.09, 0.04]), canvas * np.where(uv[:, 1:] < 0.4, 0.5, 1))
        )

    return at


def shapes() -> list[Shape]:
    wall, frame, oak = _plaster((0.66, 0.62, 0.54), 61), plain((0.72, 0.70, 0.66)), _wood((0.34, 0.20, 0.10))
    glaze, brass, fern = plain((0.12, 0.28, 0.36)), plain((0.50, 0.36, 0.12)), plain((0.06, 0.16, 0.04))
    leaves = [
        Ellipsoid(fern, (0.42 + 0.16 * np.sin(a), 1.14 + 0.05 * (i % 3), 3.30 + 0.12 * np.cos(a)), (0.05, 0.13, 0.03))
        for i, a in enumerate(np.linspace(0, 6, 9))
    ]
    return [
        Rectangle(_planks(), (-2.6, 0, -1), (5.2, 0, 0), (0, 0, 5)),
        Rectangle(plain((0.72, 0.72, 0.70)), (-2.6, 2.7, -1), (5.2, 0, 0), (0, 0, 5)),
        Rectangle(wall, (-2.6, 0, -1), (0, 0, 5), (0, 2.7, 0)), Rectangle(wall, (2.6, 0, -1), (0, 0, 5), (0, 2.7, 0)),
        Box(wall, (-2.6, 0, 4.0), (2.6, 0.9, 4.25)), Box(wall, (-2.6, 2.3, 4.0), (2.6, 2.7, 4.25)),
        Box(wall, (-2.6, 0.9, 4.0), (-0.75, 2.3, 4.25)), Box(wall, (1.15, 0.9, 4.0), (2.6, 2.3, 4.25)),
        Rectangle(_outside(), (-6, -2.2, 9), (13, 0, 0), (0, 8, 0)),
        Box(frame, (0.16, 0.9, 4.08), (0.23, 2.3, 4.14)), Box(frame, (-0.75, 1.72, 4.08), (1.15, 1.77, 4.14)),
        Box(frame, (-0.80, 0.84, 3.86), (1.20, 0.90, 4.1)),
        Rectangle(_rug(), (-1.5, 0.006, 0.9), (2.7, 0, 0), (0, 0, 1.7)),
        Box(oak, (0.0, 0.70, 2.95), (1.9, 0.75, 3.75)),
        *(Box(oak, (x, 0, z), (x + 0.07, 0.70, z + 0.07)) for x in (0.05, 1.78) for z in (3.0, 3.62)),
        Cylinder(glaze, (0.42, 0.75, 3.30), 0.11, 0.28), *leaves,
        *_books(1.05, 0.75, 3.40, 9, 4), Box(plain((0.7, 0.66, 0.55)), (0.72, 0.75, 3.05), (0.98, 0.79, 3.28), 14),
        Ellipsoid(brass, (1.62, 0.86, 3.15), (0.11, 0.11, 0.11)),
        Box(oak, (-2.58, 0, 2.3), (-2.22, 1.9, 3.6)),
        *(b for y in (0.45, 0.95, 1.42) for b in _shelf(y)),
        Rectangle(_painting(), (-2.05, 1.2, 3.99), (0.95, 0, 0), (0, 0.75, 0)),
        Box(plain((0.15, 0.20, 0.17)), (-1.9, 0.16, 2.7), (-1.1, 0.46, 3.5), 20),
        Box(plain((0.17, 0.23, 0.19)), (-1.95, 0.44, 3.3), (-1.05, 1.0, 3.5), 20),
        Ellipsoid(plain((0.55, 0.33, 0.07)), (-0.42, 0.09, 1.75), (0.09,) * 3),
        Ellipsoid(plain((0.55, 0.33, 0.07)), (-0.22, 0.09, 1.85), (0.09,) * 3),
    ]  # fmt: skip


def _shelf(y: float) -> list[Shape]:
    rng = np.random.default_rng(int(100 * y))
    return [
        Box(plain(rng.uniform(0.05, 0.5, 3)), (-2.25, y, z), (-2.05, y + rng.uniform(0.2, 0.3), z + 0.10))
        for z in np.arange(2.36, 3.5, 0.11)
    ]


def sources(scale: float = 1.0) -> list[npt.NDArray[np.uint8]]:
    """The frames at :data:`STOPS`, H×W×3, each a few pixels off the others."""
    width, height = int(SIZE[0] * scale), int(SIZE[1] * scale)
    spare = _SPARE * 2
    lights = [Light((x, 1.65, 4.35), 0.16, (0.83, 0.93, 1.15)) for x in (-0.4, 0.2, 0.8)]
    lights.append(Light((0.2, 1.0, 1.2), 0.5, (0.05, 0.05, 0.05)))
    view = render(
        shapes(), lights, Camera((-0.25, 1.45, -0.75), (0.02, 1.15, 3.2), 62), (width + spare, height + spare),
        ambient=(0.034, 0.033, 0.034), samples=25, seed=3,
    )  # fmt: skip
    frames = []
    for index, (stops, (dx, dy)) in enumerate(zip(STOPS, _SHIFTS, strict=True)):
        moved = cv2.warpAffine(
            view.light, np.float32([[1, 0, dx * scale], [0, 1, dy * scale]]), view.light.shape[1::-1]
        )
        cut = moved[_SPARE : _SPARE + height, _SPARE : _SPARE + width]
        frames.append(camera_curve(cut, stops=stops, read=0.003, shot=0.008, seed=index))
    return frames
