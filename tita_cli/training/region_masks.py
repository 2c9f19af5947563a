"""Random mattes: the near layer (focus) or the brightly lit part (exposure) of a photograph."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tita_cli.training.sample import FloatArray, log_uniform


def random_matte(
    shape: tuple[int, int], regions: npt.NDArray[np.integer] | None, rng: np.random.Generator
) -> FloatArray:
    """A region with an anti-aliased edge: 1 inside, 0 outside, H×W.

    ``regions``: H×W labels of a segmentation; where given, most mattes are a union of its regions.
    The others are blobs, a curved half-plane or a polygon.
    """
    import cv2

    matte = None
    if regions is not None and rng.random() < 0.7:
        matte = _union(regions, rng)
    if matte is None:
        kind = rng.random()
        if kind < 0.45:
            matte = _blobs(shape, rng)
        elif kind < 0.75:
            matte = _half_plane(shape, rng)
        else:
            matte = _polygon(shape, rng)
    if rng.random() < 0.5:
        matte = 1.0 - matte
    # Clipped, because rounding in the blur can exceed 0 and 1.
    soft: FloatArray = cv2.GaussianBlur(matte, (0, 0), log_uniform(rng, 0.45, 1.2))
    return np.clip(soft, 0.0, 1.0)


def smooth_noise(shape: tuple[int, int], cells: int, rng: np.random.Generator) -> FloatArray:
    """Standard normal values on a grid of about ``cells``×``cells``, interpolated smoothly to H×W."""
    import cv2

    grid = rng.standard_normal((cells + 1, cells + 1), dtype=np.float32)
    return np.asarray(cv2.resize(grid, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC))


def tilted_plane(shape: tuple[int, int], rng: np.random.Generator) -> FloatArray:
    """A plane through the centre in a random direction, about −1 to 1 across the picture, H×W."""
    angle = rng.random() * 2 * np.pi
    y = np.linspace(-1, 1, shape[0], dtype=np.float32)[:, None]
    x = np.linspace(-1, 1, shape[1], dtype=np.float32)[None, :]
    return (np.float32(np.cos(angle)) * x + np.float32(np.sin(angle)) * y).astype(np.float32)


def _union(regions: npt.NDArray[np.integer], rng: np.random.Generator) -> FloatArray | None:
    labels, index = np.unique(regions, return_inverse=True)
    if len(labels) < 2:
        return None
    chosen = rng.random(len(labels)) < rng.uniform(0.25, 0.75)
    chosen[rng.integers(len(labels))] = True
    if chosen.all():
        chosen[rng.integers(len(labels))] = False
    return chosen.astype(np.float32)[index].reshape(regions.shape)


def _blobs(shape: tuple[int, int], rng: np.random.Generator) -> FloatArray:
    noise = smooth_noise(shape, int(rng.integers(2, 9)), rng)
    return (noise > rng.normal(0.0, 0.5)).astype(np.float32)


def _half_plane(shape: tuple[int, int], rng: np.random.Generator) -> FloatArray:
    bend = smooth_noise(shape, int(rng.integers(2, 7)), rng) * log_uniform(rng, 0.03, 0.4)
    return (tilted_plane(shape, rng) + bend > rng.uniform(-0.6, 0.6)).astype(np.float32)


def _polygon(shape: tuple[int, int], rng: np.random.Generator) -> FloatArray:
    import cv2

    corners = int(rng.integers(3, 9))
    angles = np.sort(rng.random(corners)) * 2 * np.pi
    radii = rng.uniform(0.2, 0.7, corners) * min(shape)
    centre = rng.uniform(0.2, 0.8, 2) * (shape[1], shape[0])
    points = centre + np.stack([np.cos(angles), np.sin(angles)], axis=1) * radii[:, None]
    canvas = np.zeros(shape, np.float32)
    cv2.fillPoly(canvas, [points.astype(np.int32)], 1.0)
    return canvas
