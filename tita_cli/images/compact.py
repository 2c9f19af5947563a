"""A decoded picture in the integers of its file: a quarter or half of the memory that its floats take."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from tita_cli.images.picture import FloatArray, Picture

_STRIP = 1 << 18  # samples that stay in the cache


@dataclass(frozen=True, slots=True)
class Compact:
    """``samples``: H×W×C uint8 or uint16. ``like``: the picture without its pixels. ``white``: the sample that is 1."""

    samples: npt.NDArray[Any]
    like: Picture
    white: float

    @classmethod
    def of(cls, picture: Picture) -> Compact | None:
        """None where integers would not give back the very same floats."""
        black, white = picture.levels
        if picture.depth == 32 or black != 0 or not 1 < white < 1 << 16:
            return None
        samples = np.empty(picture.pixels.shape, np.uint8 if white < 1 << 8 else np.uint16)
        rows = max(1, _STRIP // picture.pixels[:1].size)
        for top in range(0, picture.height, rows):
            pixels = picture.pixels[top : top + rows]
            part = np.rint(pixels * np.float32(white))
            samples[top : top + rows] = part
            if not np.array_equal(_floats(samples[top : top + rows], white), pixels):
                return None
        return cls(samples, replace(picture, pixels=np.empty((0, 0, picture.pixels.shape[2]), np.float32)), white)

    def picture(self) -> Picture:
        """The picture that it was made of."""
        return replace(self.like, pixels=_floats(self.samples, self.white))

    def part(self, rows: slice, columns: slice) -> Picture:
        """A rectangle of it."""
        alpha = None if self.like.alpha is None else self.like.alpha[rows, columns]
        return replace(self.like, pixels=_floats(self.samples[rows, columns], self.white), alpha=alpha)

    @property
    def nbytes(self) -> int:
        return self.samples.nbytes + (0 if self.like.alpha is None else self.like.alpha.nbytes)


def _floats(samples: npt.NDArray[Any], white: float) -> FloatArray:
    return np.asarray(np.divide(samples, np.float32(white), dtype=np.float32))
