"""Luminance, chroma, and which source's colour wins."""

from __future__ import annotations

import cv2
import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tita_cli.images.color import Chroma, fuse_chroma, luma, merge_luma, reference_chroma, split_luma, to_range

VALUES = st.floats(0, 1, width=32)
PIXELS = hnp.arrays(np.float32, st.tuples(st.integers(1, 6), st.integers(1, 6), st.just(3)), elements=VALUES)
PLANE = hnp.arrays(np.float32, (3, 4), elements=st.floats(-0.5, 0.5, width=32))


@given(PIXELS)
def test_merge_inverts_split(pixels: np.ndarray) -> None:
    np.testing.assert_allclose(merge_luma(*split_luma(pixels)), pixels, atol=1e-6)


@given(PIXELS)
def test_is_opencvs_ycrcb(pixels: np.ndarray) -> None:
    expected = cv2.cvtColor(pixels, cv2.COLOR_RGB2YCrCb)
    y, cb, cr = split_luma(pixels)
    # OpenCV rounds the two scales to three digits.
    np.testing.assert_allclose(np.stack([y, cr + 0.5, cb + 0.5], axis=-1), expected, atol=6e-4)


def test_grey_has_no_chroma() -> None:
    grey = np.repeat(np.linspace(0, 1, 12, dtype=np.float32).reshape(3, 4, 1), 3, axis=2)
    y, cb, cr = split_luma(grey)
    assert max(abs(cb).max(), abs(cr).max()) < 1e-6
    np.testing.assert_allclose(y, luma(grey[..., :1]), atol=1e-6)


def test_reference_rule_by_hand() -> None:
    a = np.array([[0.3, -0.2, 0.0, 0.1]], np.float32)
    b = np.array([[0.1, 0.2, 0.0, 0.0]], np.float32)
    np.testing.assert_allclose(reference_chroma(a, b), [[(0.09 + 0.01) / 0.4, 0.0, 0.0, 0.1]], atol=1e-7)


@given(PLANE, PLANE)
def test_reference_rule_stays_between_and_does_not_mind_order(a: np.ndarray, b: np.ndarray) -> None:
    mixed = reference_chroma(a, b)
    assert (mixed >= np.minimum(a, b) - 1e-6).all() and (mixed <= np.maximum(a, b) + 1e-6).all()
    np.testing.assert_array_equal(mixed, reference_chroma(b, a))


def _chroma(cb: float, cr: float) -> Chroma:
    return Chroma(np.full((2, 2), cb, np.float32), np.full((2, 2), cr, np.float32))


def test_one_colour_source_gives_its_chroma_unchanged() -> None:
    color = _chroma(0.2, -0.1)
    assert fuse_chroma(None, color) is color
    assert fuse_chroma(color, None) is color
    assert fuse_chroma(None, None) is None


def test_two_colour_sources_give_the_mean_that_the_reference_takes() -> None:
    fused = fuse_chroma(_chroma(0.3, 0.3), _chroma(-0.1, -0.1))
    assert fused is not None
    np.testing.assert_allclose(fused.cb, (0.09 - 0.01) / 0.4, atol=1e-6)


def test_colors_beyond_the_range_keep_their_luminance_in_shadows() -> None:
    y = np.array([[0.02, 0.2]], np.float32)
    pixels = to_range(merge_luma(y, *np.full((2, 1, 2), -0.15, np.float32)))
    assert 0 <= pixels.min() <= pixels.max() <= 1
    np.testing.assert_allclose(luma(pixels), y, atol=1e-6)
    assert pixels[0, 0].max() > pixels[0, 0].min()  # still coloured, as far as its luminance allows


def test_highlights_give_up_half_of_what_is_beyond() -> None:
    pixels = np.array([[[1.3, 0.8, 0.6]]], np.float32)
    y, found = luma(pixels), to_range(pixels.copy())
    cut = np.clip(pixels, 0, 1)
    assert luma(cut) < luma(found) < y
    assert 0 < np.ptp(found) < np.ptp(cut)


@given(PIXELS)
def test_colors_within_the_range_stay(pixels: np.ndarray) -> None:
    assert np.array_equal(to_range(pixels.copy()), pixels)
