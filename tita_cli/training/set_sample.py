"""Training samples for sets: how focus stacks and exposure brackets of any number of frames are made."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch

from tita_cli.network.set_statistics import hidden_contrast
from tita_cli.network.tita_lite import INFRARED, PHOTOGRAPH
from tita_cli.training import synthesis_exposure, synthesis_patches
from tita_cli.training.augment import Camera, apply_curve, tone_curve
from tita_cli.training.crops import _random_window, draw
from tita_cli.training.manifest import Entry
from tita_cli.training.region_masks import smooth_noise, tilted_plane
from tita_cli.training.sample import ByteArray, FloatArray, Sample, log_uniform, to_float
from tita_cli.training.sources import Scene
from tita_cli.training.synthesis_focus import MARGIN as FOCUS_MARGIN
from tita_cli.training.synthesis_focus import SMALLEST_RADIUS, defocus
from tita_cli.training.synthesis_ground import ground_reference, on_black

REDUCED = 0.25
"""How often a set is drawn at twice the size, where the scene has it."""
BLACK_GROUND = 0.15
"""How often a pair of the infrared's task is made one on black ground."""
_UNSURE = np.float32((1 / 255) ** 2)


@dataclass(frozen=True, slots=True)
class SetSample:
    """One crop of a set: ``frames`` N×h×w in 0..1; ``target`` h×w; ``masks`` N×h×w, of sum 1: which frame shows each
    place best, for focus stacks; ``hot`` h×w, infrared pairs: how much brighter the target is for what is hot; ``role``
    N and ``hidden`` N×2×h/4×w/4: what the network is told of each frame (``tita_cli.network.tita_lite``)."""

    frames: FloatArray
    target: FloatArray
    masks: FloatArray | None = None
    hot: FloatArray | None = None
    role: FloatArray | None = None
    hidden: FloatArray | None = None

    def shuffled(self, rng: np.random.Generator) -> SetSample:
        order = rng.permutation(len(self.frames))
        masks, role, hidden = (None if x is None else x[order] for x in (self.masks, self.role, self.hidden))
        return replace(self, frames=self.frames[order], masks=masks, role=role, hidden=hidden)


def draw_set(entry: Entry, scene: Scene, crop: int, count: int, rng: np.random.Generator) -> SetSample:
    """A random set of about ``count`` frames of ``scene``; infrared sets and given pairs have two.

    Some are drawn at twice the size and reduced, as large pictures are when the network sees them.
    """
    factor = 2 if min(scene.shape) >= 2 * crop and rng.random() < REDUCED else 1
    sample = _drawn(entry, scene, factor * crop, count, rng)
    on_ground = entry.task == "ivf" and rng.random() < BLACK_GROUND
    if on_ground:
        sample = _on_black(sample, rng)
    hidden = hidden_contrast(torch.from_numpy(np.ascontiguousarray(sample.frames[:, None])), factor).numpy()
    role = _told("ground" if on_ground else entry.task, len(sample.frames), rng)
    sample = replace(sample, role=role, hidden=hidden)
    return (_halved(sample) if factor > 1 else sample).shuffled(rng)


def _on_black(sample: SetSample, rng: np.random.Generator) -> SetSample:
    first, second = on_black(sample.frames[0], sample.frames[1], rng)
    return SetSample(np.stack((first, second)), ground_reference(first, second), hot=np.zeros_like(first))


