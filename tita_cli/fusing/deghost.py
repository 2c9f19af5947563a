"""Brackets in which something moved: where a frame does not fit the reference, it gives way to the reference.

The reference is first brought to the frame's exposure, by the curve that most pixels of the two agree on (Grossberg
and Nayar 2003, "Determining the camera response from images: what is knowable?"). A pixel then fits unless it lies
further outside the range of its neighbours in the reference than the scatter of the curve allows; misfits too small to
be a thing are noise, the rest is blended over smoothly.
"""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import numpy.typing as npt

from tita_cli.images.picture import FloatArray, Picture

_BINS = 64
_LEAST = 0.04  # of the range: a misfit below is noise, whatever the scatter
_SURE, _CERTAIN = 2.0, 4.0  # scatters from which a pixel may belong to a thing that moved, and from which it must
_SAMPLED = 1 << 20
_FEWEST = 16
_DARK = 0.01
_AROUND = 9  # px that a comparison looks at: neighbours in the reference, and a blur


def deghosted(picture: Picture, reference: Picture) -> tuple[Picture, float]:
    """``picture`` with the reference's content where the two do not fit, in its own exposure; and the share of pixels.

    Both of one size. What the reference has clipped cannot be told and does not count as a misfit; what it shows of a
    moving thing is kept in its exposure only.
    """
    frame, base = picture.pixels, reference.pixels
    if frame.shape[2] != base.shape[2]:
        base = base.mean(axis=2, keepdims=True) if frame.shape[2] == 1 else np.repeat(base, frame.shape[2], axis=2)
    expected = np.empty_like(frame)
    misfit = np.zeros(frame.shape[:2], dtype=np.float32)
    seen = _seen(picture, reference)
    for channel in range(frame.shape[2]):
        curve, scatter = _curve(base[..., channel], frame[..., channel], seen)
        at = np.linspace(0.0, 1.0, _BINS, dtype=np.float32)
        expected[..., channel] = np.interp(base[..., channel], at, curve)
        allowed = np.interp(base[..., channel], at, scatter).astype(np.float32)
        np.maximum(misfit, _outside(frame[..., channel], expected[..., channel]) / allowed, out=misfit)
    misfit[~seen] = 0
    weight = _feathered(misfit, max(frame.shape[:2]))
    if not weight.any():
        return picture, 0.0
    share = float((weight > 0.5).mean())
    mixed = frame + weight[..., None] * (expected - frame)
    return replace(picture, pixels=np.ascontiguousarray(mixed, dtype=np.float32)), share


def _seen(picture: Picture, reference: Picture) -> npt.NDArray[np.bool_]:
    """H×W: where both show something, with all that is looked at around it; behind transparency anything may lie."""
    hidden = np.zeros(picture.pixels.shape[:2], np.uint8)
    for alpha in (picture.alpha, reference.alpha):
        if alpha is not None:
            hidden |= (alpha < 1).astype(np.uint8)
    return np.asarray(cv2.dilate(hidden, np.ones((_AROUND, _AROUND), np.uint8)) == 0)


def _curve(base: FloatArray, frame: FloatArray, seen: npt.NDArray[np.bool_]) -> tuple[FloatArray, FloatArray]:
    """For levels of the reference: the frame's level, rising, and how much it scatters; endlessly where it is clipped.

    A power of the level, fitted to the medians by iterated reweighting (Tukey): levels that only a moving thing has lie
    off it and have no say.
    """
    step = max(1, int((base.size / _SAMPLED) ** 0.5))
    x, y = (plane[::step, ::step][seen[::step, ::step]] for plane in (base, frame))
    bins = np.clip(np.rint(x * (_BINS - 1)), 0, _BINS - 1).astype(np.intp)
    order = np.argsort(bins, kind="stable")
    edges = np.searchsorted(bins[order], np.arange(_BINS + 1))
    levels, middle, spread, count = [], [], [], []
    for level in range(1, _BINS - 1):
        values = y[order[edges[level] : edges[level + 1]]]
        if len(values) >= _FEWEST:
            levels.append(level / (_BINS - 1))
            middle.append(float(np.median(values)))
            spread.append(1.4826 * float(np.median(np.abs(values - middle[-1]))))
            count.append(len(values))
    at = np.linspace(0.0, 1.0, _BINS)
    if len(levels) < 2:
        return at.astype(np.float32), np.full(_BINS, np.inf, dtype=np.float32)
    known, wanted = np.array(levels), np.array(middle)
    lines = np.stack([np.log(known), np.ones(len(known))], axis=1)
    weights = np.sqrt(np.array(count, dtype=np.float64)) * np.maximum(wanted, _DARK)  # of logarithms, as if of values
    trust = np.ones(len(known))
    for _ in range(10):
        both = (weights * np.sqrt(trust))[:, None]
        line = np.linalg.lstsq(lines * both, np.log(np.maximum(wanted, _DARK)) * both[:, 0], rcond=None)[0]
        off = wanted - np.exp(lines @ line)
        scale = max(1.4826 * _weighted_median(np.abs(off), count), 0.01)
        trust = np.clip(1.0 - (off / (4.685 * scale)) ** 2, 0.0, None) ** 2
    bend = np.interp(at, known[trust > 0.1], off[trust > 0.1])  # what a camera's curve has beyond a power
    curve = np.clip(np.maximum.accumulate(np.exp(np.log(np.maximum(at, _DARK)) * line[0] + line[1]) + bend), 0.0, 1.0)
    scatter = np.maximum(np.interp(at, levels, spread), _LEAST / _SURE)
    scatter[[0, -1]] = np.inf
    return curve.astype(np.float32), scatter.astype(np.float32)


def _weighted_median(values: npt.NDArray[np.float64], weights: list[int]) -> float:
    order = np.argsort(values)
    total = np.cumsum(np.array(weights)[order])
    return float(values[order][np.searchsorted(total, total[-1] / 2)])


def _outside(frame: FloatArray, expected: FloatArray) -> FloatArray:
    """How far ``frame`` lies outside what ``expected`` has nearby: edges that are off by a pixel fit."""
    around = np.ones((5, 5), np.uint8)
    smooth = cv2.GaussianBlur(frame, (0, 0), 1.0)
    return np.asarray(
        np.maximum(np.maximum(smooth - cv2.dilate(expected, around), cv2.erode(expected, around) - smooth), 0)
    )


def _feathered(misfit: FloatArray, longest: int) -> FloatArray:
    """0..1: all of each thing that is a misfit somewhere, widened to take in its soft rim; specks are noise."""
    size = max(3, round(longest / 400) | 1)
    round_ = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
    doubtful = cv2.morphologyEx((misfit > _SURE).astype(np.uint8), cv2.MORPH_CLOSE, round_)
    certain = cv2.morphologyEx((misfit > _CERTAIN).astype(np.uint8), cv2.MORPH_OPEN, round_)
    count, things = cv2.connectedComponents(doubtful)
    moved = np.zeros(count, dtype=np.float32)
    moved[np.unique(things[certain > 0])] = 1.0
    moved[0] = 0.0
    wide = cv2.dilate(moved[things], cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (4 * size + 1, 4 * size + 1)))
    return np.asarray(cv2.GaussianBlur(wide, (0, 0), size), dtype=np.float32)
