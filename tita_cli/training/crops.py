"""From a scene to a sample: choose a window and a scale, read or synthesise the pair, augment it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from tita_cli.training import synthesis_exposure, synthesis_focus
from tita_cli.training.augment import Camera, add_figure, add_lamp, apply_curve, misregister, shade, tone_curve
from tita_cli.training.manifest import Entry
from tita_cli.training.sample import ByteArray, Sample, to_float
from tita_cli.training.sources import Scene
from tita_cli.training.synthesis_infrared import MARGIN, infrared_contrast, infrared_reference
from tita_cli.training.synthesis_patches import exposure_reference
from tita_cli.training.synthesis_thermal import miss_exposure, thermal_picture

_SMALLEST_SCALE = 0.5
_SMALLEST_INFRARED = 0.3
"""Hot targets are judged against the contrast of the whole picture, so infrared crops show more of it."""
_SMALLEST_EXPOSURE = 0.2
"""Exposure is judged over the whole frame, so these crops may be a whole frame scaled down."""

_FOCUS_CAMERA = Camera(sharpening=0.3, gain=0.15)
_EXPOSURE_CAMERA = Camera(noise=0.0)  # the synthesis adds noise before the response curve
_REAL_CAMERA = Camera(noise=0.15, jpeg=0.15)  # photographs have noise and JPEG already
_INFRARED_RIG = Camera()


def draw(entry: Entry, scene: Scene, crop: int, rng: np.random.Generator) -> Sample:
    """A random crop×crop sample of ``scene``: read as ``entry`` says, augmented, rotated, perhaps swapped."""
    if entry.task == "ivf":
        sample = _infrared(entry, scene, crop, rng)
    elif entry.kind == "stills":
        sample = _synthesised(entry, scene, crop, rng)
    else:
        sample = _photographed(entry, scene, crop, rng)
    sample = sample.turned(int(rng.integers(4)), mirror=bool(rng.random() < 0.5))
    return sample.swapped() if rng.random() < entry.swap else sample


def _synthesised(entry: Entry, scene: Scene, crop: int, rng: np.random.Generator) -> Sample:
    focus = entry.task == "mff"
    window = _random_window(scene, crop, synthesis_focus.MARGIN if focus else 0, rng)
    still = apply_curve(window.read(scene.frames[0]), tone_curve(rng))
    regions = None if scene.regions is None else window.read_labels(scene.regions)
    if focus:
        return _FOCUS_CAMERA.shoot(synthesis_focus.focus_pair(still, regions, window.margin, rng), rng)
    sample = synthesis_exposure.exposure_pair(still, regions, rng)
    return _with_reference(entry, _EXPOSURE_CAMERA.shoot(sample, rng))


def _photographed(entry: Entry, scene: Scene, crop: int, rng: np.random.Generator) -> Sample:
    """A real pair, a synthetic one with its truth, or two frames of an exposure series."""
    a, b = _bracket(scene.frames, rng) if len(scene.frames) > 2 else scene.frames
    window = _random_window(scene, crop, 0, rng, _SMALLEST_EXPOSURE if entry.task == "mef" else _SMALLEST_SCALE)
    curve = tone_curve(rng) if scene.mask is not None else None
    sample = Sample(
        to_float(apply_curve(window.read(a), curve)),
        to_float(apply_curve(window.read(b), curve)),
        None if scene.target is None else to_float(apply_curve(window.read(scene.target), curve)),
        None if scene.mask is None else to_float(window.read(scene.mask)),
    )
    return _with_reference(entry, _REAL_CAMERA.shoot(sample, rng))


def _with_reference(entry: Entry, sample: Sample) -> Sample:
    """Give an exposure pair its reference, computed from the augmented crop that the network will see."""
    if entry.task != "mef" or not entry.reference or sample.target is not None:
        return sample
    return replace(sample, target=exposure_reference(sample.a, sample.b))


def _infrared(entry: Entry, scene: Scene, crop: int, rng: np.random.Generator) -> Sample:
    window = _random_window(scene, crop, MARGIN, rng, _SMALLEST_INFRARED)
    visible = window.read(scene.frames[0])
    a = to_float(apply_curve(visible, tone_curve(rng)))
    if entry.kind == "stills":
        b = thermal_picture(visible, None if scene.regions is None else window.read_labels(scene.regions), rng)
        a = miss_exposure(a, rng) if rng.random() < 0.5 else a
    else:
        infrared = window.read(scene.frames[1])
        if window.margin and rng.random() < 0.15:
            infrared = misregister(infrared, rng)
        b = to_float(apply_curve(infrared, tone_curve(rng, invert=0.05)))
    if rng.random() < 0.1:
        a = shade(a, rng)
    if rng.random() < 0.07:
        a = add_lamp(a, rng)
    for _ in range(int(rng.integers(1, 4)) if rng.random() < 0.4 else 0):
        b = add_figure(b, rng)
    sample = _INFRARED_RIG.shoot(Sample(a, b), rng)
    inner = slice(window.margin, window.size - window.margin)
    shown = sample.cut(inner, inner)
    if not entry.reference:
        return shown
    # Computed from the degraded pictures: a clean reference would teach the network to smooth.
    reference = infrared_reference(sample.a, sample.b, infrared_contrast(shown.a, shown.b))
    return replace(shown, target=reference.image[inner, inner], hot=reference.hot[inner, inner])


def _bracket(series: tuple[ByteArray, ...], rng: np.random.Generator) -> tuple[ByteArray, ByteArray]:
    """Two frames (brighter, darker) on either side of the middle exposure; distant ones more often."""
    middle = (len(series) - 1) / 2
    choices = [
        (dark, bright)
        for dark in range(len(series))
        for bright in range(dark + 1, len(series))
        if dark <= middle <= bright
    ]
    weights = np.array([(bright - dark) ** 2 for dark, bright in choices], dtype=np.float64)
    dark, bright = choices[int(rng.choice(len(choices), p=weights / weights.sum()))]
    return series[bright], series[dark]


@dataclass(frozen=True, slots=True)
class _Window:
    """A square of the source which, scaled down, becomes the crop with ``margin`` pixels around it."""

    y: int
    x: int
    source: int
    size: int
    margin: int

    def read(self, image: ByteArray) -> ByteArray:
        import cv2

        part = image[self.y : self.y + self.source, self.x : self.x + self.source]
        if self.source == self.size:
            return part
        return np.asarray(cv2.resize(part, (self.size, self.size), interpolation=cv2.INTER_AREA))

    def read_labels(self, labels: npt.NDArray[np.integer]) -> npt.NDArray[np.integer]:
        pick = self.y + (np.arange(self.size) * self.source) // self.size
        across = self.x + (np.arange(self.size) * self.source) // self.size
        return np.asarray(labels[pick[:, None], across[None, :]])

    def contrast(self, image: ByteArray) -> float:
        """Standard deviation of every fourth pixel."""
        return float(image[self.y : self.y + self.source : 4, self.x : self.x + self.source : 4].std())


def _random_window(
    scene: Scene, crop: int, margin: int, rng: np.random.Generator, smallest: float = _SMALLEST_SCALE
) -> _Window:
    """A random window; every other time the one of two with more contrast, since flat areas teach little."""
    first, second = (_anywhere(scene.shape, crop, margin, rng, smallest) for _ in range(2))
    if rng.random() < 0.5:
        return first
    ends = (scene.frames[0], scene.frames[-1])
    return max(first, second, key=lambda window: sum(window.contrast(frame) for frame in ends))


def _anywhere(
    shape: tuple[int, int], crop: int, margin: int, rng: np.random.Generator, smallest: float = _SMALLEST_SCALE
) -> _Window:
    """A random window: half of them at full scale, the others scaled by ``smallest`` to 1, as the size allows.

    The margin is reduced where the source is too small for it.
    """
    side = min(shape)
    scale = 1.0 if rng.random() < 0.5 else rng.uniform(min(max(smallest, crop / side), 1.0), 1.0)
    margin = max(min(margin, (int(side * scale) - crop) // 2), 0)
    size = crop + 2 * margin
    source = min(round(size / scale), side)
    y, x = int(rng.integers(shape[0] - source + 1)), int(rng.integers(shape[1] - source + 1))
    return _Window(y, x, source, size, margin)
