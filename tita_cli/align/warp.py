"""Resample a picture into the frame of another; fill and crop what it does not show."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from tita_cli.align.geometry import Matrix, Size, corners, transform
from tita_cli.align.resampling import Area, origins, resample
from tita_cli.errors import MismatchError
from tita_cli.images.picture import FloatArray, Picture

Mask: TypeAlias = npt.NDArray[np.bool_]

_OPENCV_LIMIT = 32767  # cv2.remap addresses pixels with 16-bit integers


def warp(
    picture: Picture, matrix: Matrix, size: Size, *, flow: FloatArray | None = None, area: Area | None = None
) -> Picture:
    """Move ``picture`` by ``matrix`` (source → reference) into a frame of ``size`` (width, height).

    Lanczos (see ``resampling``), on colour weighted by alpha; where the picture shrinks, it is low-pass filtered first.
    ``flow``: h×w×2 over the whole frame, in pixels of the reference, added to its coordinates before the matrix is
    undone. ``area``: the part of the frame that is wanted, all of it where None. Raises MismatchError where OpenCV
    cannot address the pictures.
    """
    if max(picture.width, picture.height, *size) >= _OPENCV_LIMIT:
        raise MismatchError(
            f"{picture.name}: {picture.size} pixels are too many to resample",
            hint="use `align` none on registered files",
        )
    alpha = picture.alpha
    planes: FloatArray = picture.pixels
    if alpha is not None:
        planes = np.dstack([planes * alpha[..., None], alpha])
    if picture.depth == 32:
        planes = np.nan_to_num(planes, posinf=float(np.finfo(np.float32).max), neginf=0.0)
    place = area or Area(0, 0, *size)
    moved = resample(_smoothed(planes, matrix), matrix, place, _of_frame(flow, size), _span(planes))
    if alpha is None:
        return replace(picture, pixels=moved)
    opaque = np.ascontiguousarray(moved[..., -1])
    colour = np.divide(moved[..., :-1], np.maximum(opaque[..., None], np.float32(1e-4)), dtype=np.float32)
    for channel, (least, most) in enumerate(zip(*_span(picture.pixels), strict=True)):
        np.clip(colour[..., channel], least, most, out=colour[..., channel])
    return replace(picture, pixels=colour, alpha=opaque)


def covered(source: Size, matrix: Matrix, size: Size, *, flow: FloatArray | None = None) -> Mask:
    """Where in a frame of ``size`` a picture of the size ``source`` has pixels, moved as ``warp`` moves it: H×W."""
    inside = np.ones((source[1], source[0]), dtype=np.uint8)
    field = _of_frame(flow, size)
    if field is None:
        return np.asarray(cv2.warpPerspective(inside, matrix, size, flags=cv2.INTER_NEAREST) > 0)
    x, y = origins(matrix, Area(0, 0, *size), field)
    return np.asarray(cv2.remap(inside, x, y, cv2.INTER_NEAREST, borderMode=cv2.BORDER_CONSTANT) > 0)


def _of_frame(flow: FloatArray | None, size: Size) -> FloatArray | None:
    """A flow of any size as one of a frame of ``size``."""
    return None if flow is None else np.asarray(cv2.resize(flow, size, interpolation=cv2.INTER_LINEAR), np.float32)


def _span(planes: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The least and the most of each channel (C) of H×W×C planes."""
    return planes.min(axis=0).min(axis=0), planes.max(axis=0).max(axis=0)


def _smoothed(planes: FloatArray, matrix: Matrix) -> FloatArray:
    size = planes.shape[1], planes.shape[0]
    edges = np.roll(moved := transform(matrix, corners(size)), -1, axis=0) - moved
    scale = float(np.hypot(edges[:, 0], edges[:, 1]).sum() / (2 * max(size[0] + size[1] - 2, 1)))
    if scale > 0.8:
        return planes
    sigma = 0.5 * np.sqrt(1.0 / scale**2 - 1.0)
    return np.asarray(cv2.GaussianBlur(planes, (0, 0), sigma)).reshape(planes.shape)


