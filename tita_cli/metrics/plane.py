"""``Plane``: one channel of an image, with cached intermediates that several metrics share."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Window:
    """A square Gaussian window of odd ``size``, or a flat one where ``sigma`` is None. Its weights sum to 1."""

    size: int
    sigma: float | None = None

    def weights(self) -> Array:
        """The one-dimensional factor of the window: ``size`` values."""
        if self.sigma is None:
            return np.full(self.size, 1.0 / self.size)
        offset = np.arange(self.size) - self.size // 2
        weights = np.exp(-(offset**2) / (2.0 * self.sigma**2))
        return np.asarray(weights / weights.sum())

    def valid(self, values: Array) -> Array:
        """Weighted mean of ``values`` in every window that lies inside: (H - size + 1)×(W - size + 1)."""
        weights, edge = self.weights(), self.size // 2
        smooth = cv2.sepFilter2D(values, cv2.CV_64F, weights, weights, borderType=cv2.BORDER_REFLECT)
        return np.asarray(smooth[edge : smooth.shape[0] - edge, edge : smooth.shape[1] - edge])

    def same(self, values: Array) -> Array:
        """Weighted mean in every window, with zeros outside the image: H×W."""
        weights = self.weights()
        return np.asarray(cv2.sepFilter2D(values, cv2.CV_64F, weights, weights, borderType=cv2.BORDER_CONSTANT))


class Field:
    """Real values over the image, H×W, and their windowed statistics, computed once."""

    def __init__(self, values: Array) -> None:
        """``values``: H×W float64, not to be changed afterwards."""
        self.values = values
        self._moments: dict[Window, tuple[Array, Array]] = {}

    @property
    def shape(self) -> tuple[int, int]:
        return self.values.shape[0], self.values.shape[1]

    def moments(self, window: Window) -> tuple[Array, Array]:
        """Mean and variance in every window that lies inside."""
        if window not in self._moments:
            self._moments[window] = moments(self.values, window)
        return self._moments[window]

    def covariance(self, other: Field, window: Window) -> Array:
        """Covariance with ``other`` in every window that lies inside."""
        return window.valid(self.values * other.values) - self.moments(window)[0] * other.moments(window)[0]


class Plane(Field):
    """One channel of an image, H×W uint8, as the metrics take it.

    As in the published code: 8 bits, converted to double without scaling, 256 grey values.
    """

    def __init__(self, pixels: Bytes) -> None:
        """``pixels``: H×W uint8, not to be changed afterwards. Raises TypeError for anything else."""
        if pixels.dtype != np.uint8 or pixels.ndim != 2:
            raise TypeError(f"a plane is H×W uint8, not {pixels.dtype} of shape {pixels.shape}")
        super().__init__(pixels.astype(np.float64))
        self.pixels = pixels
        self._joint: dict[Plane, Array] = {}

    @cached_property
    def histogram(self) -> Array:
        """Probability of each of the 256 grey values."""
        return np.bincount(self.pixels.ravel(), minlength=256) / self.pixels.size

    @cached_property
    def stretched(self) -> Bytes:
        """The pixels stretched to the whole range 0..255 and rounded (``normalize1`` of the published code)."""
        low, high = int(self.pixels.min()), int(self.pixels.max())
        if low == high:
            return np.zeros_like(self.pixels)
        table = np.clip((np.arange(256.0) - low) / (high - low), 0.0, 1.0) * 255.0
        rounded: Bytes = np.floor(table + 0.5).astype(np.uint8)  # half away from zero, as MATLAB rounds
        return rounded[self.pixels]

    @cached_property
    def spectrum(self) -> npt.NDArray[np.complex128]:
        """Fourier transform of the stretched pixels: H×(W//2 + 1)."""
        return np.fft.rfft2(self.stretched.astype(np.float64))

    @cached_property
    def stretched_slope(self) -> Array:
        """Sobel gradient magnitude of the stretched pixels, zeros outside."""
        across, down = sobel(self.stretched.astype(np.float64), cv2.BORDER_CONSTANT)
        return np.hypot(across, down)

    def joint(self, other: Plane) -> Array:
        """Joint probability of the stretched grey values of this plane (rows) and ``other`` (columns): 256×256."""
        if other not in self._joint:
            codes = self.stretched.astype(np.intp).ravel() * 256 + other.stretched.ravel()
            self._joint[other] = np.bincount(codes, minlength=65536).reshape(256, 256) / self.pixels.size
        return self._joint[other]


def moments(values: Array, window: Window) -> tuple[Array, Array]:
    """Mean and variance of ``values`` in every window that lies inside."""
    mean = window.valid(values)
    return mean, window.valid(values * values) - mean * mean


def sobel(values: Array, border: int) -> tuple[Array, Array]:
    """Sobel differences across (to the right) and down, H×W each, with the given OpenCV border."""
    across = cv2.Sobel(values, cv2.CV_64F, 1, 0, ksize=3, borderType=border)
    down = cv2.Sobel(values, cv2.CV_64F, 0, 1, ksize=3, borderType=border)
    return np.asarray(across), np.asarray(down)
