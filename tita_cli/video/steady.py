"""Keep a network's decisions steady from frame to frame, without lagging behind what moves.

A network that sees one pair of frames at a time decides a little differently on the next, for noise or for something
that entered at the other end of the picture. Its shares are therefore averaged over time, along the motion, wherever
the sources show the same as before. Where they do not, the decision of the frame itself holds: a trace behind a moving
target is impossible by construction.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from tita_cli.images.picture import FloatArray
from tita_cli.runtime.set_engine import Decision

_CELL = 2
"""Pixels of the network's input to a side of what is compared."""
_ALIKE, _OTHER = 4.0, 8.0
"""Differences, in medians of what noise makes, up to which a place shows the same, and from which it does not."""
_LEAST_NOISE = np.float32(0.0015)
_NOISE_SECONDS = 1.0
_MARGIN = 11
"""Cells around a change, in which the network's decision may rest on it."""
_MOVING = 0.3
"""Share of the cells that show something else, from which motion is estimated."""
_GAIN = 1.25
"""By how much a camera may change its gain from frame to frame."""


@dataclass(slots=True)
class _State:
    """After a frame: ``cells``, N×h×w, what the sources showed; ``age``, h×w, how many frames each place's average is
    of; the averaged decision; the time."""

    cells: FloatArray
    age: FloatArray
    decision: Decision
    time: float


class Steady:
    """Averages decisions over ``seconds``; 0 leaves every frame's as it is."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._state: _State | None = None
        self._noise: FloatArray | None = None

    def settled(self, decision: Decision, images: FloatArray, time: float) -> Decision:
        """The decision for the frame at ``time`` (seconds), of which the network saw ``images``, N×H×W in 0..1."""
        if self._seconds <= 0:
            return decision
        height, width = images.shape[1] // _CELL, images.shape[2] // _CELL
        cells = np.stack([cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA) for image in images])
        before = self._state
        age = np.zeros((height, width), np.float32)
        if before is not None and before.cells.shape == cells.shape and before.time < time:
            same, motion = self._same(before.cells, cells, time - before.time)
            age = same * (before.age if motion is None else _moved(before.age, motion))
            least = np.float32(-math.expm1(-(time - before.time) / self._seconds))
            fresh = 1 - same * (1 - np.maximum(2 / (age + 2), least))
            decision = _averaged(before.decision, decision, fresh, motion)
        self._state = _State(cells, age + 1, decision, time)
        return decision

    def _same(self, before: FloatArray, now: FloatArray, elapsed: float) -> tuple[FloatArray, FloatArray | None]:
        """h×w in 0..1, how far each place shows the same as before; and the motion, h×w×2 in cells, None for none."""
        differences = _differences(before, now)
        grain = np.array([_grain(plane) for plane in now], np.float32)
        if self._noise is None:
            self._noise = self._measured(differences, grain)
        same = self._alike(differences)
        motion = None
        if float((same < 0.5).mean()) > _MOVING:
            motion = _motion(before, now)
            followed = _differences(np.stack([_moved(plane, motion) for plane in before]), now)
            better = followed.max(0) < differences.max(0)
            motion *= better[..., None]
            differences = np.where(better, followed, differences)
            same = self._alike(differences)
        share = np.float32(-math.expm1(-elapsed / _NOISE_SECONDS))
        self._noise += share * (self._measured(differences, grain) - self._noise)
        kernel = np.ones((_MARGIN, _MARGIN), np.uint8)
        return np.asarray(cv2.blur(cv2.erode(same, kernel), (3, 3))), motion

    @staticmethod
    def _measured(differences: FloatArray, grain: FloatArray) -> FloatArray:
        """The noise of each source: motion adds to its differences in time, and texture to those in space."""
        return np.maximum(np.minimum(np.median(differences, axis=(1, 2)), grain), _LEAST_NOISE)

    def _alike(self, differences: FloatArray) -> FloatArray:
        ratio = (differences / self._noise[:, None, None]).max(0) if self._noise is not None else differences.max(0)
        return np.asarray(np.clip((_OTHER - ratio) / (_OTHER - _ALIKE), 0, 1), np.float32)


def _grain(plane: FloatArray) -> float:
    """The difference that noise makes between two frames, from one alone: J. Immerkær, "Fast noise variance
    estimation", Computer Vision and Image Understanding 1996, with a median in place of the mean."""
    kernel = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)
    residual = np.abs(cv2.filter2D(plane, cv2.CV_32F, kernel))
    return float(np.median(residual)) / (6 * 0.6745) * math.sqrt(2)


def _differences(before: FloatArray, now: FloatArray) -> FloatArray:
    """N×h×w: how far each source differs around each cell, a change of gain and offset of the whole aside."""
    found = np.empty_like(now)
    for index, (old, new) in enumerate(zip(before, now, strict=True)):
        gain = np.clip(float(new.std()) / max(float(old.std()), 1e-6), 1 / _GAIN, _GAIN)
        change = new - np.float32(gain) * old
        change -= np.median(change)
        found[index] = np.sqrt(cv2.blur(change * change, (3, 3)))
    return found


def _motion(before: FloatArray, now: FloatArray) -> FloatArray:
    """Dense optical flow from now to before, h×w×2 in cells: T. Kroeger et al., "Fast optical flow using dense inverse
    search", ECCV 2016; of both sources at once, so that each contributes where it shows something."""
    flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    return np.asarray(flow.calc(_guide(now), _guide(before), None), np.float32)


def _guide(cells: FloatArray) -> npt.NDArray[np.uint8]:
    total = sum((plane - plane.mean()) / max(float(plane.std()), 1e-3) for plane in cells)
    return np.asarray(np.clip(128 + 32 * np.asarray(total), 0, 255), np.uint8)


def _moved(plane: FloatArray, motion: FloatArray) -> FloatArray:
    """``plane`` h×w, each place taken from where ``motion``, of any size, says that it was."""
    height, width = plane.shape
    flow = motion
    if motion.shape[:2] != plane.shape:
        flow = np.asarray(cv2.resize(motion, (width, height), interpolation=cv2.INTER_LINEAR))
        flow = flow * np.array([width / motion.shape[1], height / motion.shape[0]], np.float32)
    x = np.arange(width, dtype=np.float32) + flow[..., 0]
    y = np.arange(height, dtype=np.float32)[:, None] + flow[..., 1]
    return np.asarray(cv2.remap(plane, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))


def _averaged(before: Decision, now: Decision, fresh: FloatArray, motion: FloatArray | None) -> Decision:
    """``now`` with the share ``fresh``, h×w, and ``before``, brought along the motion, with the rest."""

    def mixed(old: Sequence[FloatArray], new: Sequence[FloatArray]) -> tuple[FloatArray, ...]:
        return tuple(_mixed(*maps, fresh, motion) for maps in zip(old, new, strict=True))

    return Decision(
        mixed(before.shares, now.shares),
        mixed(before.gains, now.gains),
        _mixed(before.direct, now.direct, fresh, motion),
        now.weights,
    )


def _mixed(before: FloatArray, now: FloatArray, fresh: FloatArray, motion: FloatArray | None) -> FloatArray:
    """Maps N×h×w or h×w."""
    height, width = now.shape[-2:]
    weight = np.asarray(cv2.resize(fresh, (width, height), interpolation=cv2.INTER_LINEAR))
    if motion is not None:
        planes = before.reshape(-1, height, width)
        before = np.stack([_moved(plane, motion) for plane in planes]).reshape(now.shape)
    return np.asarray(before + weight * (now - before), np.float32)
