"""tita-lite's filters outside its graph, and the constants that they share with it. See ``network.filters``.

Before the encoder the contrast of every token; before the head detail bands and their activity; after the head the
region vote and the blend; at the end the lift of salient parts of the second image. Statistics of the whole images
steer the head. What each is for stands with its twin in PyTorch: ``tita_lite``, ``statistics``, ``saliency``.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

import cv2
import numpy as np

from tita_cli.network.filters import Filters, padded_part

if TYPE_CHECKING:
    from tita_cli.images.picture import FloatArray

TOKEN = 4
"""Pixels to a token's side."""
BANDS = 4
"""Detail bands of the à-trous pyramid."""
NOISE = 0.004
"""Detail of this size, one of 255 levels, counts as none: it keeps the activity calm in flat places."""
STRETCH = 1.5
"""The gate's sigmoid is stretched about 0.5 and cut to 0..1, so that it can take a source outright: a plain one leaves
a tenth of the blurred image of a focus pair in the result."""

VOTE_REACH = 8
"""Tokens that a region vote counts to each side."""
VOTE_SIGMA = 2.0
"""Of its Gaussian, in tokens: 8 pixels. Wider ones lose thin things in front of a blurred background."""
UNDECIDED = 1e-3
"""Mean decidedness below which the outcome of a vote tends to 0, neither source."""
TRUST = 8.0
"""Unit of the trust in a region's outcome: at 1, an undisputed outcome decides all but very sure pixels."""

FLAT = 1e-3
"""Standard deviation of luminance that counts as none: two flat images agree, and neither has more contrast."""
EDGE_BLOCK = 8
"""Side in pixels of the blocks whose differences are edges, in the agreement of edges."""
NO_EDGES = 1e-4
"""Sum of products of differences that counts as none there."""

SALIENCY_BLOCK = 8
"""Side in pixels of the blocks by whose means saliency is decided."""
SURROUND_SIGMA, SURROUND_REACH = 5.0, 15
"""A block's surround: sigma and reach of a Gaussian, in blocks; the sigma is 40 pixels."""
THRESHOLD, THRESHOLD_MIN, THRESHOLD_MAX = 1.5, 0.04, 0.13
"""A block stands out if it is brighter than its surround by so many standard deviations of its image, limited to this
range: a person in a flat image of a cold field is as warm as one in a street."""
SOFTNESS = 0.1
"""Width of the transition, as a share of the threshold."""
NEAR = 1
"""Blocks around those that stand out whose pixels may be salient too: a figure is more than its warmest parts."""
PIXEL_FROM = 0.4
"""A pixel there counts from this share of the threshold on, and in full from the whole threshold."""
SMOOTH_SIGMA, SMOOTH_REACH = 0.7, 1
"""Gaussian, in pixels, that takes the noise off B before its pixels are judged."""
BRIGHTER = 0.1
"""A pixel of B must be brighter than A's by so much to count in full."""
ABOVE = 0.2
"""And brighter by so much than its surround in A: half lifted, a dark figure on snow would vanish in the snow."""
SHARE = 0.65
"""The least share of B in salient pixels, where the network gives saliency its full weight."""

STRIP = 512
"""Rows of pixels that are averaged into blocks, or lifted, at a time."""


