"""Pictures that show how well two pictures are aligned."""

from __future__ import annotations

import cv2
import numpy as np

from tita_cli.align.ecc import Gradients, block_shifts, sample
from tita_cli.align.geometry import FRAME
from tita_cli.align.pair import field_for
from tita_cli.align.structure import luminance, reduced
from tita_cli.images.picture import FloatArray, Picture

_CELLS = 8  # of the chequerboard, along the shorter side
_BLOCKS = 24  # of the residual map, along the longer side
_FIELD = 1280
_SAMPLES = 80_000
WORST = 4.0
"""Residual, in pixels on a 640-px-wide frame, from which the residual map is as bright as it gets."""


def checkerboard(reference: Picture, placed: Picture) -> Picture:
    """Squares of the one and of the other in turn: edges continue across them where the two match."""
    one, two = _views(reference, placed)
    edge = max(8, min(one.shape) // _CELLS)
    y, x = np.arange(one.shape[0])[:, None], np.arange(one.shape[1])[None, :]
    return _picture(np.where((y // edge + x // edge) % 2 == 0, one, two)[..., None], "checkerboard")


def red_cyan(reference: Picture, placed: Picture) -> Picture:
    """The reference in red, the other in cyan: grey where they match, coloured fringes where they do not."""
    one, two = _views(reference, placed)
    return _picture(np.dstack([one, two, two]), "red-cyan")


def residual_map(reference: Picture, placed: Picture) -> Picture:
    """How far each block still is from where it matches best: black to yellow, brightest at ``WORST`` and above.

    Where a block has too little structure to measure, the darkened reference shows.
    """
    plane, other = (reduced(luminance(picture), _FIELD) for picture in (reference, placed))
    field_of = field_for(plane, other)
    fixed, moving = field_of(plane), field_of(other)
    samples = sample(fixed, _SAMPLES)
    height, width = plane.shape
    edge = max(8, -(-max(width, height) // _BLOCKS))
    rows, columns = -(-height // edge), -(-width // edge)
    block = (samples.y // edge).astype(np.intp) * columns + (samples.x // edge).astype(np.intp)
    shifts = np.full((rows * columns, 2), np.nan)
    measured = block_shifts(samples, Gradients(moving), np.eye(3), block)
    shifts[: len(measured)] = measured
    length = np.hypot(shifts[:, 0], shifts[:, 1]).reshape(rows, columns) * FRAME / width
    told = np.isfinite(length)
    heat = cv2.applyColorMap(
        (np.clip(np.nan_to_num(length) / WORST, 0, 1) * 255).astype(np.uint8), cv2.COLORMAP_INFERNO
    )
    blocks = np.dstack([heat[..., ::-1], told * np.uint8(255)]).repeat(edge, axis=0).repeat(edge, axis=1)
    blocks = cv2.resize(
        blocks[:height, :width], (reference.width, reference.height), interpolation=cv2.INTER_NEAREST
    ).astype(np.float32) / np.float32(255)
    shown = np.float32(0.35) * _stretched(luminance(reference))[..., None]
    seen = blocks[..., 3:]
    return _picture(
        np.where(seen > 0, np.float32(0.75) * blocks[..., :3] + np.float32(0.25) * shown, shown), "residual"
    )


def _views(reference: Picture, placed: Picture) -> tuple[FloatArray, FloatArray]:
    return _stretched(luminance(reference)), _stretched(luminance(placed))


def _stretched(plane: FloatArray) -> FloatArray:
    """Stretched between percentiles, so that a dark infrared frame shows beside a bright photograph."""
    low, high = np.percentile(plane[:: max(1, plane.shape[0] // 512), :: max(1, plane.shape[1] // 512)], (0.5, 99.5))
    return np.asarray(np.clip((plane - low) / max(high - low, 1e-6), 0.0, 1.0), dtype=np.float32)


def _picture(pixels: FloatArray, name: str) -> Picture:
    return Picture(np.ascontiguousarray(pixels, dtype=np.float32), name=name)
