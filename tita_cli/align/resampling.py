"""Resample H×W×C planes by a homography and a flow: Lanczos filters, tile by tile.

OpenCV's Lanczos weighs 64 pixels for each of the result, and rounds places to 1/32 of a pixel. Here the source is
doubled first, by filters that run along its rows and then its columns, and OpenCV's bicubic interpolation takes its
places between samples that lie half as far apart: about half the time, and nearer to the truth
(bench/align_resampling.py). A tile's part of the doubled source stays in the processor's cache.
"""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import product
from typing import NamedTuple, TypeVar

import cv2
import numpy as np
import numpy.typing as npt

from tita_cli.align.geometry import Matrix
from tita_cli.images.picture import FloatArray

_Sample = TypeVar("_Sample", bound=np.generic)

_TILE = 256  # px of the result
_REACH = 6  # px of the source around a tile: of the filter and of the interpolation
_LARGEST = 16  # times a tile's own pixels: a source that is reduced that much gains nothing from being doubled
_BORDER = cv2.BORDER_REFLECT_101
_BENT = np.float32(0.5)


def _halfway(lobes: int = 5) -> FloatArray:
    """Lanczos' weights of the pixels around the middle between two."""
    x = np.arange(-lobes, lobes) + 0.5
    weights = np.sinc(x) * np.sinc(x / lobes)
    return np.asarray(weights / weights.sum(), dtype=np.float32)


_HALFWAY = _halfway()
_BEFORE = len(_HALFWAY) // 2 - 1  # weights before the pixel that the middle follows


@dataclass(frozen=True)
class Area:
    """A rectangle in the reference's frame, in pixels."""

    left: int
    top: int
    width: int
    height: int

    def cut(self, plane: npt.NDArray[_Sample]) -> npt.NDArray[_Sample]:
        """The part of an H×W or H×W×C array inside the rectangle, as a view."""
        return plane[self.top : self.top + self.height, self.left : self.left + self.width]


class _Source(NamedTuple):
    """Planes, H×W×C or H×W, where the whole source's place p is at ``scale``·p + ``shift`` (x, y)."""

    planes: FloatArray
    scale: float
    shift: tuple[float, float]


class _Scratch:
    """Memory of one thread for the arrays of a tile: fresh memory for each costs more than what is done with it."""

    def __init__(self) -> None:
        self._kept: dict[str, FloatArray] = {}

    def array(self, name: str, *shape: int) -> FloatArray:
        """An array of ``shape`` whose values are of no account, valid until the next of that ``name``."""
        size = math.prod(shape)
        if name not in self._kept or self._kept[name].size < size:
            self._kept[name] = np.empty(size, np.float32)
        return self._kept[name][:size].reshape(shape)


def resample(
    planes: FloatArray, matrix: Matrix, area: Area, flow: FloatArray | None, span: tuple[FloatArray, FloatArray]
) -> FloatArray:
    """Move ``planes`` (H×W×C, at most four channels) by ``matrix`` (source → reference): what falls into ``area``.

    ``flow``: of the whole frame, see ``origins``; None for none. ``span``: the least and the most of each channel (C),
    which Lanczos would leave at hard edges. What the source does not show is some mirrored part of it.
    """
    whole = planes[..., 0] if planes.shape[2] == 1 else planes
    moved = np.empty((area.height, area.width, *whole.shape[2:]), np.float32)
    least, most = (tuple(side.tolist()) for side in span)

    def work(tiles: list[Area]) -> None:
        scratch = _Scratch()
        for tile in tiles:
            there = Area(area.left + tile.left, area.top + tile.top, tile.width, tile.height)
            found = tile.cut(moved)
            _fill(found, whole, matrix, there, flow, scratch)
            cv2.max(found, least, dst=found)
            cv2.min(found, most, dst=found)

    tiles = [
        Area(left, top, min(_TILE, area.width - left), min(_TILE, area.height - top))
        for top, left in product(range(0, area.height, _TILE), range(0, area.width, _TILE))
    ]
    threads = max(1, min(cv2.getNumThreads(), len(tiles)))
    with ThreadPoolExecutor(threads, "tita-resample") as pool:
        for _ in pool.map(work, (tiles[first::threads] for first in range(threads))):
            pass
    return moved.reshape(area.height, area.width, -1)


