"""The training target of exposure pairs: structural patch decomposition.

Ma, Li, Yong, Wang, Meng & Zhang, "Robust multi-exposure image fusion: a structural patch decomposition approach",
TIP 2017. Every patch is decomposed into mean, contrast and structure. The fused patch has the larger contrast, the
structures weighted by contrast, and a mean weighted by how well the frames are exposed, globally and in the patch.
"""

from __future__ import annotations

import numpy as np

from tita_cli.training.sample import FloatArray

RADIUS = 8
"""Patches are 2·8 + 1 pixels wide; smaller ones ring at strong edges."""
STRUCTURE_EXPONENT = 4.0
"""Exponent of the weights of the structures."""
GAIN = 1.1
"""Gain of the contrast: a network trained towards a picture stays below its contrast."""
MIDDLE, GLOBAL_SPREAD, LOCAL_SPREAD = 0.5, 0.17, 0.5
"""A well exposed mean, and the deviations of a frame's and a patch's mean from it. The paper has 0.2 and 0.5; the
narrower global one, which follows the better frame more, ranked better on MEFB-30."""
FLAT = 1e-4
"""Contrast below which a patch is flat."""
OPPOSED = 0.1
"""Smallest length of the mixed structure; below it the sources cancel and are not scaled to full contrast."""


def exposure_reference(a: FloatArray, b: FloatArray) -> FloatArray:
    """H×W float32 in 0..1 of both frames → the reference, same shape and range."""
    mean_a, mean_b = _mean(a), _mean(b)
    contrast_a = np.sqrt(np.maximum(_mean(a * a) - mean_a**2, 0)) + FLAT
    contrast_b = np.sqrt(np.maximum(_mean(b * b) - mean_b**2, 0)) + FLAT
    alike = (_mean(a * b) - mean_a * mean_b) / (contrast_a * contrast_b)
    strongest = np.maximum(contrast_a, contrast_b)
    weight_a = (contrast_a / strongest) ** STRUCTURE_EXPONENT
    weight_b = (contrast_b / strongest) ** STRUCTURE_EXPONENT
    length = np.sqrt(np.maximum(weight_a**2 + weight_b**2 + 2 * weight_a * weight_b * alike, OPPOSED**2))
    scale_a = GAIN * strongest * weight_a / (contrast_a * length)
    scale_b = GAIN * strongest * weight_b / (contrast_b * length)
    lead = _misexposure(b, mean_b) - _misexposure(a, mean_a)
    level = mean_b + (mean_a - mean_b) / (1 + np.exp(-lead))
    # Patches overlap: a pixel is the mean over all patches that contain it.
    fused = _mean(scale_a) * a + _mean(scale_b) * b + _mean(level - scale_a * mean_a - scale_b * mean_b)
    return np.clip(fused, 0, 1).astype(np.float32)


def _misexposure(frame: FloatArray, mean: FloatArray) -> FloatArray:
    """The negative logarithm of the weight of every patch of a frame."""
    whole = float(frame.mean()) - MIDDLE
    there: FloatArray = (mean - MIDDLE) / LOCAL_SPREAD
    return np.asarray(0.5 * (whole / GLOBAL_SPREAD) ** 2 + 0.5 * there**2, dtype=np.float32)


def _mean(image: FloatArray) -> FloatArray:
    """Mean over every patch."""
    import cv2

    side = 2 * RADIUS + 1
    border = cv2.BORDER_REFLECT if min(image.shape) > RADIUS else cv2.BORDER_REPLICATE
    return np.asarray(cv2.blur(image, (side, side), borderType=border), dtype=np.float32)