class _LiteFilters(Filters):
    encoder_reach = 24
    head_reach = 46
    after_reach = VOTE_REACH + 1  # what is interpolated between tokens sees one more
    has_after = True

    def statistics(self, images: Sequence[FloatArray]) -> FloatArray:
        """As ``network.statistics.image_statistics``; OpenCV sums in double precision."""
        a, b = images
        block = TOKEN * 8
        means, deviations = zip(*(cv2.meanStdDev(image) for image in (a, b)), strict=True)
        difference = float(np.abs(block_means(a, block) - block_means(b, block)).mean())
        disagreement = difference / (difference + float(np.mean(deviations)) + FLAT)
        of_a, of_b = np.ravel(deviations) + FLAT
        balance = 1 / (1 + (of_a / of_b) ** 4)
        numbers = (*np.ravel(means), *np.ravel(deviations), balance, disagreement, _edge_agreement(a, b))
        return np.array(numbers, np.float32)

    def before_encoder(self, image: FloatArray) -> list[FloatArray]:
        """The contrast of every token, log2(1 + mean |D_k| / noise) / 4."""
        tokens, half = _token_means(image), BANDS // 2
        contrast = np.empty((BANDS, *tokens.shape), np.float32)
        fine = np.empty((half, *image.shape), np.float32)
        _bands(image, fine)
        for k in range(half):
            contrast[k] = _token_means(np.abs(fine[k]))
        _bands(tokens, contrast[half:])
        np.abs(contrast[half:], out=contrast[half:])
        contrast /= np.float32(NOISE)
        contrast += 1
        np.log2(contrast, out=contrast)
        contrast *= np.float32(0.25)
        return [contrast]

    def before_head(self, images: Sequence[FloatArray]) -> list[FloatArray]:
        """Detail bands, 8×H×W, four of A and four of B, fine to coarse; their activity, 4×H×W in −1..1."""
        bands = np.empty((2 * BANDS, *images[0].shape), np.float32)
        for source, image in enumerate(images):
            _bands(image, bands[source * BANDS :][:BANDS])
        activity = np.empty((BANDS, *images[0].shape), np.float32)
        for k in range(BANDS):
            of_a, of_b = (_blurred(np.abs(bands[k + source]), 2**k) for source in (0, BANDS))
            np.subtract(of_a, of_b, out=activity[k])
            of_a += of_b
            of_a += np.float32(NOISE)
            activity[k] /= of_a
        return [bands, activity]

    def summarize(self, planes: Sequence[FloatArray]) -> FloatArray:
        """The gate's logits → mean vote and decidedness of every token, 2×h×w."""
        vote = np.tanh(planes[0] * np.float32(0.5))
        return np.stack((_token_means(vote), _token_means(np.abs(vote))))

    def aggregate(self, summary: FloatArray) -> FloatArray:
        """The votes → the outcome around each token, −1..1."""
        i = np.arange(-VOTE_REACH, VOTE_REACH + 1)
        kernel = np.exp(-0.5 * (i / VOTE_SIGMA) ** 2)
        kernel /= kernel.sum()
        vote, decided = (cv2.sepFilter2D(x, -1, kernel, kernel, borderType=cv2.BORDER_CONSTANT) for x in summary)
        outcome: FloatArray = vote / (decided + np.float32(UNDECIDED))
        return outcome

    def after_head(
        self,
        images: Sequence[FloatArray],
        planes: Sequence[FloatArray],
        aggregated: FloatArray,
        guidance: FloatArray,
        inside: tuple[slice, slice],
    ) -> Sequence[FloatArray]:
        """The gate's logits and the residual → fused image and gate."""
        logits, residual = planes
        h, w = aggregated.shape
        region = cv2.resize(aggregated, (TOKEN * w, TOKEN * h), interpolation=cv2.INTER_LINEAR)[inside]
        floor = cv2.erode(np.minimum(*images), np.ones((3, 3), np.uint8))[inside]
        a, b = (image[inside] for image in images)
        gate: FloatArray = region * np.float32(TRUST * float(guidance[-2]))
        gate += logits
        np.tanh(gate * np.float32(0.5), out=gate)  # the stretched sigmoid as the hyperbolic tangent that it is
        gate *= np.float32(STRETCH / 2)
        gate += np.float32(0.5)
        np.clip(gate, 0, 1, out=gate)
        fused: FloatArray = a - b
        fused *= gate
        fused += b
        fused += residual
        return np.maximum(fused, floor, out=fused), gate

    def finish(self, images: Sequence[FloatArray], planes: Sequence[FloatArray], guidance: FloatArray) -> None:
        """Lift the fused image and lower its gate where B is salient, as ``network.saliency.lift``."""
        (a, b), (fused, gate), weight = images, planes, float(guidance[-3])
        if weight <= 0:
            return
        deviation = float(cv2.meanStdDev(b)[1].item())
        threshold = np.float32(min(max(THRESHOLD * deviation, THRESHOLD_MIN), THRESHOLD_MAX))
        near, around_a, around_b = _surround(a, b, threshold)
        rows, (height, width), step = len(near), a.shape, STRIP // SALIENCY_BLOCK
        for top in range(0, rows, step):
            bottom = min(top + step, rows)
            first, last = max(top - 1, 0), min(bottom + 1, rows)  # interpolation between blocks sees the next
            place = slice(top * SALIENCY_BLOCK, min(bottom * SALIENCY_BLOCK, height))
            start = (top - first) * SALIENCY_BLOCK
            inside = slice(start, start + place.stop - place.start)
            salient, of_a, of_b = (_to_pixels(x[first:last])[inside, :width] for x in (near, around_a, around_b))
            smooth = _smooth(b, place)
            salient *= np.clip(
                ((smooth - of_b) / threshold - np.float32(PIXEL_FROM)) / np.float32(1 - PIXEL_FROM), 0, 1
            )
            salient *= np.clip((b[place] - a[place]) / np.float32(BRIGHTER), 0, 1)
            salient *= np.clip((smooth - of_a) / np.float32(ABOVE), 0, 1)
            change = np.minimum(1 - np.float32(SHARE * weight) * salient - gate[place], 0)
            gate[place] += change
            fused[place] += change * (a[place] - b[place])


