"""Ghost removal for brackets in which something moved: the reference replaces what differs from it.

The reference is first brought to the frame's exposure, by the curve that most pixels of the two agree on (Grossberg
and Nayar 2003, "Determining the camera response from images: what is knowable?"). A pixel then differs if it lies
further outside the range of its neighbours in the reference than the scatter about the curve allows. Regions too small
to be an object are noise; the others are replaced, with a soft edge.
"""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import numpy.typing as npt

from tita_cli.images.picture import FloatArray, Picture

_BINS = 64
_LEAST = 0.04  # of the range: a smaller difference is noise, whatever the scatter
_POSSIBLE, _CERTAIN = 2.0, 4.0  # scatters from which a pixel may belong to a moved object, and from which it does
_SAMPLED = 1 << 20  # pixels that the curve is fitted to
_FEWEST = 16  # pixels of a level that make a median
_DARK = 0.01  # levels below count as this one: the curve is fitted to logarithms
CLIPPED = 0.02  # from black or white: nothing can be told
_ENOUGH = 0.1  # of a picture that has to be clipped in neither of two exposures
_ENOUGH_PIXELS = 250_000  # for finding that something moved
# Ratio of brightness from which two pictures are different exposures: brackets step by two thirds of a stop or more,
# 2^(2/3/2.2) = 1.23 after gamma, and flashes and lamps in a focus stack vary by up to half a stop.
_APART = 1.22
_UNEXPLAINED = 0.15  # of the contrast: a curve between exposures leaves less
_AROUND = 9  # px that a comparison looks at: neighbours in the reference, and a blur


def deghost(picture: Picture, reference: Picture) -> tuple[Picture, float]:
    """``picture`` with the reference's content, in the picture's exposure, where the two differ; the share of pixels.

    Both of one size. Where the reference is clipped, nothing can be compared and nothing is replaced.
    """
    frame, base = picture.pixels, reference.pixels
    if frame.shape[2] != base.shape[2]:
        base = base.mean(axis=2, keepdims=True) if frame.shape[2] == 1 else np.repeat(base, frame.shape[2], axis=2)
    expected = np.empty_like(frame)
    difference = np.zeros(frame.shape[:2], dtype=np.float32)
    seen = _seen(picture, reference)
    for channel in range(frame.shape[2]):
        expected[..., channel], apart = _compared(base[..., channel], frame[..., channel], seen)
        np.maximum(difference, apart, out=difference)
    difference[~seen] = 0
    weight = _feathered(difference, max(frame.shape[:2]))
    if not weight.any():
        return picture, 0.0
    share = float((weight > 0.5).mean())
    mixed = frame + weight[..., None] * (expected - frame)
    return replace(picture, pixels=np.ascontiguousarray(mixed, dtype=np.float32)), share


def moved_part(frame: FloatArray, base: FloatArray, hidden: npt.NDArray[np.bool_] | None = None) -> float | None:
    """Of luminances H×W, the part of the pixels in which something moved between two exposures of one scene.

    ``hidden``: H×W, where the luminance of either is not that of an exposure, since it is transparent or one of its
    colour channels is white. None where that cannot be told: the exposures are equal, so that a difference may be one
    of focus; hardly any pixel is clipped in neither; or no curve brings one to the other, as between infrared and
    visible.
    """
    base, frame = (_reduced(plane) for plane in (base, frame))
    clipped = (np.minimum(base, frame) < CLIPPED) | (np.maximum(base, frame) > 1 - CLIPPED)
    if hidden is not None:
        clipped |= _reduced(hidden.astype(np.float32)) > 0
    seen = ~_widened(clipped)
    if seen.mean() < _ENOUGH:
        return None
    ratio = float(np.median(frame[seen] / base[seen]))  # of most pixels: the mean's may be due to focus
    expected, difference = _compared(base, frame, seen)
    unexplained = float(np.median(np.abs(frame - expected)[seen]))
    if max(ratio, 1 / ratio) < _APART or unexplained > _UNEXPLAINED * float(frame[seen].std()):
        return None
    difference[~seen] = 0
    return float((_feathered(difference, max(base.shape)) > 0.5).mean())


def _reduced(plane: FloatArray) -> FloatArray:
    scale = (_ENOUGH_PIXELS / plane.size) ** 0.5
    if scale >= 1:
        return plane
    return np.asarray(cv2.resize(plane, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA))


def _compared(base: FloatArray, frame: FloatArray, seen: npt.NDArray[np.bool_]) -> tuple[FloatArray, FloatArray]:
    """One channel of the reference in the frame's exposure, and how far the frame is outside it, in scatters."""
    curve, scatter = _curve(base, frame, seen)
    at = np.linspace(0.0, 1.0, _BINS, dtype=np.float32)
    expected = np.interp(base, at, curve).astype(np.float32)
    allowed = np.interp(base, at, scatter).astype(np.float32)
    return expected, np.asarray(_outside(frame, expected) / allowed)


