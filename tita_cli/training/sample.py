"""``Sample``: one training crop, and the small helpers that every maker of samples shares."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

FloatArray: TypeAlias = npt.NDArray[np.float32]
ByteArray: TypeAlias = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Sample:
    """One crop of a pair. Everything is h×w float32 in 0..1.

    ``target``: the truth where it is known: the sharp image of a focus pair, the fused reference of an exposure pair.
    ``mask``: focus pairs: 1 where A is the sharper one, 0 where B is, between where neither is or they change over.
    ``glow``: infrared pairs: how much brighter the target is for what glows against its surroundings.
    """

    a: FloatArray
    b: FloatArray
    target: FloatArray | None = None
    mask: FloatArray | None = None
    glow: FloatArray | None = None

    def swapped(self) -> Sample:
        """The same sample with A and B in each other's place."""
        return replace(self, a=self.b, b=self.a, mask=None if self.mask is None else 1.0 - self.mask)

    def cut(self, rows: slice, columns: slice) -> Sample:
        """A part of the sample."""

        return self._each(lambda image: image[rows, columns])

    def turned(self, quarters: int, *, mirror: bool) -> Sample:
        """Turned by ``quarters``·90° and then, if asked, mirrored left to right."""

        def turn(image: FloatArray) -> FloatArray:
            image = np.rot90(image, quarters)
            return image[:, ::-1] if mirror else image

        return self._each(turn)

    def _each(self, change: Callable[[FloatArray], FloatArray]) -> Sample:
        def changed(image: FloatArray | None) -> FloatArray | None:
            return None if image is None else change(image)

        known = (changed(image) for image in (self.target, self.mask, self.glow))
        return Sample(change(self.a), change(self.b), *known)


def to_float(image: ByteArray) -> FloatArray:
    """0..255 to 0..1."""
    return image.astype(np.float32) * np.float32(1 / 255)


def closeness(
    a: FloatArray, b: FloatArray, truth: FloatArray, prior: FloatArray | float, *, window: int = 7
) -> FloatArray:
    """Where A is nearer to the truth than B: 1, where B is: 0; the prior where both are equally near.

    All H×W in 0..1. Compares the squared errors, averaged over ``window``×``window`` pixels; one grey level of 255 is
    what counts as no difference.
    """
    import cv2

    error_a = cv2.blur(np.square(a - truth), (window, window))
    error_b = cv2.blur(np.square(b - truth), (window, window))
    # Squared once more, so that a source twice as far from the truth gets a fifth of the say instead of a third.
    evidence_a, evidence_b = np.square(error_b), np.square(error_a)
    unsure = np.float32((1 / 255) ** 4)
    mask: FloatArray = (evidence_a + unsure * prior) / (evidence_a + evidence_b + unsure)
    return mask


def log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """A number between ``low`` and ``high`` whose logarithm is uniform."""
    return float(low * (high / low) ** rng.random())
