"""Focus pairs from a sharp photograph: a layered or sloping scene, focused far (A) and near (B).

Defocus is applied in linear light to layers with mattes, so that a blurred foreground spreads over the background
as it does in a lens, and a blurred background does not bleed into a sharp foreground.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from tita_cli.training.region_masks import random_matte, smooth_noise, tilted_plane
from tita_cli.training.sample import ByteArray, FloatArray, Sample, closeness, log_uniform

Blur: TypeAlias = Callable[[FloatArray], FloatArray]

SMALLEST_RADIUS = 0.7
LARGEST_RADIUS = 10.0
USUAL_RADIUS = 4.5
"""Pixels. Fitted to the Lytro photographs at 520×520, where most radii are 2.5 to 8."""

MARGIN = 14
"""Pixels around the crop that the blur needs: the largest radius and the edge of a matte."""


def focus_pair(
    still: ByteArray, regions: npt.NDArray[np.integer] | None, margin: int, rng: np.random.Generator
) -> Sample:
    """Two shots of ``still``, focused far (A) and near (B), with the truth and the mask where A is sharp.

    ``still``: (h + 2·margin)×(w + 2·margin) luminance; ``regions``: labels of the same size, or None. The margin is cut
    from the result, which is h×w.
    """
    import cv2

    # Squaring approximates the display curve, well enough for highlights to spread as in a lens.
    light = np.square(still.astype(np.float32) * np.float32(1 / 255))
    if rng.random() < 0.3:  # lenses and demosaicing soften even the plane of focus a little
        light = cv2.GaussianBlur(light, (0, 0), rng.uniform(0.4, 0.9))
    kind = rng.random()
    if kind < 0.65:
        far, near, matte = _layers(light, random_matte(light.shape, regions, rng), rng)
    elif kind < 0.80:  # most crops of a real photograph lie entirely in one layer
        far, near, matte = _layers(light, np.full_like(light, float(rng.random() < 0.5)), rng)
    else:
        far, near, matte = _slope(light, rng)
    truth_far = truth_near = light
    if rng.random() < 0.1:
        near, truth_near = _breathe(near, light, rng)
    prior = 1.0 - matte
    truth = prior * truth_far + matte * truth_near
    a, b, sharp = (np.sqrt(np.maximum(image, 0.0)) for image in (far, near, truth))
    mask = closeness(a, b, sharp, prior)
    h, w = still.shape
    inner = (slice(margin, h - margin), slice(margin, w - margin))
    return Sample(a[inner], b[inner], sharp[inner], mask[inner])


def _layers(
    light: FloatArray, matte: FloatArray, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """A near layer (``matte``) in front of a far one: shots (far, near) in linear light, and the matte."""
    import cv2

    background = 1.0 - matte
    blur_far, _ = random_blur(rng)
    blurred = _normalised(blur_far, light, background)
    if rng.random() < 0.3:  # a background that recedes: its blur grows across the picture
        blur_further, _ = random_blur(rng)
        depth = _unit(tilted_plane(light.shape, rng))
        blurred += depth * (_normalised(blur_further, light, background) - blurred)
    near_shot = matte * light + background * blurred

    blur_near, radius = random_blur(rng)
    reach = 2 * int(np.ceil(2 * radius)) + 1
    hidden = _normalised(lambda image: np.asarray(cv2.blur(image, (reach, reach))), light, background)
    behind = light + matte * (hidden - light)
    far_shot = blur_near(light * matte) + (1.0 - blur_near(matte)) * behind
    return far_shot, near_shot, matte


def _slope(light: FloatArray, rng: np.random.Generator) -> tuple[FloatArray, FloatArray, FloatArray]:
    """One surface of varying depth: shots (far, near), and the share of the near one in the sharp picture.

    The circle of confusion grows linearly with the distance from the plane of focus beyond the depth of field.
    """
    depth = tilted_plane(light.shape, rng) + smooth_noise(light.shape, int(rng.integers(2, 5)), rng) * rng.uniform(
        0, 0.4
    )
    depth = _unit(depth)
    far_plane, near_plane = rng.uniform(0.0, 0.3), rng.uniform(0.7, 1.0)
    growth = log_uniform(rng, 3.0, 14.0)
    field = rng.uniform(0.15, 0.35)
    far_radius = growth * np.maximum(np.abs(depth - far_plane) - field, 0.0)
    near_radius = growth * np.maximum(np.abs(depth - near_plane) - field, 0.0)
    shape = _random_shape(rng)
    largest = max(float(far_radius.max()), float(near_radius.max()), SMALLEST_RADIUS)
    radii = [0.0, SMALLEST_RADIUS, *np.geomspace(SMALLEST_RADIUS, largest, 4)[1:]] if largest > 1 else [0.0, largest]
    levels = [light if radius == 0 else defocus(light, radius, shape) for radius in radii]
    far_shot = _between(levels, radii, far_radius)
    near_shot = _between(levels, radii, near_radius)
    matte = 1.0 / (1.0 + np.exp((near_radius - far_radius) * np.float32(4.0)))
    return far_shot, near_shot, matte.astype(np.float32)


def _breathe(shot: FloatArray, truth: FloatArray, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    """Focus breathing: the shot and its truth, magnified and shifted by a fraction of a pixel."""
    import cv2

    scale = 1.0 + rng.uniform(-0.004, 0.004)
    shift = rng.uniform(-0.4, 0.4, 2) - (scale - 1.0) * 0.5 * np.array(shot.shape[::-1])
    move = np.array([[scale, 0.0, shift[0]], [0.0, scale, shift[1]]])
    size = (shot.shape[1], shot.shape[0])

    def warp(image: FloatArray) -> FloatArray:
        return np.asarray(cv2.warpAffine(image, move, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101))

    return warp(shot), warp(truth)


def random_blur(rng: np.random.Generator) -> tuple[Blur, float]:
    """A defocus of random shape and radius, and its radius in pixels."""
    shape = _random_shape(rng)
    radius = float(np.exp(rng.triangular(*np.log([SMALLEST_RADIUS, USUAL_RADIUS, LARGEST_RADIUS]))))
    return (lambda image: defocus(image, radius, shape)), radius


def defocus(image: FloatArray, radius: float, blades: int) -> FloatArray:
    """Blur by an aperture of ``radius`` pixels: a disc (``blades`` 0), a polygon, or a Gaussian (−1)."""
    import cv2

    if blades < 0:  # along each axis a disc of radius r has the variance r²/4, and the pixel that samples it 1/12
        return np.asarray(cv2.GaussianBlur(image, (0, 0), (radius * radius / 4 + 1 / 12) ** 0.5))
    return np.asarray(cv2.filter2D(image, -1, _aperture(round(radius * 4), blades)))


def _random_shape(rng: np.random.Generator) -> int:
    return int(rng.choice([-1, -1, 0, 0, 5, 6, 7, 8]))


@lru_cache(maxsize=512)
def _aperture(quarters: int, blades: int) -> FloatArray:
    """The kernel of an aperture with a radius of ``quarters``/4 pixels, anti-aliased, of sum 1."""
    oversampling = 5
    radius = quarters / 4
    half = int(np.ceil(radius - 0.5)) or 1
    fine = (np.arange((2 * half + 1) * oversampling) + 0.5) / oversampling - half - 0.5
    x, y = fine[None, :], fine[:, None]
    if blades == 0:
        inside = x * x + y * y <= radius * radius
    else:
        # Same area as the disc, so that the radius means the same blur for every shape.
        apothem = radius * np.sqrt(np.pi / (blades * np.tan(np.pi / blades)))
        directions = np.arange(blades) * 2 * np.pi / blades + 0.3
        inside = np.all([x * np.cos(t) + y * np.sin(t) <= apothem for t in directions], axis=0)
    kernel = inside.reshape(2 * half + 1, oversampling, 2 * half + 1, oversampling).mean(axis=(1, 3))
    return np.asarray(kernel / kernel.sum(), dtype=np.float32)


def _normalised(blur: Blur, light: FloatArray, matte: FloatArray) -> FloatArray:
    """``light`` blurred by normalised convolution, so that nothing outside ``matte`` bleeds in."""
    return (blur(light * matte) / np.maximum(blur(matte), np.float32(1e-3))).astype(np.float32)


def _between(levels: list[FloatArray], radii: list[float], radius: FloatArray) -> FloatArray:
    """Blur levels interpolated linearly to a radius per pixel."""
    image = levels[0].copy()
    for lower, upper, r0, r1 in zip(levels, levels[1:], radii, radii[1:], strict=False):
        share = np.clip((radius - r0) / (r1 - r0), 0.0, 1.0).astype(np.float32)
        image += share * (upper - lower)
    return image


def _unit(image: FloatArray) -> FloatArray:
    low, high = float(image.min()), float(image.max())
    return ((image - low) / max(high - low, 1e-6)).astype(np.float32)