def _seen(picture: Picture, reference: Picture) -> npt.NDArray[np.bool_]:
    """H×W: where both are opaque, and everything around that a comparison looks at is, too."""
    hidden = np.zeros(picture.pixels.shape[:2], np.bool_)
    for alpha in (picture.alpha, reference.alpha):
        if alpha is not None:
            hidden |= alpha < 1
    return ~_widened(hidden)


def _widened(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    return np.asarray(cv2.dilate(mask.astype(np.uint8), np.ones((_AROUND, _AROUND), np.uint8)) > 0)


def _curve(base: FloatArray, frame: FloatArray, seen: npt.NDArray[np.bool_]) -> tuple[FloatArray, FloatArray]:
    """For levels of the reference: the frame's level, never falling, and its scatter, infinite where it is clipped.

    A power law, fitted to the medians of the levels by iterated reweighting (Tukey): levels that only a moving object
    has are outliers and do not count. Where the reference has fewer than two levels to fit, nothing differs.
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
    weights = np.sqrt(np.array(count, dtype=np.float64)) * np.maximum(wanted, _DARK)  # errors of logarithms
    trust = np.ones(len(known))
    for _ in range(10):
        both = (weights * np.sqrt(trust))[:, None]
        line = np.linalg.lstsq(lines * both, np.log(np.maximum(wanted, _DARK)) * both[:, 0], rcond=None)[0]
        off = wanted - np.exp(lines @ line)
        scale = max(1.4826 * _weighted_median(np.abs(off), count), 0.01)
        trust = np.clip(1.0 - (off / (4.685 * scale)) ** 2, 0.0, None) ** 2
    kept = _rising(wanted, trust > 0.1)
    bend = np.interp(at, known[kept], off[kept])  # by which a camera's curve departs from a power law
    curve = np.clip(np.maximum.accumulate(np.exp(np.log(np.maximum(at, _DARK)) * line[0] + line[1]) + bend), 0.0, 1.0)
    scatter = np.maximum(np.interp(at, levels, spread), _LEAST / _POSSIBLE)
    scatter[[0, -1]] = np.inf
    return curve.astype(np.float32), scatter.astype(np.float32)


def _rising(wanted: npt.NDArray[np.float64], sure: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Of levels in their order, those that are ``sure``, and those that a curve which never falls joins with them.

    Highlights that a camera compresses are far from a power law, and no moving object: they still are brighter than
    whatever is darker in the other exposure. What appears where an object was follows no such order.
    """
    darker = np.maximum.accumulate(np.where(sure, wanted, 0.0))
    brighter = np.minimum.accumulate(np.where(sure, wanted, 1.0)[::-1])[::-1]
    return sure | ((wanted > darker - _LEAST / 2) & (wanted < brighter + _LEAST / 2))


def _weighted_median(values: npt.NDArray[np.float64], weights: list[int]) -> float:
    order = np.argsort(values)
    total = np.cumsum(np.array(weights)[order])
    return float(values[order][np.searchsorted(total, total[-1] / 2)])


def _outside(frame: FloatArray, expected: FloatArray) -> FloatArray:
    """How far ``frame`` is outside the range of ``expected`` nearby, so that an edge off by a pixel does not count."""
    around = np.ones((5, 5), np.uint8)
    smooth = cv2.GaussianBlur(frame, (0, 0), 1.0)
    return np.asarray(
        np.maximum(np.maximum(smooth - cv2.dilate(expected, around), cv2.erode(expected, around) - smooth), 0)
    )


def _feathered(difference: FloatArray, longest: int) -> FloatArray:
    """0..1: every region that is certain somewhere, widened to take in its soft edge; specks are noise."""
    size = max(3, round(longest / 400) | 1)
    round_ = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
    doubtful = cv2.morphologyEx((difference > _POSSIBLE).astype(np.uint8), cv2.MORPH_CLOSE, round_)
    certain = cv2.morphologyEx((difference > _CERTAIN).astype(np.uint8), cv2.MORPH_OPEN, round_)
    count, regions = cv2.connectedComponents(doubtful)
    moved = np.zeros(count, dtype=np.float32)
    moved[np.unique(regions[certain > 0])] = 1.0
    moved[0] = 0.0
    wide = cv2.dilate(moved[regions], cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (4 * size + 1, 4 * size + 1)))
    return np.asarray(cv2.GaussianBlur(wide, (0, 0), size), dtype=np.float32)