def cropped(picture: Picture, area: Area) -> Picture:
    """The part of ``picture`` inside ``area``; the same object where that is the whole."""
    if (area.width, area.height) == (picture.width, picture.height):
        return picture
    alpha = None if picture.alpha is None else np.ascontiguousarray(area.cut(picture.alpha), dtype=np.float32)
    return replace(picture, pixels=np.ascontiguousarray(area.cut(picture.pixels), dtype=np.float32), alpha=alpha)


def filled(picture: Picture, reference: Picture, valid: Mask) -> Picture:
    """``picture`` with the reference's pixels, and its transparency, where it has none of its own.

    A reference of another profile is brought into the picture's.
    """
    if picture.metadata.icc != reference.metadata.icc:
        from tita_cli.images.profile import to_profile

        reference = to_profile(reference, picture.metadata.icc)
    other = reference.pixels
    if picture.is_color and not reference.is_color:
        other = np.repeat(other, 3, axis=2)
    elif not picture.is_color and reference.is_color:
        other = cv2.cvtColor(other, cv2.COLOR_RGB2GRAY)[..., None]
    alpha = picture.alpha
    if alpha is None and reference.alpha is not None and bool((reference.alpha[~valid] < 1).any()):
        alpha = np.ones(valid.shape, np.float32)
    if alpha is not None:
        alpha = np.where(valid, alpha, 1.0 if reference.alpha is None else reference.alpha).astype(np.float32)
    pixels = np.ascontiguousarray(other).copy()
    cv2.copyTo(picture.pixels, valid.view(np.uint8), pixels)
    return replace(picture, pixels=pixels, alpha=alpha)


def transparent(picture: Picture, where: Mask) -> Picture:
    """``picture``, transparent in the places ``where``, too."""
    opaque = np.ones(where.shape, np.float32) if picture.alpha is None else picture.alpha
    return replace(picture, alpha=np.where(where, np.float32(0), opaque))


def common_area(valid: Mask) -> Area | None:
    """Nearly the largest rectangle in which every pixel is valid: its sides may be a pixel or so too far inside."""
    height, width = valid.shape
    if valid.all():
        return Area(0, 0, width, height)
    step = max(1, max(height, width) // 160)
    rows, columns = height // step, width // step
    coarse = valid[: rows * step, : columns * step].reshape(rows, step, columns, step).all(axis=(1, 3))
    found = _largest_rectangle(np.asarray(coarse))
    if found is None:
        return None
    return _grown(valid, Area(*(side * step for side in found)))


def _largest_rectangle(mask: Mask) -> tuple[int, int, int, int] | None:
    """Left, top, width, height of the largest all-true rectangle: the histogram method, row by row."""
    best, area = None, 0
    heights = np.zeros(mask.shape[1] + 1, dtype=int)
    for bottom, row in enumerate(mask):
        heights[:-1] = np.where(row, heights[:-1] + 1, 0)
        if bottom + 1 < len(mask) and not (row & ~mask[bottom + 1]).any():
            continue  # what ends in this row goes on in the next
        open_bars: list[tuple[int, int]] = []  # (first column, height), heights rising
        for column, height in enumerate(heights.tolist()):
            first = column
            while open_bars and open_bars[-1][1] >= height:
                first, tall = open_bars.pop()
                if tall * (column - first) > area:
                    area = tall * (column - first)
                    best = first, bottom - tall + 1, column - first, tall
            open_bars.append((first, height))
    return best


def _grown(valid: Mask, area: Area) -> Area:
    """Move the sides of a valid rectangle outwards while its pixels stay valid, a pixel at a time in turn."""
    left, top, right, bottom = area.left, area.top, area.left + area.width, area.top + area.height
    grew = True
    while grew:
        grew = False
        if left > 0 and valid[top:bottom, left - 1].all():
            left, grew = left - 1, True
        if right < valid.shape[1] and valid[top:bottom, right].all():
            right, grew = right + 1, True
        if top > 0 and valid[top - 1, left:right].all():
            top, grew = top - 1, True
        if bottom < valid.shape[0] and valid[bottom, left:right].all():
            bottom, grew = bottom + 1, True
    return Area(left, top, right - left, bottom - top)
