"""Augmentation: noise, sharpening, JPEG, misregistration and tone, as cameras and files apply them to a pair."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from tita_cli.images.quantize import quantize
from tita_cli.training.region_masks import smooth_noise
from tita_cli.training.sample import ByteArray, FloatArray, Sample, log_uniform, to_float


def tone_curve(rng: np.random.Generator, *, invert: float = 0.0) -> ByteArray | None:
    """A random change of gamma, contrast and brightness as a table of 256 grey levels, or None for no change.

    ``invert``: probability of an inverted table (white-hot to black-hot).
    """
    inverted = rng.random() < invert
    if rng.random() < 0.5 and not inverted:
        return None
    level = (np.arange(256) / 255.0) ** log_uniform(rng, 0.6, 1.6)
    if inverted:
        level = 1.0 - level
    contrast = rng.uniform(0.6, 1.1)
    level = 0.5 + (level - 0.5) * contrast + rng.uniform(-0.5, 0.5) * max(1.0 - contrast, 0.05)
    return quantize(level, 8)


def apply_curve(image: ByteArray, curve: ByteArray | None) -> ByteArray:
    """Apply a table of 256 grey levels; None leaves ``image`` unchanged."""
    import cv2

    return image if curve is None else np.asarray(cv2.LUT(image, curve))


def misregister(image: ByteArray, rng: np.random.Generator, *, pixels: float = 1.5) -> ByteArray:
    """Shift, rotate and scale ``image`` slightly: no point moves by more than about ``pixels``."""
    import cv2

    h, w = image.shape
    shift = rng.uniform(-0.6, 0.6, 2) * pixels
    slope = rng.uniform(-0.4, 0.4, 2) * pixels / (0.5 * max(h, w))
    zoom, turn = 1.0 + slope[0], slope[1]
    move = np.array([[zoom, -turn, shift[0]], [turn, zoom, shift[1]]])
    move[:, 2] += np.array([w, h]) / 2 - move[:, :2] @ (np.array([w, h]) / 2)
    return np.asarray(cv2.warpAffine(image, move, (w, h), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101))


def add_lamp(image: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Add a lamp to a visible picture: a saturated spot with a halo, which is content and not over-exposure."""
    h, w = image.shape
    y = np.arange(h, dtype=np.float32)[:, None] - np.float32(rng.uniform(0, h))
    x = np.arange(w, dtype=np.float32)[None, :] - np.float32(rng.uniform(0, w))
    size = np.float32(log_uniform(rng, 2.0, 12.0))
    distance = (x * x + y * y) / (size * size)
    return np.minimum(image + np.float32(rng.uniform(1.0, 3.0)) / (1.0 + distance * distance), np.float32(1.0))


def add_figure(infrared: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Add an upright warm figure to an infrared picture. Real pairs have few faint ones."""
    h, w = infrared.shape
    height = np.float32(log_uniform(rng, 2.0, 20.0))
    width = height * np.float32(rng.uniform(0.3, 0.8))
    y = (np.arange(h, dtype=np.float32)[:, None] - np.float32(rng.uniform(0, h))) / height
    x = (np.arange(w, dtype=np.float32)[None, :] - np.float32(rng.uniform(0, w))) / width
    # A plateau with edges about as soft as a thermal camera's.
    inside = 0.5 - 0.5 * np.tanh((np.sqrt(x * x + y * y) - 1) * height / np.float32(2.4))
    warmer: FloatArray = infrared + np.float32(log_uniform(rng, 0.05, 0.4)) * inside
    return np.minimum(warmer, np.float32(1.0))


@dataclass(frozen=True, slots=True)
class Camera:
    """Degradations by a camera, as probabilities: noise, sharpening, JPEG, and a small difference in exposure of B."""

    noise: float = 0.3
    sharpening: float = 0.0
    jpeg: float = 0.25
    gain: float = 0.0

    def shoot(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Degrade A and B.

        Fusion is not restoration: where the mask says which source is in focus, the target is degraded like that
        source, so that the network does not learn to denoise.
        """
        noise = 10.0 ** rng.uniform(-2.6, -1.6) if rng.random() < self.noise else 0.0
        coarse = bool(rng.random() < 0.3)
        sharpening = rng.uniform(0.3, 1.2) if rng.random() < self.sharpening else 0.0
        quality = int(rng.integers(60, 96)) if rng.random() < self.jpeg else 0
        gain = rng.uniform(0.95, 1.05) if rng.random() < self.gain else 1.0

        def store(image: FloatArray) -> FloatArray:
            image = _add_noise(image, noise, coarse, rng) if noise else image
            image = _sharpen(image, sharpening) if sharpening else image
            image = np.clip(image, 0.0, 1.0)
            return _as_jpeg(image, quality) if quality else image

        a, b, target = store(sample.a), store(sample.b * np.float32(gain)), sample.target
        if sample.mask is not None and target is not None:
            target = target + sample.mask * (a - sample.a) + (1.0 - sample.mask) * (b - sample.b)
            target = np.clip(target, 0.0, 1.0)
        return replace(sample, a=a, b=b, target=target)


def _add_noise(image: FloatArray, level: float, coarse: bool, rng: np.random.Generator) -> FloatArray:
    import cv2

    grain = rng.standard_normal(image.shape, dtype=np.float32)
    if coarse:  # as noise reduction leaves it; 2.8 restores the variance that the blur removes
        grain = cv2.GaussianBlur(grain, (0, 0), 0.8) * np.float32(2.8)
    return image + grain * np.float32(level)


def _sharpen(image: FloatArray, amount: float) -> FloatArray:
    import cv2

    detail: FloatArray = image - cv2.GaussianBlur(image, (0, 0), 1.0)
    return image + np.float32(amount) * detail


def _as_jpeg(image: FloatArray, quality: int) -> FloatArray:
    import cv2

    levels = (image * np.float32(255) + np.float32(0.5)).astype(np.uint8)
    _, file = cv2.imencode(".jpg", levels, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return to_float(np.asarray(cv2.imdecode(file, cv2.IMREAD_GRAYSCALE)))


def shade(image: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Multiply a visible picture by an uneven, mostly darker field, as at night or with vignetting."""
    field = smooth_noise((image.shape[0], image.shape[1]), int(rng.integers(1, 4)), rng)
    factor: FloatArray = np.exp2(np.float32(0.6) * field - np.float32(rng.uniform(0.2, 1.5)))
    lit: FloatArray = image * factor
    return np.minimum(lit, np.float32(1.0))
