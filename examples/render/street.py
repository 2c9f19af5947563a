"""A street at night, from a camera for visible light and a thermal one: people stand where no lamp reaches."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont
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
    texture,
)

SIZE = (640, 480)
_SKIN, _CLOTHES = 0.93, 0.80


def _house(seed: int, color: tuple[float, float, float], lit: float) -> Material:
    """Brick, with windows of which some are lit: those are warm, and bright to the eye."""
    grain, rng = noise(seed), np.random.default_rng(seed)
    lamps = rng.random((16, 16)) < lit

    def at(points: Any, uv: Any) -> Surface:
        x, y = uv[:, 0] / 1.9, uv[:, 1] / 2.6
        column, row = np.floor(x).astype(int), np.floor(y).astype(int)
        fx, fy = x - column, y - row
        window = (np.abs(fx - 0.5) < 0.24) & (np.abs(fy - 0.5) < 0.29)
        bar = window & ((np.abs(fx - 0.5) < 0.02) | (np.abs(fy - 0.62) < 0.015))
        on = window & ~bar & lamps[column % 16, row % 16]
        brick = ((uv[:, 1] / 0.14) % 1 < 0.12) | (
            ((uv[:, 0] + 0.12 * (np.floor(uv[:, 1] / 0.14) % 2)) / 0.3) % 1 < 0.06
        )
        albedo = np.float32(color) * (0.6 + 0.7 * grain(uv / 3))[:, None] * np.where(brick, 1.35, 1.0)[:, None]
        albedo = np.where(window[:, None], np.float32([0.03, 0.035, 0.05]), albedo)
        glow = np.float32([1.0, 0.72, 0.36]) * (0.35 + 0.5 * grain(uv / 1.3 + 0.3))[:, None]
        warmth = np.where(on, 0.50, np.where(window, 0.24, 0.33 + 0.12 * (grain(uv / 5) - 0.5)))
        return Surface(albedo, np.where(on[:, None], glow, 0), warmth)

    return at


def _ground() -> Material:
    grain, coarse = noise(3), noise(4, octaves=3)

    def at(points: Any, uv: Any) -> Surface:
        x, z = points[:, 0], points[:, 2]
        road = np.abs(x) < 3.4
        line = road & (np.abs(x) < 0.07) & ((z / 3) % 1 < 0.55)
        curb = np.abs(np.abs(x) - 3.4) < 0.12
        slab = ~road & (((z / 0.8) % 1 < 0.04) | ((x / 0.8) % 1 < 0.04))
        base = np.where(road, 0.10, 0.22) * (0.6 + 0.8 * grain(points[:, ::2] / 1.7))
        base = np.where(line, 0.75, np.where(curb, 0.40, np.where(slab, 0.10, base)))
        warmth = np.where(road, 0.30, 0.24) + 0.10 * (coarse(points[:, ::2] / 9) - 0.5)
        return Surface(np.repeat(base[:, None], 3, 1), 0.0, warmth)

    return at


def _sign() -> Material:
    board = Image.new("RGB", (460, 200), (13, 36, 77))
    draw = ImageDraw.Draw(board)
    draw.rectangle((8, 8, 451, 191), outline=(230, 230, 217), width=5)
    for text, y in (("HARBOUR", 66), ("STREET 12", 136)):
        draw.text((230, y), text, (242, 242, 230), ImageFont.load_default(66), anchor="mm")
    at = texture(np.asarray(board) / 255)
    return lambda points, uv: Surface(at(uv), 0.25 * at(uv), 0.28)


def _person(
    x: float, z: float, lean: float = 0.0, coat: tuple[float, float, float] = (0.06, 0.06, 0.07)
) -> list[Shape]:
    skin, cloth, shoes = plain((0.4, 0.28, 0.22), _SKIN), plain(coat, _CLOTHES), plain((0.03, 0.03, 0.03), 0.50)
    parts: list[Shape] = [
        Ellipsoid(skin, (x + lean, 1.64, z), (0.10, 0.13, 0.11)),
        Ellipsoid(cloth, (x + lean / 2, 1.17, z), (0.23, 0.36, 0.15)),
        Ellipsoid(cloth, (x, 0.92, z), (0.19, 0.16, 0.15)),
    ]
    for side in (-1, 1):
        parts += [
            Ellipsoid(cloth, (x + side * 0.26 + lean / 2, 1.12, z + 0.03 * side), (0.07, 0.33, 0.08)),
            Ellipsoid(skin, (x + side * 0.27, 0.78, z + 0.04 * side), (0.05, 0.07, 0.05)),
            Ellipsoid(cloth, (x + side * 0.10, 0.46, z - 0.10 * side), (0.085, 0.46, 0.10)),
            Ellipsoid(shoes, (x + side * 0.10, 0.05, z - 0.10 * side + 0.04), (0.07, 0.06, 0.14)),
        ]
    return parts


def _car(x: float, z: float) -> list[Shape]:
    paint, glass, rubber = plain((0.30, 0.05, 0.05), 0.34), plain((0.02, 0.03, 0.04), 0.22), plain((0.02,) * 3, 0.58)
    hood = plain((0.32, 0.06, 0.06), 0.88)  # it was driven a moment ago
    return [
        Box(paint, (x - 0.85, 0.30, z - 2.0), (x + 0.85, 0.85, z + 1.0)),
        Box(hood, (x - 0.85, 0.30, z + 1.0), (x + 0.85, 0.82, z + 2.0)),
        Box(glass, (x - 0.74, 0.85, z - 1.5), (x + 0.74, 1.38, z + 0.7)),
        Box(paint, (x - 0.76, 1.36, z - 1.5), (x + 0.76, 1.42, z + 0.6)),
        *(Ellipsoid(rubber, (x + dx, 0.31, z + dz), (0.14, 0.31, 0.31)) for dx in (-0.82, 0.82) for dz in (-1.2, 1.25)),
    ]  # fmt: skip


def _tree(x: float, z: float, seed: int) -> list[Shape]:
    rng = np.random.default_rng(seed)
    leaf = noise(seed)

    def leaves(points: Any, uv: Any) -> Surface:
        shade = 0.4 + 1.2 * leaf(uv / 1.5)
        return Surface(np.float32([0.05, 0.11, 0.03]) * shade[:, None], 0.0, 0.20 + 0.06 * shade)

    crown = [
        Ellipsoid(leaves, (x + dx, 3.3 + dy, z + dz), (r, r * 0.9, r))
        for dx, dy, dz, r in np.column_stack([rng.normal(0, 0.55, (9, 3)), rng.uniform(0.45, 0.85, 9)])
    ]
    return [Cylinder(plain((0.09, 0.06, 0.04), 0.27), (x, 0, z), 0.14, 3.0), *crown]


def shapes() -> list[Shape]:
    post = plain((0.12, 0.12, 0.13), 0.18)
    return [
        Rectangle(_ground(), (-30, 0, 60), (60, 0, 0), (0, 0, -70)),
        Rectangle(plain((0, 0, 0), 0.02, (0.012, 0.016, 0.034)), (-80, -5, 60), (160, 0, 0), (0, 70, 0)),
        Box(_house(11, (0.26, 0.15, 0.11), 0.30), (-14, 0, 6), (-5.6, 9, 17)),
        Box(_house(12, (0.24, 0.22, 0.18), 0.18), (-14, 0, 18), (-5.6, 12, 34)),
        Box(_house(13, (0.22, 0.17, 0.15), 0.22), (5.6, 0, 9), (14, 10.5, 20)),
        Box(_house(14, (0.17, 0.17, 0.19), 0.25), (5.6, 0, 21), (14, 8, 36)),
        Box(_house(15, (0.2, 0.16, 0.13), 0.28), (-9, 0, 44), (9, 13, 50)),
        Rectangle(_sign(), (-5.58, 2.3, 7.6), (0, 0, 3.6), (0, 1.5, 0)),
        *_car(2.2, 13.5), *_tree(4.6, 8.6, 5), *_tree(-4.7, 22, 6),
        Cylinder(post, (-4.2, 0, 14), 0.07, 5.2), Box(post, (-4.2, 5.1, 13.9), (-2.9, 5.25, 14.1)),
        Ellipsoid(plain((1, 1, 1), 0.66, (6, 5.2, 3.8)), (-2.9, 5.02, 14), (0.26, 0.10, 0.18)),
        *_person(-0.9, 9.2, 0.05), *_person(4.1, 11.5, coat=(0.05, 0.07, 0.05)), *_person(4.75, 11.9, -0.03),
        *_person(-4.4, 16.2, coat=(0.25, 0.22, 0.18)), *_person(1.0, 24),
    ]  # fmt: skip


def sources(scale: float = 1.0) -> dict[str, npt.NDArray[np.uint8]]:
    """``visible``: H×W×3, ``infrared``: H×W."""
    size = (int(SIZE[0] * scale), int(SIZE[1] * scale))
    lights = [
        Light((-2.9, 4.6, 14), 0.12, (9, 7.6, 5.2)),
        Light((-1.0, 4.6, 40), 0.2, (20, 17, 12)),
        Light((-5.0, 2.6, 9.2), 0.2, (0.5, 0.5, 0.55)),
    ]
    view = render(
        shapes(),
        lights,
        Camera((0.4, 2.3, -1.5), (-0.3, 2.25, 14), 58),
        size,
        ambient=(0.010, 0.012, 0.020),
        samples=25,
        seed=1,
    )
    rng = np.random.default_rng(9)
    heat = cv2.GaussianBlur(view.temperature, (0, 0), 0.9 * scale + 0.1)
    heat = 0.06 + 0.90 * heat + 0.006 * rng.standard_normal(heat.shape)
    bloom = cv2.GaussianBlur(np.clip(view.light - 0.8, 0, 6), (0, 0), 9 * scale + 0.1)
    return {
        "visible": camera_curve(view.light + 0.25 * bloom, stops=0.9, read=0.004, shot=0.012, seed=2),
        "infrared": np.rint(255 * np.clip(heat, 0, 1)).astype(np.uint8),
    }