FILTERS = _LiteFilters()


def block_means(image: FloatArray, side: int) -> FloatArray:
    """Means of blocks of side × side pixels, the image reflected at its bottom and right."""
    rows, cols = (-(-length // side) for length in image.shape)
    means = np.empty((rows, cols), np.float32)
    step = STRIP // side
    for top in range(0, rows, step):  # a reflected image is a copy, which the strips keep small
        bottom = min(top + step, rows)
        part = padded_part(image, slice(top * side, bottom * side), slice(0, cols * side))
        means[top:bottom] = cv2.resize(part, (cols, bottom - top), interpolation=cv2.INTER_AREA)
    return means


def _edge_agreement(a: FloatArray, b: FloatArray) -> float:
    """As ``network.statistics.edge_agreement``."""
    of_a, of_b = block_means(a, EDGE_BLOCK), block_means(b, EDGE_BLOCK)
    same = total = NO_EDGES
    for axis in (0, 1):
        products = np.diff(of_a, axis=axis) * np.diff(of_b, axis=axis)
        same += float(np.maximum(products, 0).sum(dtype=np.float64))
        total += float(np.abs(products).sum(dtype=np.float64))
    return same / total


def _bands(image: FloatArray, out: FloatArray) -> None:
    for k, band in enumerate(out):
        blurred = _blurred(image, 2**k)
        np.subtract(image, blurred, out=band)
        image = blurred


def _blurred(image: FloatArray, step: int) -> FloatArray:
    kernel = _kernel(step)
    blurred: FloatArray = cv2.sepFilter2D(image, -1, kernel, kernel, borderType=cv2.BORDER_REPLICATE)
    return blurred


@cache
def _kernel(step: int) -> FloatArray:
    kernel = np.zeros(4 * step + 1, np.float32)
    kernel[::step] = np.array((1, 4, 6, 4, 1), np.float32) / 16
    return kernel


def _token_means(image: FloatArray) -> FloatArray:
    h, w = image.shape
    means: FloatArray = cv2.resize(image, (w // TOKEN, h // TOKEN), interpolation=cv2.INTER_AREA)
    return means


def _surround(a: FloatArray, b: FloatArray, threshold: np.float32) -> tuple[FloatArray, FloatArray, FloatArray]:
    """For every block: does it or one near it stand out in B, 0..1, and the surround in A and in B."""
    side = 2 * SURROUND_REACH + 1
    of_b = block_means(b, SALIENCY_BLOCK)
    around_a, around_b = (
        cv2.GaussianBlur(x, (side, side), SURROUND_SIGMA, borderType=cv2.BORDER_REPLICATE)
        for x in (block_means(a, SALIENCY_BLOCK), of_b)
    )
    excess = ((of_b - around_b) / threshold - 1) / np.float32(SOFTNESS)
    stands_out = 0.5 + 0.5 * np.tanh(excess * np.float32(0.5))
    return cv2.dilate(stands_out, np.ones((2 * NEAR + 1,) * 2, np.uint8)), around_a, around_b


def _to_pixels(blocks: FloatArray) -> FloatArray:
    size = (blocks.shape[1] * SALIENCY_BLOCK, blocks.shape[0] * SALIENCY_BLOCK)
    pixels: FloatArray = cv2.resize(blocks, size, interpolation=cv2.INTER_LINEAR)
    return pixels


def _smooth(image: FloatArray, rows: slice) -> FloatArray:
    """Some rows of an image with the noise taken off."""
    first, last = max(rows.start - SMOOTH_REACH, 0), min(rows.stop + SMOOTH_REACH, len(image))
    size = (2 * SMOOTH_REACH + 1,) * 2
    smooth = cv2.GaussianBlur(image[first:last], size, SMOOTH_SIGMA, borderType=cv2.BORDER_REPLICATE)
    result: FloatArray = smooth[rows.start - first : rows.stop - first]
    return result
