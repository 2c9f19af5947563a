"""Things on a table, close up: a lens shows one distance sharply at a time."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont
from raycast import (
    Array,
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

SIZE = (480, 360)
FOCUS = (0.245, 0.33, 0.47)
"""Distances, in metres, at which the frames are sharp."""
_APERTURE = 3.0  # pixels of blur radius for each dioptre out of focus
_LAYERS = 22


def _wood() -> Material:
    grain, pore = noise(71), noise(72)

    def at(points: Any, uv: Any) -> Surface:
        x, z = points[:, 0] * 10, points[:, 2] * 10
        streak = grain(np.stack([x * 0.9 + 0.05 * pore(points[:, ::2] * 9), z * 0.16], 1))
        dots = pore(np.stack([x * 4, z * 0.8], 1))
        return Surface(np.float32([0.46, 0.29, 0.16]) * (0.35 + 0.8 * streak + 0.25 * dots)[:, None])

    return at


def _ruler() -> Material:
    picture = Image.new("RGB", (2400, 200), (214, 186, 112))
    draw = ImageDraw.Draw(picture)
    for tick in range(241):
        length = 80 if tick % 10 == 0 else 60 if tick % 5 == 0 else 40
        draw.line((tick * 10, 0, tick * 10, length), (30, 22, 12), 2)
        if tick % 10 == 0:
            draw.text((tick * 10, 120), str(tick // 10), (30, 22, 12), ImageFont.load_default(52), anchor="mm")
    at = texture(np.asarray(picture) / 255)
    return lambda points, uv: Surface(at(uv) ** 2.2)


def _page() -> Material:
    picture = Image.new("RGB", (900, 1200), (236, 232, 220))
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(40)
    words = [
        "one",
        "scene",
        "several",
        "pictures",
        "each",
        "of",
        "them",
        "sharp",
        "somewhere",
        "bright",
        "enough",
        "somewhere",
        "warm",
        "somewhere",
    ]
    rng = np.random.default_rng(2)
    for line in range(21):
        draw.text((50, 50 + 54 * line), " ".join(rng.choice(words, 7))[:44], (28, 26, 30), font)
    at = texture(np.asarray(picture) / 255)
    return lambda points, uv: Surface(at(uv) ** 2.2)


def _coin(color: tuple[float, float, float], number: str) -> Material:
    face = Image.new("L", (256, 256), 120)
    draw = ImageDraw.Draw(face)
    draw.ellipse((8, 8, 247, 247), outline=215, width=10)
    draw.text((128, 128), number, 225, ImageFont.load_default(130), anchor="mm")
    for angle in np.linspace(0, 2 * np.pi, 40, endpoint=False):
        x, y = 128 + 100 * np.cos(angle), 128 + 100 * np.sin(angle)
        draw.ellipse((x - 4, y - 4, x + 4, y + 4), fill=200)
    at, scratch = texture(np.repeat(np.asarray(face)[..., None], 3, 2) / 255), noise(81)

    def of(points: Any, uv: Any) -> Surface:
        return Surface(np.float32(color) * at(uv / 2 + 0.5) * (0.5 + 1.1 * scratch(uv))[:, None])

    return of


def _marble(color: tuple[float, float, float], seed: int) -> Material:
    vein = noise(seed)

    def at(points: Any, uv: Any) -> Surface:
        line = np.clip(np.abs(vein(uv / 2.2) - 0.5) * 9, 0, 1)[:, None]
        shine = np.exp(-((uv[:, 0] - 2.6) ** 2 + (uv[:, 1] - 0.85) ** 2) / 0.03)[:, None]
        return Surface(np.float32(color) * line + 0.7 * (1 - line), 0.8 * shine)

    return at


def _die() -> Material:
    def at(points: Any, uv: Any) -> Surface:
        spots = [(0, 0), (1, 1), (-1, -1), (1, -1), (-1, 1)]
        near = np.min([np.hypot(uv[:, 0] - 0.0042 * x, uv[:, 1] - 0.0042 * y) for x, y in spots], 0)
        return Surface(np.where(near[:, None] < 0.0014, 0.03, np.float32([0.72, 0.70, 0.64])))

    return at


def shapes() -> list[Shape]:
    gold, silver, copper = (1.25, 0.85, 0.30), (0.95, 0.95, 1.0), (1.1, 0.50, 0.28)
    coins = [
        ((-0.050, 0.215), 0.0125, gold, "50", 1), ((-0.012, 0.240), 0.0110, silver, "20", 1),
        ((0.040, 0.300), 0.0120, copper, "10", 3), ((-0.065, 0.330), 0.0125, gold, "5", 2),
        ((0.085, 0.400), 0.0120, silver, "2", 2), ((-0.11, 0.48), 0.0130, gold, "1", 4),
    ]  # fmt: skip
    pencil = plain((0.70, 0.42, 0.04))
    return [
        Rectangle(_wood(), (-1, 0, 1.2), (2, 0, 0), (0, 0, -1.4)),
        Rectangle(plain((0.10, 0.12, 0.13)), (-1, 0, 1.2), (2, 0, 0), (0, 1, 0)),
        Rectangle(_ruler(), (0.035, 0.0012, 0.16), (0.10, 0, 0.40), (-0.028, 0, 0.007)),
        Rectangle(_page(), (-0.17, 0.0006, 0.34), (0.13, 0, 0.03), (-0.05, 0, 0.17)),
        *(
            Cylinder(_coin(color, number), (x, 0.0021 * level, z), radius, 0.002)
            for (x, z), radius, color, number, count in coins for level in range(count)
        ),
        Ellipsoid(_marble((0.06, 0.22, 0.45), 91), (0.010, 0.0105, 0.275), (0.0105,) * 3),
        Ellipsoid(_marble((0.35, 0.06, 0.07), 92), (-0.028, 0.0120, 0.400), (0.0120,) * 3),
        Ellipsoid(_marble((0.07, 0.32, 0.14), 93), (0.050, 0.0150, 0.520), (0.0150,) * 3),
        Box(_die(), (-0.040, 0.0, 0.272), (-0.024, 0.016, 0.288), 24),
        Box(_die(), (0.070, 0.0, 0.345), (0.086, 0.016, 0.361), -31),
        Box(pencil, (-0.004, 0, 0.34), (0.004, 0.007, 0.50), -38),
    ]  # fmt: skip


def _blurred(light: Array, depth: Array, focus: float, scale: float) -> Array:
    """As a lens shows it that is focused at ``focus``: layers of equal blur, from far to near, each over the last."""
    blur = scale * _APERTURE * (1 / focus - 1 / depth)  # pixels, negative where nearer
    edges = np.quantile(depth, np.linspace(0, 1, _LAYERS + 1))[::-1]
    result = np.zeros_like(light)
    for far, near in pairwise(edges):
        inside = (depth <= far) & (depth >= near)
        # All that is farther shines through a blurred edge, so the layer is filled up with it before it is blurred.
        radius = float(np.abs(blur[inside]).mean()) if inside.any() else 0.0
        mask = (depth <= far).astype(np.float32)
        seen = np.where(mask[..., None] > 0, light, result)
        side = 2 * int(np.ceil(radius)) + 1
        y, x = np.mgrid[:side, :side] - side // 2
        kernel = np.clip(radius + 0.5 - np.hypot(x, y), 0, 1).astype(np.float32)
        kernel /= kernel.sum()
        share = cv2.filter2D(mask, -1, kernel, borderType=cv2.BORDER_REPLICATE)[..., None]
        result = share * cv2.filter2D(seen, -1, kernel, borderType=cv2.BORDER_REPLICATE) + (1 - share) * result
    return result


def sources(scale: float = 1.0) -> list[npt.NDArray[np.uint8]]:
    """Frames focused at :data:`FOCUS`, H×W×3; the picture grows a little as the lens moves out."""
    width, height = int(SIZE[0] * scale), int(SIZE[1] * scale)
    lights = [Light((-0.5, 0.75, 0.15), 0.16, (0.46, 0.44, 0.40)), Light((0.6, 0.5, 0.5), 0.3, (0.12, 0.13, 0.15))]
    view = render(
        shapes(), lights, Camera((0.0, 0.145, 0.02), (0.0, 0.0, 0.335), 38), (width, height),
        ambient=(0.20, 0.20, 0.21), seed=5,
    )  # fmt: skip
    frames = []
    for index, focus in enumerate(FOCUS):
        light = _blurred(view.light, view.depth, focus, scale)
        grown = 1 + 0.004 * index
        center = cv2.getRotationMatrix2D((width / 2, height / 2), 0, grown)
        light = cv2.warpAffine(light, center, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        frames.append(camera_curve(light, read=0.002, shot=0.005, seed=index))
    return frames