def _halved(sample: SetSample) -> SetSample:
    def mean(x: FloatArray) -> FloatArray:
        *lead, h, w = x.shape
        return np.ascontiguousarray(x.reshape(*lead, h // 2, 2, w // 2, 2).mean((-3, -1)))

    return replace(
        sample, frames=mean(sample.frames), target=mean(sample.target),
        masks=None if sample.masks is None else mean(sample.masks),
        hot=None if sample.hot is None else mean(sample.hot),
    )  # fmt: skip


def _drawn(entry: Entry, scene: Scene, crop: int, count: int, rng: np.random.Generator) -> SetSample:
    if entry.task == "mff" and entry.kind == "stills" and count > 2:
        sample = _focus_stack(scene, crop, count, rng)
    elif entry.task == "mef" and count > 2:
        sample = _bracket(entry, scene, crop, count, rng)
    else:
        pair = draw(entry, scene, crop, rng)
        if entry.task == "mff":
            pair = _unequal(pair, rng)
        masks = None if pair.mask is None else np.stack((pair.mask, 1 - pair.mask))
        target = pair.target
        if target is None:
            raise ValueError(f"{entry.name}: a sample without a target")
        sample = SetSample(np.stack((pair.a, pair.b)), target, masks, pair.hot)
    return sample


def _told(task: str, count: int, rng: np.random.Generator) -> FloatArray:
    """What users' files tell of their sources: many photographs have colour, some infrared says that it is."""
    if task == "ivf":
        return np.array([PHOTOGRAPH * (rng.random() < 0.5), INFRARED * (rng.random() < 0.4)], np.float32)
    if task == "ground":  # one is often coloured, as SPECT and fluorescence are
        return np.array([PHOTOGRAPH * (rng.random() < 0.4), 0], np.float32)
    role = float(rng.choice([PHOTOGRAPH, 0.0, INFRARED], p=[0.5, 0.45, 0.05]))
    return np.full(count, role, np.float32)


def _unequal(pair: Sample, rng: np.random.Generator) -> Sample:
    """A focus pair as people have them: exposures that differ, one or two pixels out of register."""
    if pair.target is None or pair.mask is None:
        return pair
    b, target_b = pair.b, pair.target
    if rng.random() < 0.3:
        gain, gamma = np.float32(log_uniform(rng, 0.8, 1.25)), log_uniform(rng, 0.85, 1.18)
        b, target_b = (np.clip(gain * np.maximum(x, 0) ** np.float32(gamma), 0, 1) for x in (b, target_b))
    if rng.random() < 0.3:
        import cv2

        h, w = b.shape
        scale, shift = 1 + rng.uniform(-0.008, 0.008), rng.uniform(-1.5, 1.5, 2)
        move = np.array([[scale, 0, shift[0] - (scale - 1) * w / 2], [0, scale, shift[1] - (scale - 1) * h / 2]])
        b, target_b = (
            np.asarray(cv2.warpAffine(x, move, (w, h), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101))
            for x in (b, target_b)
        )
    if target_b is pair.target:
        return pair
    target = pair.mask * pair.target + (1 - pair.mask) * target_b
    return replace(pair, b=b.astype(np.float32), target=target.astype(np.float32))


def _focus_stack(scene: Scene, crop: int, count: int, rng: np.random.Generator) -> SetSample:
    """A still at ``count`` focus distances: its regions or a curved surface get depths, the circle of confusion grows
    linearly with the distance from the plane of focus beyond the depth of field."""
    window = _random_window(scene, crop, FOCUS_MARGIN, rng)
    light = np.square(to_float(apply_curve(window.read(scene.frames[0]), tone_curve(rng))))
    labels = None if scene.regions is None else window.read_labels(scene.regions)
    depth = tilted_plane(light.shape, rng) + rng.uniform(0, 0.5) * smooth_noise(
        light.shape, int(rng.integers(2, 5)), rng
    )
    if labels is not None and rng.random() < 0.6:
        names, index = np.unique(labels, return_inverse=True)
        steps = rng.uniform(-1, 1, len(names)).astype(np.float32)[index].reshape(light.shape)
        depth = rng.uniform(0.1, 0.6) * depth + steps
    low, high = np.percentile(depth, (2, 98))
    depth = np.clip((depth - low) / max(high - low, 1e-3), 0, 1)
    planes = np.linspace(0.05, 0.95, count) + rng.uniform(-0.3, 0.3, count) / count
    growth = log_uniform(rng, 6.0, 30.0)
    field = rng.uniform(0.3, 0.7) / count
    radii = np.stack([growth * np.maximum(np.abs(depth - p) - field, 0) for p in planes]).astype(np.float32)
    radii = np.minimum(radii, 10)
    shape = int(rng.choice([-1, 0, 6, 8]))
    largest = max(float(radii.max()), 1.0)
    ladder = [0.0, *np.geomspace(SMALLEST_RADIUS, largest, 6)]
    blurred = np.stack([light if r == 0 else defocus(light, r, shape) for r in ladder])
    margin = window.margin
    inner = slice(margin, window.size - margin)
    at = np.interp(radii, ladder, np.arange(len(ladder)))
    below = np.minimum(at.astype(np.intp), len(ladder) - 2)
    part = (at - below).astype(np.float32)
    rows, columns = np.indices(light.shape)
    shots = np.sqrt(
        np.maximum((1 - part) * blurred[below, rows, columns] + part * blurred[below + 1, rows, columns], 0)
    )
    truth = np.sqrt(light)
    shots, truth, radii = shots[:, inner, inner], truth[inner, inner], radii[:, inner, inner]
    masks = _nearest(shots, truth, radii)
    noise = 10.0 ** rng.uniform(-2.6, -1.7) if rng.random() < 0.4 else 0.0
    gains = np.exp2(rng.uniform(-0.15, 0.15, count)) if rng.random() < 0.3 else np.ones(count)
    stored = []
    for shot, gain in zip(shots, gains, strict=True):
        image = shot * np.float32(gain)
        if noise:
            image = image + np.float32(noise) * rng.standard_normal(image.shape, dtype=np.float32)
        stored.append(np.clip(np.rint(image * 255) / 255, 0, 1).astype(np.float32))
    frames = np.stack(stored)
    # Fusion is no restoration: the target takes over what happened to the frame that is sharp.
    target = truth + (masks * (frames - shots)).sum(0)
    return _turned(SetSample(frames, np.clip(target, 0, 1).astype(np.float32), masks), rng)


def _nearest(shots: FloatArray, truth: FloatArray, radii: FloatArray) -> FloatArray:
    """N×h×w: which shot is the nearest to the truth around each place; where none differs, the least blurred."""
    import cv2

    errors = np.stack([cv2.blur(np.square(shot - truth), (7, 7)) for shot in shots])
    evidence = np.square(_UNSURE / (errors + _UNSURE))
    prior = np.exp(-np.minimum(radii - radii.min(0), 3.0)) + np.float32(1e-3)
    weight = evidence * prior
    return np.asarray(weight / weight.sum(0), np.float32)


def _bracket(entry: Entry, scene: Scene, crop: int, count: int, rng: np.random.Generator) -> SetSample:
    """Some frames of a series, or simulated exposures of a still; the reference is that of all frames."""
    window = _random_window(scene, crop, 0, rng, 0.2)
    if entry.kind == "stills":
        still = apply_curve(window.read(scene.frames[0]), tone_curve(rng))
        labels = None if scene.regions is None else window.read_labels(scene.regions)
        frames = _exposures(still, labels, count, rng)
    else:
        chosen = sorted(rng.choice(len(scene.frames), min(count, len(scene.frames)), replace=False))
        frames = exposures_between(np.stack([to_float(window.read(scene.frames[i])) for i in chosen]), count, rng)
        if rng.random() < 0.2:
            camera = Camera(noise=1.0, jpeg=0.0)
            frames = np.stack([camera.shoot(Sample(frame, frame), rng).a for frame in frames])
    return _turned(SetSample(frames, set_reference(frames)), rng)


def exposures_between(frames: FloatArray, count: int, rng: np.random.Generator) -> FloatArray:
    """N×H×W of a series and exposures between neighbours, ``count`` in all: the geometric mean of two frames is the
    exposure between them where the camera's response is a power and neither has clipped."""
    frames = frames[np.argsort(frames.mean((1, 2)))]
    missing = count - len(frames)
    if missing <= 0 or len(frames) < 2:
        return frames
    darker = rng.integers(len(frames) - 1, size=missing)
    part = rng.uniform(0.2, 0.8, (missing, 1, 1)).astype(np.float32)
    more = frames[darker] ** part * frames[darker + 1] ** (1 - part)
    return np.concatenate((frames, np.rint(more * 255) / np.float32(255)))


def _exposures(
    still: ByteArray, regions: npt.NDArray[np.integer] | None, count: int, rng: np.random.Generator
) -> FloatArray:
    exponent, shoulder = rng.normal(0.9, 0.1), max(rng.normal(0.6, 0.1), 0.2)
    light = synthesis_exposure._inverse_response(exponent, shoulder)[still]
    # A lamp in the picture, a window in a dark room: what brackets of many frames are shot for.
    light = light * synthesis_exposure._illumination(still.shape, regions, rng, rng.uniform(1.0, 2.0))
    spread = rng.uniform(2.0, 9.0)
    stops = np.linspace(-spread / 2, spread / 2, count) + rng.uniform(-0.2, 0.2, count) + rng.uniform(-1, 0.5)
    curve = synthesis_exposure._response(exponent, shoulder)
    shot, read = 10.0 ** rng.uniform(-5.0, -3.3), 10.0 ** rng.uniform(-4.0, -2.7)
    frames = []
    for stop in stops:
        exposed = light * np.float32(2.0**stop)
        noise = rng.standard_normal(exposed.shape, dtype=np.float32)
        noisy = exposed + noise * np.sqrt(exposed * np.float32(shot) + np.float32(read * read))
        frames.append(to_float(synthesis_exposure._develop(noisy, curve)))
    return np.stack(frames)


def set_reference(frames: FloatArray) -> FloatArray:
    """N×H×W → the structural patch decomposition of all frames, H×W: ``exposure_reference`` for any number."""
    p, mean = synthesis_patches, synthesis_patches._mean
    n = len(frames)
    means = np.stack([mean(f) for f in frames])
    contrast = np.stack(
        [np.sqrt(np.maximum(mean(f * f) - m**2, 0)) + p.FLAT for f, m in zip(frames, means, strict=True)]
    )
    strongest = contrast.max(0)
    weight = (contrast / strongest) ** p.STRUCTURE_EXPONENT
    length = (weight**2).sum(0)
    for i in range(n):
        for j in range(i + 1, n):
            alike = (mean(frames[i] * frames[j]) - means[i] * means[j]) / (contrast[i] * contrast[j])
            length += 2 * weight[i] * weight[j] * alike
    length = np.sqrt(np.maximum(length, p.OPPOSED**2))
    scale = p.GAIN * strongest * weight / (contrast * length)
    lead = -np.stack([p._misexposure(f, m) for f, m in zip(frames, means, strict=True)])
    share = np.exp(lead - lead.max(0))
    level = (share * means).sum(0) / share.sum(0)
    fused = mean(level - (scale * means).sum(0))
    for i in range(n):
        fused = fused + mean(scale[i]) * frames[i]
    return np.clip(fused, 0, 1).astype(np.float32)


def _turned(sample: SetSample, rng: np.random.Generator) -> SetSample:
    quarters, mirror = int(rng.integers(4)), bool(rng.random() < 0.5)

    def turn(image: FloatArray) -> FloatArray:
        image = np.rot90(image, quarters, axes=(-2, -1))
        return np.ascontiguousarray(image[..., ::-1] if mirror else image)

    return replace(
        sample, frames=turn(sample.frames), target=turn(sample.target),
        masks=None if sample.masks is None else turn(sample.masks),
    )  # fmt: skip
