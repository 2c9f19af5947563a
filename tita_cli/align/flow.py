"""A dense last refinement for what a single matrix cannot describe, such as parallax between near and far."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import numpy.typing as npt

from tita_cli.align.estimator import Estimate
from tita_cli.align.geometry import normalized, resizing
from tita_cli.align.structure import View, band_field, reduced
from tita_cli.images.picture import FloatArray

_SIZE = 1024
_LARGEST = 0.03  # of the frame's longer side: a larger displacement is no refinement
_CONSISTENT = 1.0  # px by which the flow there and back may fail to cancel
_LEAST_GAIN = 0.005  # correlation


def refine_by_flow(found: Estimate, reference: View, source: View) -> Estimate:
    """``found`` with a smooth dense flow on top where that makes pictures of one kind agree better, else unchanged.

    Dense inverse search (Kroeger et al. 2016) on a band of frequencies at unit local contrast, which exposure does not
    change. Kept where the flow to the source and the flow back cancel; elsewhere it is extrapolated smoothly.
    """
    planes = [reduced(view.plane, _SIZE) for view in (reference, source)]
    sizes = [(plane.shape[1], plane.shape[0]) for plane in planes]
    down = [resizing(view.full, size) for view, size in zip((reference, source), sizes, strict=True)]
    matrix = normalized(down[0] @ found.matrix @ np.linalg.inv(down[1]))
    moved = cv2.warpPerspective(planes[1], matrix, sizes[0], flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    one, two = (band_field(plane)[..., 0] for plane in (planes[0], moved))
    there, back = _flow(one, two), _flow(two, one)
    limit = _LARGEST * max(sizes[0])
    miss = np.linalg.norm(there + _sampled(back, there), axis=2)
    sure = ((miss < _CONSISTENT) & (np.linalg.norm(there, axis=2) < limit)).astype(np.float32)
    sigma = max(sizes[0]) / 96
    weight = cv2.GaussianBlur(sure, (0, 0), sigma)
    smooth = cv2.GaussianBlur(there * sure[..., None], (0, 0), sigma) / np.maximum(weight, 0.05)[..., None]
    if _correlation(one, _sampled(two, smooth)) < _correlation(one, two) + _LEAST_GAIN:
        return found
    per_pixel = np.array([reference.full[0] / sizes[0][0], reference.full[1] / sizes[0][1]], dtype=np.float32)
    return replace(found, model="flow", flow=np.ascontiguousarray(smooth * per_pixel, dtype=np.float32))


def _flow(one: FloatArray, two: FloatArray) -> FloatArray:
    """H×W×2: where each pixel of ``one`` lies in ``two``, from it."""
    finder = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    return np.asarray(finder.calc(_bytes(one), _bytes(two), None), dtype=np.float32)


def _bytes(band: FloatArray) -> npt.NDArray[np.uint8]:
    return np.asarray(np.clip(128.0 + 50.0 * band, 0, 255).astype(np.uint8))


def _sampled(field: FloatArray, flow: FloatArray) -> FloatArray:
    y, x = np.mgrid[: flow.shape[0], : flow.shape[1]].astype(np.float32)
    x, y = x + flow[..., 0], y + flow[..., 1]
    return np.asarray(cv2.remap(field, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))


def _correlation(one: FloatArray, two: FloatArray) -> float:
    return float((one * two).sum() / max(float(np.sqrt((one * one).sum() * (two * two).sum())), 1e-12))
