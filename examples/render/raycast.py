"""A small ray caster in NumPy: rectangles, boxes, ellipsoids and cylinders with procedural materials and soft shadows.

Lengths are metres, y points up. Light is linear RGB. Enough for the example pictures, which are ours to give away.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]
Vector = Sequence[float]
_NEAR = 1e-3


class Surface(NamedTuple):
    """What a material says of N points: albedo N×3, emitted light N×3, temperature N (0 cold to 1 hot)."""

    albedo: Any
    emission: Any = 0.0
    temperature: Any = 0.3


Material = Callable[[Array, Array], Surface]
"""Of N points: positions N×3 and surface coordinates N×2 → surface."""


def plain(albedo: Any, temperature: float = 0.3, emission: Any = 0.0) -> Material:
    """The same everywhere."""
    return lambda points, uv: Surface(np.float32(albedo), np.float32(emission), temperature)


@dataclass
class Shape:
    """``intersect``: rays → distances, infinite for a miss. ``look``: points → normals N×3, coordinates N×2."""

    material: Material

    def intersect(self, origin: Array, direction: Array) -> Array:
        raise NotImplementedError

    def look(self, points: Array) -> tuple[Array, Array]:
        raise NotImplementedError


@dataclass
class Rectangle(Shape):
    """A corner and two edges at right angles; coordinates in 0..1 along them."""

    corner: Vector
    across: Vector
    along: Vector

    def intersect(self, origin: Array, direction: Array) -> Array:
        normal = self._normal()
        with np.errstate(all="ignore"):
            t = ((np.float32(self.corner) - origin) @ normal) / (direction @ normal)
        uv = self._uv(origin + direction * t[:, None])
        inside = (t > _NEAR) & (uv >= 0).all(1) & (uv <= 1).all(1)
        return np.where(inside, t, np.float32(np.inf))

    def look(self, points: Array) -> tuple[Array, Array]:
        return np.broadcast_to(self._normal(), points.shape), self._uv(points)

    def _normal(self) -> Array:
        normal = np.cross(self.across, self.along)
        return np.float32(normal / np.linalg.norm(normal))

    def _uv(self, points: Array) -> Array:
        edges = np.float32([self.across, self.along])
        return ((points - np.float32(self.corner)) @ edges.T) / (edges**2).sum(1)


@dataclass
class Box(Shape):
    """Two opposite corners, turned by ``yaw`` degrees about its vertical axis; coordinates in metres on each face."""

    low: Vector
    high: Vector
    yaw: float = 0.0

    def _turned(self, vectors: Array, sign: int) -> Array:
        if not self.yaw:
            return vectors
        c, s = np.cos(np.radians(self.yaw)), sign * np.sin(np.radians(self.yaw))
        return (vectors @ np.float32([[c, 0, -s], [0, 1, 0], [s, 0, c]])).astype(np.float32)

    @property
    def _center(self) -> Array:
        return np.float32((np.float32(self.low) + np.float32(self.high)) / 2)

    def intersect(self, origin: Array, direction: Array) -> Array:
        o, d = self._turned(origin - self._center, 1), self._turned(direction, 1)
        half = np.float32(self.high) - self._center
        with np.errstate(all="ignore"):
            t0, t1 = (-half - o) / d, (half - o) / d
        near, far = np.minimum(t0, t1).max(1), np.maximum(t0, t1).min(1)
        t = np.where(near > _NEAR, near, far)
        return np.where((far >= near) & (t > _NEAR), t, np.float32(np.inf))

    def look(self, points: Array) -> tuple[Array, Array]:
        local = self._turned(points - self._center, 1)
        axis = np.abs(local / (np.float32(self.high) - self._center)).argmax(1)
        rows = np.arange(len(points))
        normal = np.zeros_like(local)
        normal[rows, axis] = np.sign(local[rows, axis])
        uv = np.stack([local[rows, np.where(axis == 0, 2, 0)], local[rows, np.where(axis == 1, 2, 1)]], 1)
        return self._turned(normal, -1), uv


@dataclass
class Ellipsoid(Shape):
    """Centre and three radii; coordinates are longitude and latitude in radians."""

    center: Vector
    radii: Vector

    def intersect(self, origin: Array, direction: Array) -> Array:
        scale = 1 / np.float32(self.radii)
        o, d = (origin - np.float32(self.center)) * scale, direction * scale
        a, b, c = (d * d).sum(1), (o * d).sum(1), (o * o).sum(-1) - 1
        root = b * b - a * c
        with np.errstate(invalid="ignore"):
            edge = np.sqrt(root)
        first, second = (-b - edge) / a, (-b + edge) / a
        t = np.where(first > _NEAR, first, second)
        return np.where((root >= 0) & (t > _NEAR), t, np.float32(np.inf))

    def look(self, points: Array) -> tuple[Array, Array]:
        local = (points - np.float32(self.center)) / np.float32(self.radii)
        normal = local / np.float32(self.radii)
        normal /= np.linalg.norm(normal, axis=1, keepdims=True)
        return normal, np.stack([np.arctan2(local[:, 0], local[:, 2]), np.arcsin(np.clip(local[:, 1], -1, 1))], 1)


@dataclass
class Cylinder(Shape):
    """Upright, with a lid: centre of the foot, radius, height; coordinates in radii on the lid, in metres beside."""

    foot: Vector
    radius: float
    height: float

    def intersect(self, origin: Array, direction: Array) -> Array:
        o, d = origin - np.float32(self.foot), direction
        a = d[:, 0] ** 2 + d[:, 2] ** 2
        b = o[..., 0] * d[:, 0] + o[..., 2] * d[:, 2]
        c = o[..., 0] ** 2 + o[..., 2] ** 2 - self.radius**2
        with np.errstate(all="ignore"):
            side = (-b - np.sqrt(b * b - a * c)) / a
            lid = (self.height - o[..., 1]) / d[:, 1]
        y = o[..., 1] + side * d[:, 1]
        side = np.where((side > _NEAR) & (y >= 0) & (y <= self.height), side, np.inf)
        x, z = o[..., 0] + lid * d[:, 0], o[..., 2] + lid * d[:, 2]
        lid = np.where((lid > _NEAR) & (x * x + z * z <= self.radius**2), lid, np.inf)
        return np.fmin(side, lid).astype(np.float32)

    def look(self, points: Array) -> tuple[Array, Array]:
        local = points - np.float32(self.foot)
        on_lid = local[:, 1] > self.height - 1e-3 * max(1.0, self.height)
        around = np.arctan2(local[:, 0], local[:, 2])
        normal = np.stack([np.sin(around), 0 * around, np.cos(around)], 1)
        normal[on_lid] = (0, 1, 0)
        side = np.stack([around * self.radius, local[:, 1]], 1)
        return normal.astype(np.float32), np.where(on_lid[:, None], local[:, [0, 2]] / self.radius, side)


class Light(NamedTuple):
    """A small ball of light: where, how large, how bright."""

    position: Vector
    radius: float
    color: Vector


class View(NamedTuple):
    """What the camera sees: light H×W×3, distance along the view H×W, temperature H×W."""

    light: Array
    depth: Array
    temperature: Array


class Camera(NamedTuple):
    """Where it stands, what it looks at, and its horizontal field of view in degrees."""

    position: Vector
    target: Vector
    field_of_view: float

    def rays(self, width: int, height: int, jitter: npt.NDArray[Any]) -> Array:
        """Directions of length 1 along the view, W·H×3; ``jitter``: two offsets within a pixel."""
        forward = np.float32(self.target) - np.float32(self.position)
        forward /= np.linalg.norm(forward)
        right = np.cross((0, 1, 0), forward)
        right /= np.linalg.norm(right)
        up = np.cross(forward, right)
        focal = width / 2 / np.tan(np.radians(self.field_of_view / 2))
        y, x = np.mgrid[:height, :width].astype(np.float32)
        x, y = (x + jitter[0] - width / 2) / focal, (height / 2 - y - jitter[1]) / focal
        return (forward + x[..., None] * right + y[..., None] * up).reshape(-1, 3).astype(np.float32)


def render(
    shapes: Sequence[Shape], lights: Sequence[Light], camera: Camera, size: tuple[int, int], *, ambient: Vector,
    samples: int = 4, seed: int = 0,
) -> View:  # fmt: skip
    """A picture of width × height, the mean of ``samples`` rays a pixel; distance and temperature likewise."""
    rng = np.random.default_rng(seed)
    width, height = size
    total = [np.zeros((height, width, 3), np.float32), *np.zeros((2, height, width), np.float32)]
    for index in range(samples):
        side = max(1, int(samples**0.5))
        jitter = (np.array([index % side, index // side]) + rng.random(2)) / side
        parts = _sample(shapes, lights, camera, size, ambient, jitter, rng)
        total = [sum_ + part.reshape(sum_.shape) / samples for sum_, part in zip(total, parts, strict=True)]
    return View(*total)


def _sample(
    shapes: Sequence[Shape], lights: Sequence[Light], camera: Camera, size: tuple[int, int], ambient: Vector,
    jitter: npt.NDArray[Any], rng: np.random.Generator,
) -> tuple[Array, Array, Array]:  # fmt: skip
    origin, direction = np.float32(camera.position), camera.rays(*size, jitter)
    nearest, which = np.full(len(direction), np.inf, np.float32), np.full(len(direction), -1)
    for index, shape in enumerate(shapes):
        t = shape.intersect(origin, direction)
        closer = t < nearest
        nearest[closer], which[closer] = t[closer], index
    points = origin + direction * np.where(np.isfinite(nearest), nearest, 0)[:, None]
    normals, albedo, emission = np.zeros((3, *direction.shape), np.float32)
    temperature = np.zeros(len(direction), np.float32)
    for index, shape in enumerate(shapes):
        hit = np.flatnonzero(which == index)
        if hit.size:
            normals[hit], uv = shape.look(points[hit])
            albedo[hit], emission[hit], temperature[hit] = shape.material(points[hit], uv)
    facing = np.where((normals * direction).sum(1) > 0, -1, 1)[:, None]
    normals *= facing
    sky = 0.65 + 0.35 * normals[:, 1:2]
    light = emission + albedo * np.float32(ambient) * sky
    for source in lights:
        light += albedo * _lit(shapes, source, points + normals * 2 * _NEAR, normals, rng)
    return light, np.where(np.isfinite(nearest), nearest, 1e3), temperature


def _lit(shapes: Sequence[Shape], source: Light, points: Array, normals: Array, rng: np.random.Generator) -> Array:
    aim = rng.standard_normal(points.shape).astype(np.float32)
    aim *= source.radius / np.linalg.norm(aim, axis=1, keepdims=True)
    way = np.float32(source.position) + aim - points
    squared = (way * way).sum(1)
    cosine = np.clip((normals * way).sum(1) / np.sqrt(squared), 0, None)
    open_ = cosine > 0
    for shape in shapes:
        rest = np.flatnonzero(open_)
        open_[rest] = shape.intersect(points[rest], way[rest]) >= 1
    return np.float32(source.color) * np.where(open_, cosine / squared, 0)[:, None]


def noise(seed: int, octaves: int = 6, size: int = 512) -> Callable[[Array], Array]:
    """Fractal noise of mean 0.5: coordinates N×2 (one tile a unit) → N values in about 0..1."""
    rng = np.random.default_rng(seed)
    tile = np.zeros((size, size), np.float32)
    for octave in range(octaves):
        cells = 4 << octave
        grid = np.pad(rng.random((cells, cells), dtype=np.float32), ((0, 4), (0, 4)), mode="wrap")
        step = size // cells
        big = cv2.resize(grid, None, fx=step, fy=step, interpolation=cv2.INTER_CUBIC)
        tile += big[step : step + size, step : step + size] * 0.5**octave
    tile = (tile - tile.mean()) / (4 * tile.std()) + 0.5

    def at(uv: Array) -> Array:
        x, y = (np.mod(np.ascontiguousarray(c, np.float32), 1) * size for c in (uv[:, 0], uv[:, 1]))
        return _looked_up(tile, x, y, cv2.BORDER_WRAP)

    return at


def _looked_up(image: Array, x: Array, y: Array, border: int) -> Array:
    """``image`` at N places, in rows of 4096: OpenCV limits the sides of what it makes."""
    rows = -(-len(x) // 4096)
    places = [np.pad(c, (0, rows * 4096 - len(x))).reshape(rows, 4096) for c in (x, y)]
    found = cv2.remap(image, *places, cv2.INTER_LINEAR, borderMode=border)
    return found.reshape(-1, *image.shape[2:])[: len(x)]


def texture(image: npt.NDArray[Any]) -> Callable[[Array], Array]:
    """An image H×W×3 in 0..1 as a function of coordinates in 0..1, the second from the bottom up."""
    pixels = image.astype(np.float32)

    def at(uv: Array) -> Array:
        x = np.float32(uv[:, 0] * (pixels.shape[1] - 1))
        y = np.float32((1 - uv[:, 1]) * (pixels.shape[0] - 1))
        return _looked_up(pixels, x, y, cv2.BORDER_REPLICATE)

    return at


def camera_curve(light: Array, *, stops: float = 0.0, read: float = 0.002, shot: float = 0.006, seed: int = 0) -> Array:
    """Linear light → 8-bit sRGB of a camera: exposure, noise of sensor and photons, clipping."""
    rng = np.random.default_rng(seed)
    exposed = light * np.float32(2.0**stops)
    exposed = exposed + rng.standard_normal(exposed.shape) * np.sqrt(read**2 + shot**2 * np.clip(exposed, 0, 1))
    exposed = np.clip(exposed, 0, 1)
    coded = np.where(exposed <= 0.0031308, 12.92 * exposed, 1.055 * exposed ** (1 / 2.4) - 0.055)
    return np.rint(255 * coded).astype(np.uint8)
