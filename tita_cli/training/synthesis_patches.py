"""What an exposure pair should fuse to, where no truth exists: structural patch decomposition.

Ma, Li, Yong, Wang, Meng & Zhang, "Robust multi-exposure image fusion: a structural patch decomposition approach",
TIP 2017. Every patch is taken apart into mean, contrast and structure; the fused one has the strongest contrast, the
structure of the sources weighted by theirs, and a mean that follows how well exposed the frames are, as a whole and in
the patch.
"""

from __future__ import annotations

import numpy as np

from tita_cli.training.sample import FloatArray

RADIUS = 8
"""Patches have 2·8 + 1 pixels a side; smaller ones ring at strong edges."""
STRUCTURE_EXPONENT = 4.0
"""How much the structure with more contrast prevails."""
GAIN = 1.1
"""The contrast is lifted a little: a network that is trained towards a picture stays below its contrast."""
MIDDLE, GLOBAL_SPREAD, LOCAL_SPREAD = 0.5, 0.17, 0.5
"""A well exposed mean, and how far a frame's and a patch's own may be off. The paper has 0.2 and
0.5; the narrower one, which follows the better frame more, ranked better on MEFB-30."""
FLAT = 1e-4
"""Contrast that is none."""
OPPOSED = 0.1
"""Length of the mixed structure below which the sources cancel out, and are not stretched to full contrast."""


def exposure_reference(a: FloatArray, b: FloatArray) -> FloatArray:
    """H×W float32 in 0..1 of both frames → the reference, same shape and range."""
    mean_a, mean_b = _mean(a), _mean(b)
    contrast_a = np.sqrt(np.maximum(_mean(a * a) - mean_a**2, 0)) + FLAT
    contrast_b = np.sqrt(np.maximum(_mean(b * b) - mean_b**2, 0)) + FLAT
    alike = (_mean(a * b) - mean_a * mean_b) / (contrast_a * contrast_b)
    strongest = np.maximum(contrast_a, contrast_b)
    say_a = (contrast_a / strongest) ** STRUCTURE_EXPONENT
    say_b = (contrast_b / strongest) ** STRUCTURE_EXPONENT
    length = np.sqrt(np.maximum(say_a**2 + say_b**2 + 2 * say_a * say_b * alike, OPPOSED**2))
    scale_a = GAIN * strongest * say_a / (contrast_a * length)
    scale_b = GAIN * strongest * say_b / (contrast_b * length)
    lead = _misexposure(b, mean_b) - _misexposure(a, mean_a)
    level = mean_b + (mean_a - mean_b) / (1 + np.exp(-lead))
    # Patches overlap: a pixel is the mean of what all that hold it make of it.
    fused = _mean(scale_a) * a + _mean(scale_b) * b + _mean(level - scale_a * mean_a - scale_b * mean_b)
    return np.clip(fused, 0, 1).astype(np.float32)


def _misexposure(frame: FloatArray, mean: FloatArray) -> FloatArray:
    """How badly every patch of a frame is exposed, as the negative logarithm of its weight."""
    whole = float(frame.mean()) - MIDDLE
    there: FloatArray = (mean - MIDDLE) / LOCAL_SPREAD
    return np.asarray(0.5 * (whole / GLOBAL_SPREAD) ** 2 + 0.5 * there**2, dtype=np.float32)


def _mean(image: FloatArray) -> FloatArray:
    """The mean over every patch."""
    import cv2

    side = 2 * RADIUS + 1
    border = cv2.BORDER_REFLECT if min(image.shape) > RADIUS else cv2.BORDER_REPLICATE
    return np.asarray(cv2.blur(image, (side, side), borderType=border), dtype=np.float32)