def origins(matrix: Matrix, area: Area, flow: FloatArray | None) -> tuple[FloatArray, FloatArray]:
    """Where in the source each pixel of ``area`` comes from: two maps of its size; NaN and infinity beyond the horizon.

    ``flow``: H×W×2 of the whole frame, in its pixels, added to their places before ``matrix`` is undone.
    """
    m = np.linalg.inv(matrix).astype(np.float32)
    x = np.arange(area.left, area.left + area.width, dtype=np.float32)[None, :]
    y = np.arange(area.top, area.top + area.height, dtype=np.float32)[:, None]
    if flow is not None:
        x, y = x + area.cut(flow)[..., 0], y + area.cut(flow)[..., 1]
    with np.errstate(divide="ignore", invalid="ignore"):
        depth = np.float32(1.0) / (m[2, 0] * x + (m[2, 1] * y + m[2, 2]))
        return (m[0, 0] * x + (m[0, 1] * y + m[0, 2])) * depth, (m[1, 0] * x + (m[1, 1] * y + m[1, 2])) * depth


def _fill(
    found: FloatArray, planes: FloatArray, matrix: Matrix, tile: Area, flow: FloatArray | None, scratch: _Scratch
) -> None:
    """Write what falls into ``tile`` to ``found``."""
    maps = origins(matrix, tile, flow)
    low, high = (np.array([pick(side) for side in maps]) for pick in (np.min, np.max))
    source = _near(planes, low, high, scratch)
    x, y = (_asked(side, source.scale, shift) for side, shift in zip(maps, source.shift, strict=True))
    cv2.remap(source.planes, x, y, cv2.INTER_CUBIC, found, borderMode=_BORDER)


def _asked(at: FloatArray, scale: float, shift: float) -> FloatArray:
    """The places to name to OpenCV for what lies at ``scale·at + shift``.

    Its bicubic kernel (a = −0.75) does not keep straight lines: at t between two samples it gives what such a line has
    at t + t(1 − t)(1 − 2t)/2.
    """
    place = at * np.float32(scale)
    place += np.float32(shift)
    with np.errstate(invalid="ignore"):
        t = place - np.floor(place)
    rest = np.float32(1.0) - t
    place -= _BENT * t * rest * (rest - t)
    return place


def _near(
    planes: FloatArray, low: npt.NDArray[np.float32], high: npt.NDArray[np.float32], scratch: _Scratch
) -> _Source:
    """The part of ``planes`` between two corners (x, y), doubled; all of them as they are where that is large, or
    unknown."""
    height, width = planes.shape[:2]
    last = np.array([width - 1, height - 1])
    if not np.isfinite([low, high]).all():
        return _Source(planes, 1.0, (0.0, 0.0))
    left, top = (int(side) for side in np.clip(np.floor(low) - _REACH, 0, last))
    right, bottom = (int(side) for side in np.clip(np.ceil(high) + _REACH, (left, top), last))
    part = Area(left, top, right - left + 1, bottom - top + 1)
    if part.width * part.height > _LARGEST * _TILE**2:
        return _Source(planes, 1.0, (0.0, 0.0))
    return _Source(_doubled(part.cut(planes), scratch), 2.0, (-2.0 * left, -2.0 * top))


def _doubled(planes: FloatArray, scratch: _Scratch) -> FloatArray:
    """H×W×C or H×W → 2H×2W×C or 2H×2W: sample (i, j) is where the planes are at (i/2, j/2)."""
    height, width, *channels = planes.shape
    found = scratch.array("doubled", 2 * height, 2 * width, *channels)
    middles = scratch.array("middles", *planes.shape)
    rows, between = (found.reshape(height, 2, 2 * width, *channels)[:, k] for k in (0, 1))
    cv2.filter2D(planes, -1, _HALFWAY[None], middles, anchor=(_BEFORE, 0), borderType=_BORDER)
    cv2.merge([planes, middles], found.reshape(height, 2, width, -1)[:, 0])
    cv2.filter2D(rows, -1, _HALFWAY[:, None], between, anchor=(0, _BEFORE), borderType=_BORDER)
    return found
