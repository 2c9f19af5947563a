"""What pictures of one scene have in common whatever the sensor: the direction of their edges, as a vector field.

Three fields, H×W×2 float32:

- ``orientation_field``: normalised gradients in double-angle form, m²/(m²+ε²)·(cos 2θ, sin 2θ). A gradient and its
  opposite give the same vector, so that edges match where contrast is reversed (infrared and visible, CT and MRI). The
  inner product of two such vectors is the normalised-gradient-field similarity of Haber and Modersitzki (2006),
  2cos²Δθ − 1.
- ``gradient_field``: normalised gradients with their sign, g/√(m²+ε²). Independent of exposure, and more precise than
  the orientation where both sources come from one kind of sensor.
- ``band_field``: a band of spatial frequencies that defocus does not change, at unit local contrast (its second
  component is zero). The most precise of the three between focus distances, the least between exposures.

ε is the noise level: gradients below it do not count.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from threading import RLock
from typing import Any, TypeAlias, TypeVar

import cv2
import numpy as np

from tita_cli.align.geometry import Matrix, Size, resizing
from tita_cli.images.picture import FloatArray, Picture

Field: TypeAlias = FloatArray
FieldOf: TypeAlias = Callable[[FloatArray], Field]
_Derived = TypeVar("_Derived")
_Further = TypeVar("_Further")

_PRESMOOTHING = 0.8
_POSTSMOOTHING = 0.6
_QUANTIZATION = 0.5 / 255.0
_HALVED = 320  # px of the longer side, up to which a plane is made from one of twice that and not from the largest


def luminance(picture: Picture) -> FloatArray:
    """H×W float32: BT.601 luma in 0..1; a float picture, whose range is its own, is stretched between percentiles."""
    pixels = picture.pixels
    plane = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY) if picture.is_color else np.ascontiguousarray(pixels[..., 0])
    if picture.depth != 32:
        return np.asarray(plane, dtype=np.float32)
    plane = np.nan_to_num(plane, posinf=0.0, neginf=0.0)
    sample = plane[:: max(1, picture.height // 512), :: max(1, picture.width // 512)]
    low, high = np.percentile(sample, (0.5, 99.5))
    stretched = (plane - np.float32(low)) / np.float32(max(high - low, 1e-12))
    return np.asarray(np.clip(stretched, 0.0, 1.0), dtype=np.float32)


def _gradient(plane: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Smoothed derivatives in x and y, and the sum of their squares and ε²."""
    smooth = cv2.GaussianBlur(plane, (0, 0), _PRESMOOTHING)
    gx = cv2.Sobel(smooth, cv2.CV_32F, 1, 0, ksize=3, scale=1 / 8)
    gy = cv2.Sobel(smooth, cv2.CV_32F, 0, 1, ksize=3, scale=1 / 8)
    energy = gx * gx + gy * gy
    energy += max(float(np.median(energy)), _QUANTIZATION**2)
    return gx, gy, energy


def orientation_field(plane: FloatArray) -> Field:
    """H×W luminance → H×W×2 double-angle normalised gradients."""
    gx, gy, energy = _gradient(plane)
    vectors = np.dstack([(gx * gx - gy * gy) / energy, 2.0 * gx * gy / energy])
    return np.asarray(cv2.GaussianBlur(vectors, (0, 0), _POSTSMOOTHING))


def gradient_field(plane: FloatArray) -> Field:
    """H×W luminance → H×W×2 normalised gradients."""
    gx, gy, energy = _gradient(plane)
    weight = 1.0 / np.sqrt(energy)
    return np.asarray(cv2.GaussianBlur(np.dstack([gx * weight, gy * weight]), (0, 0), _POSTSMOOTHING))


def band_field(plane: FloatArray) -> Field:
    """H×W luminance → H×W×2: a difference of Gaussians over its local standard deviation."""
    band = cv2.GaussianBlur(plane, (0, 0), 2.0) - cv2.GaussianBlur(plane, (0, 0), 5.0)
    height, width = plane.shape
    energy = cv2.resize(band * band, (max(1, width // 4), max(1, height // 4)), interpolation=cv2.INTER_AREA)
    around = cv2.resize(cv2.GaussianBlur(energy, (0, 0), 3.0), (width, height), interpolation=cv2.INTER_LINEAR)
    contrast = np.sqrt(np.maximum(around, 0.0)) + np.float32(2.0 * _QUANTIZATION)
    return np.dstack([band / contrast, np.zeros_like(band)])


@dataclass
class View:
    """One picture as an estimator sees it: its luminance at several sizes, and fields made of it on demand.

    ``plane``: H×W luminance at the largest working size; ``full``: the picture's own size in pixels. Several threads
    may ask at a time.
    """

    plane: FloatArray
    full: Size
    _fields: dict[tuple[int, Callable[..., Any]], tuple[Any, Matrix]] = field(default_factory=dict)
    _lock: RLock = field(default_factory=RLock, repr=False, compare=False)

    @classmethod
    def of(cls, picture: Picture, longest: int) -> View:
        """The view of ``picture``, reduced so that its longer side has at most ``longest`` pixels."""
        return cls(reduced(luminance(picture), longest), (picture.width, picture.height))

    @property
    def longest(self) -> int:
        """The longer side of ``plane``."""
        return int(max(self.plane.shape))

    def at(self, longest: int, field_of: Callable[[FloatArray], _Derived]) -> tuple[_Derived, Matrix]:
        """What ``field_of`` makes of the luminance at a size whose longer side has at most ``longest`` pixels, made
        once; and the matrix full → that size."""
        key = (longest, field_of)
        with self._lock:
            if key not in self._fields:
                plane = self.plane if longest > _HALVED else self.at(2 * _HALVED, np.asarray)[0]
                plane = reduced(plane, longest)
                self._fields[key] = field_of(plane), resizing(self.full, (plane.shape[1], plane.shape[0]))
            return self._fields[key]

    def derived(
        self, longest: int, field_of: Callable[[FloatArray], _Derived], derive: Callable[[_Derived], _Further]
    ) -> _Further:
        """What ``derive`` makes of what :meth:`at` gives, made once."""
        key = (longest, derive)
        with self._lock:
            if key not in self._fields:
                made, matrix = self.at(longest, field_of)
                self._fields[key] = derive(made), matrix
            further: _Further = self._fields[key][0]
            return further


def reduced(plane: FloatArray, longest: int) -> FloatArray:
    """``plane`` itself, or averaged down so that its longer side has ``longest`` pixels."""
    height, width = plane.shape
    scale = longest / max(height, width)
    if scale >= 1.0:
        return plane
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return np.asarray(cv2.resize(plane, size, interpolation=cv2.INTER_AREA))
