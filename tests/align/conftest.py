"""Scenes made on the spot: one geometry, seen by cameras of different kinds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from tita_cli.align.geometry import Matrix, corners, inverse, transform, translating
from tita_cli.images.picture import Picture

Plane = npt.NDArray[np.float32]
WIDTH, HEIGHT = 400, 320


def scene(seed: int, *, kind: str = "visible", size: tuple[int, int] = (WIDTH, HEIGHT)) -> Plane:
    """H×W in 0..1: overlapping shapes whose outlines depend on ``seed`` and whose greys also on ``kind``."""
    shapes, greys = np.random.default_rng(seed), np.random.default_rng([seed, len(kind)])
    width, height = size
    plane = np.full((height, width), 0.5, np.float32)
    for _ in range(70):
        centre = shapes.uniform((0, 0), (width, height))
        points = centre + shapes.normal(0.0, 0.07 * width, (int(shapes.integers(3, 7)), 2))
        grey = float(greys.uniform(0.1, 0.9))
        if shapes.random() < 0.7:
            cv2.fillConvexPoly(plane, cv2.convexHull(points.round().astype(np.int32)), grey, cv2.LINE_AA)
        else:
            axes = [int(side) for side in shapes.uniform(0.02, 0.08, 2) * width]
            at = [int(place) for place in centre]
            cv2.ellipse(plane, at, axes, float(shapes.uniform(0, 180)), 0, 360, grey, -1, cv2.LINE_AA)
    noise = greys.normal(0.0, 0.01, plane.shape).astype(np.float32)
    return np.clip(cv2.GaussianBlur(plane, (0, 0), 0.8) + noise, 0.0, 1.0)


def picture(plane: Plane, name: str = "picture") -> Picture:
    return Picture(np.ascontiguousarray(plane[..., None]), name=name)


def motion(seed: int, size: tuple[int, int] = (WIDTH, HEIGHT)) -> Matrix:
    """Shift up to 4 %, rotation up to 3°, scale up to 5 %, perspective up to 1 %, about the centre."""
    rng = np.random.default_rng([seed, 9])
    width, height = size
    angle, scale = np.deg2rad(rng.uniform(-3, 3)), 1.0 + rng.uniform(-0.05, 0.05)
    c, s = scale * np.cos(angle), scale * np.sin(angle)
    x, y = rng.uniform(-0.04, 0.04, 2) * width
    g, h = rng.uniform(-0.01, 0.01, 2) / (width / 2)
    about = translating((width - 1) / 2, (height - 1) / 2)
    return about @ np.array([[c, -s, x], [s, c, y], [g, h, 1.0]]) @ inverse(about)


def moved(reference: Plane, source: Plane, matrix: Matrix) -> tuple[Plane, Plane, Matrix]:
    """The reference, and the source put off so that ``matrix`` undoes it, both cropped so that no void border tells.

    The last: the matrix between the cropped pictures, source → reference.
    """
    height, width = reference.shape
    off = inverse(matrix)
    for margin in range(0, width // 4):
        size = width - 2 * margin, height - 2 * margin
        origins = transform(matrix, corners(size) + margin)
        if (origins >= 0).all() and (origins <= (width - 1, height - 1)).all():
            break
    crop = translating(-margin, -margin)
    put = cv2.warpPerspective(source, crop @ off, size, flags=cv2.INTER_CUBIC)
    inner = reference[margin : height - margin, margin : width - margin]
    return np.ascontiguousarray(inner), np.clip(put, 0.0, 1.0), crop @ inverse(crop @ off)


@pytest.fixture(scope="session")
def scenes() -> SimpleNamespace:
    """The functions of this file: ``scene``, ``picture``, ``motion``, ``moved``."""
    return SimpleNamespace(scene=scene, picture=picture, motion=motion, moved=moved)


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, Plane], Path]:
    """Write a plane as an 8-bit picture: its path."""

    def writing(name: str, plane: Plane) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(cv2.imencode(path.suffix, (plane * 255).round().astype(np.uint8))[1].tobytes())
        return path

    return writing
