"""Exposure pairs from a photograph: its dynamic range is extended, then two exposures of it are simulated.

The response curve is the two-parameter sigmoid that Eilertsen et al. (SIGGRAPH Asia 2017, "HDR image reconstruction
from a single exposure using deep CNNs") fit to the database of real response functions:
``f(H) = (1 + σ)·Hⁿ / (Hⁿ + σ)`` with n ≈ 0.9 and σ ≈ 0.6.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tita_cli.training.region_masks import random_matte, smooth_noise
from tita_cli.training.sample import ByteArray, FloatArray, Sample, to_float

_STEPS = 4095


def exposure_pair(still: ByteArray, regions: npt.NDArray[np.integer] | None, rng: np.random.Generator) -> Sample:
    """An over-exposed (A) and an under-exposed (B) frame of the scene in ``still``.

    ``still``: H×W luminance; ``regions``: labels of the same size, or None. The result has no target.
    """
    exponent, shoulder = rng.normal(0.9, 0.1), max(rng.normal(0.6, 0.1), 0.2)
    exposure = _inverse_response(exponent, shoulder)[still] * _illumination(still.shape, regions, rng)
    over, under = 2.0 ** rng.uniform(0.4, 3.2), 2.0 ** -rng.uniform(0.5, 4.0)
    if over / under < 4.0:  # frames closer than two stops leave little to fuse
        over, under = over * 1.6, under / 1.6
    curve = _response(exponent, shoulder)
    shot, read = 10.0 ** rng.uniform(-5.0, -3.3), 10.0 ** rng.uniform(-4.0, -2.7)
    frames = []
    for gain in (over, under):
        light = exposure * np.float32(gain)
        noise = rng.standard_normal(light.shape, dtype=np.float32)
        frames.append(_develop(light + noise * np.sqrt(light * np.float32(shot) + np.float32(read * read)), curve))
    return Sample(to_float(frames[0]), to_float(frames[1]))


def _illumination(
    shape: tuple[int, int], regions: npt.NDArray[np.integer] | None, rng: np.random.Generator, strength: float = 1.0
) -> FloatArray | np.float32:
    """A factor that exceeds the range of one frame: on a region (a window, the sky) or a smooth field, with
    ``strength`` times as many stops."""
    kind = rng.random()
    if kind < 0.35:
        return np.float32(1.0)
    if kind < 0.7:
        stops = (random_matte(shape, regions, rng) - np.float32(0.5)) * np.float32(rng.uniform(1.0, 4.0))
    else:
        stops = smooth_noise(shape, int(rng.integers(1, 4)), rng) * np.float32(rng.uniform(0.3, 1.2))
    return np.asarray(np.exp2(stops * np.float32(strength)))


def _inverse_response(exponent: float, shoulder: float) -> FloatArray:
    """Exposure for each of the 256 grey levels; full scale is 1."""
    level = np.arange(256) / 255.0
    return ((shoulder * level / (1.0 + shoulder - level)) ** (1.0 / exponent)).astype(np.float32)


def _response(exponent: float, shoulder: float) -> ByteArray:
    """Grey level for √exposure in steps of 1/4095; the root gives dark tones more of the steps."""
    light = (np.arange(_STEPS + 1) / _STEPS) ** 2
    power = light**exponent
    return np.rint(255.0 * (1.0 + shoulder) * power / (power + shoulder)).astype(np.uint8)


def _develop(light: FloatArray, curve: ByteArray) -> ByteArray:
    """Clip, apply the response and round to 8 bits."""
    index = np.sqrt(np.clip(light, 0.0, 1.0)) * np.float32(_STEPS) + np.float32(0.5)
    return curve[index.astype(np.uint16)]
