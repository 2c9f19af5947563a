"""``Sample``: one training crop, and helpers that reading and synthesis share."""

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
    """One crop of a pair. All planes are h×w float32 in 0..1.

    ``target``: the truth or reference: the sharp image of a focus pair, the fused reference of other pairs.
    ``mask``: for focus pairs, 1 where A is sharper, 0 where B is, in between at transitions and where neither is.
    ``hot``: for infrared pairs, the brightness that the target adds for hot targets.
    """

    a: FloatArray
    b: FloatArray
    target: FloatArray | None = None
    mask: FloatArray | None = None
    hot: FloatArray | None = None

    def swapped(self) -> Sample:
        """The sample with A and B exchanged."""
        return replace(self, a=self.b, b=self.a, mask=None if self.mask is None else 1.0 - self.mask)

    def cut(self, rows: slice, columns: slice) -> Sample:
        """A part of the sample."""

        return self._each(lambda image: image[rows, columns])

    def turned(self, quarters: int, *, mirror: bool) -> Sample:
        """Rotated by ``quarters``·90° and then optionally mirrored left to right."""

        def turn(image: FloatArray) -> FloatArray:
            image = np.rot90(image, quarters)
            return image[:, ::-1] if mirror else image

        return self._each(turn)

    def _each(self, change: Callable[[FloatArray], FloatArray]) -> Sample:
        def changed(image: FloatArray | None) -> FloatArray | None:
            return None if image is None else change(image)

        known = (changed(image) for image in (self.target, self.mask, self.hot))
        return Sample(change(self.a), change(self.b), *known)


def to_float(image: ByteArray) -> FloatArray:
    """uint8 0..255 to float32 0..1."""
    return image.astype(np.float32) * np.float32(1 / 255)


def closeness(
    a: FloatArray, b: FloatArray, truth: FloatArray, prior: FloatArray | float, *, window: int = 7
) -> FloatArray:
    """1 where A is closer to the truth than B, 0 where B is, ``prior`` where both are equally close.

    All H×W in 0..1. Compares squared errors averaged over ``window``×``window`` pixels; differences below one level of
    255 count as none.
    """
    import cv2

    error_a = cv2.blur(np.square(a - truth), (window, window))
    error_b = cv2.blur(np.square(b - truth), (window, window))
    # Squared again, so that a source with twice the error gets a weight of 1/5 instead of 1/3.
    evidence_a, evidence_b = np.square(error_b), np.square(error_a)
    unsure = np.float32((1 / 255) ** 4)
    mask: FloatArray = (evidence_a + unsure * prior) / (evidence_a + evidence_b + unsure)
    return mask


def log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """A random number in ``low``..``high`` whose logarithm is uniform."""
    return float(low * (high / low) ** rng.random())
