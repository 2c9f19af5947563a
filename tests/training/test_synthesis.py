"""Focus and exposure pairs made from stills: what physics and the definition of the mask promise."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tita_cli.training.augment import Camera, apply_curve, misregister, tone_curve
from tita_cli.training.region_masks import random_matte
from tita_cli.training.sample import Sample, closeness
from tita_cli.training.synthesis_exposure import exposure_pair
from tita_cli.training.synthesis_focus import MARGIN, defocus, focus_pair

SEEDS = st.integers(0, 2**32)


def texture(size: int, seed: int = 0) -> np.ndarray:
    """An uint8 picture with detail at several scales."""
    rng = np.random.default_rng(seed)
    layers = [
        cv2.resize(rng.random((n, n), dtype=np.float32), (size, size), interpolation=cv2.INTER_CUBIC)
        for n in (5, 20, 60)
    ]
    return np.clip(sum(layers) / 3 * 255, 0, 255).astype(np.uint8)


def quarters(size: int) -> np.ndarray:
    labels = np.zeros((size, size), np.uint8)
    labels[size // 2 :] += 1
    labels[:, size // 2 :] += 2
    return labels


@settings(max_examples=40, deadline=None)
@given(seed=SEEDS, labelled=st.booleans(), size=st.integers(32, 80))
def test_the_mask_of_a_focus_pair_picks_the_sharp_source(seed: int, labelled: bool, size: int) -> None:
    still = texture(size + 2 * MARGIN, seed % 7)
    pair = focus_pair(still, quarters(len(still)) if labelled else None, MARGIN, np.random.default_rng(seed))

    assert pair.target is not None
    assert pair.mask is not None
    for plane in (pair.a, pair.b, pair.target, pair.mask):
        assert plane.shape == (size, size)
        assert plane.dtype == np.float32
        assert plane.min() >= 0
        assert plane.max() <= 1.05  # light defocused and developed again may overshoot a little
    picked = pair.mask * pair.a + (1 - pair.mask) * pair.b
    wrong = pair.mask * pair.b + (1 - pair.mask) * pair.a
    error = np.square(picked - pair.target).mean()
    assert error <= np.square(wrong - pair.target).mean()
    assert np.sqrt(error) < 0.1  # only in the halo of a blurred foreground neither source is sharp


def test_a_blurred_foreground_spreads_and_a_blurred_background_does_not_bleed() -> None:
    size = 64 + 2 * MARGIN
    still = np.full((size, size), 40, np.uint8)
    still[:, size // 2 :] = 220
    labels = (still > 128).astype(np.uint8)
    spread = bleed = 0
    for seed in range(40):
        pair = focus_pair(still, labels, MARGIN, np.random.default_rng(seed))
        # The last columns before the edge belong to the dark side: what of the bright one is seen there?
        dark_a, dark_b = pair.a[:, 26:30].mean(), pair.b[:, 26:30].mean()
        level = 40 / 255
        spread += max(dark_a, dark_b) > level + 0.05
        bleed += min(dark_a, dark_b) > level + 0.05
    assert spread > 10, "no pair shows a foreground out of focus over the background"
    assert bleed < spread / 3, "both shots of a pair show the halo"


@pytest.mark.parametrize("blades", [-1, 0, 5, 6, 7, 8])
@pytest.mark.parametrize("radius", [0.7, 1.3, 4.0, 9.9])
def test_defocus_keeps_light_and_has_the_spread_of_its_radius(radius: float, blades: int) -> None:
    point = np.zeros((65, 65), np.float32)
    point[32, 32] = 1.0
    blurred = defocus(point, radius, blades)

    assert blurred.sum() == pytest.approx(1.0, abs=1e-3)
    x = np.arange(65) - 32
    assert np.sqrt((blurred.sum(axis=0) * x * x).sum()) == pytest.approx(np.hypot(radius / 2, 12**-0.5), rel=0.16)


def test_closeness_decides_by_error_and_else_by_the_prior() -> None:
    truth = np.full((40, 40), 0.5, np.float32)
    off = truth + 0.1
    assert closeness(truth, off, truth, 0.5).min() > 0.99
    assert closeness(off, truth, truth, 0.5).max() < 0.01
    np.testing.assert_allclose(closeness(truth, truth, truth, 0.3), 0.3, atol=1e-6)


@settings(max_examples=40, deadline=None)
@given(seed=SEEDS, labelled=st.booleans())
def test_exposure_pairs_are_bright_and_dark_8_bit_frames(seed: int, labelled: bool) -> None:
    still = texture(48, seed % 7)
    pair = exposure_pair(still, quarters(len(still)) if labelled else None, np.random.default_rng(seed))

    assert pair.target is None
    assert pair.mask is None
    for frame in (pair.a, pair.b):
        assert frame.shape == (48, 48)
        assert frame.dtype == np.float32
        assert frame.min() >= 0
        assert frame.max() <= 1
        np.testing.assert_allclose(frame * 255, np.rint(frame * 255), atol=1e-3)
    assert pair.a.mean() > pair.b.mean()


@settings(max_examples=30, deadline=None)
@given(seed=SEEDS, labels=st.sampled_from([None, "one", "four"]))
def test_mattes_stay_between_0_and_1(seed: int, labels: str | None) -> None:
    regions = {None: None, "one": np.zeros((50, 50), np.uint16), "four": quarters(50)}[labels]
    matte = random_matte((50, 50), regions, np.random.default_rng(seed))
    assert matte.shape == (50, 50)
    assert matte.dtype == np.float32
    assert matte.min() >= 0
    assert matte.max() <= 1


@given(turns=st.integers(0, 3), mirror=st.booleans())
def test_turning_and_swapping_keep_a_sample_together(turns: int, mirror: bool) -> None:
    rng = np.random.default_rng(1)
    a, b, target, mask = rng.random((4, 6, 6), dtype=np.float32)
    sample = Sample(a, b, target, mask)
    turned = sample.turned(turns, mirror=mirror).swapped()
    assert turned.mask is not None
    assert turned.target is not None
    fused = turned.mask * turned.a + (1 - turned.mask) * turned.b
    expected = Sample(mask * a + (1 - mask) * b, target).turned(turns, mirror=mirror)
    np.testing.assert_allclose(fused, expected.a, atol=1e-6)
    np.testing.assert_array_equal(turned.target, expected.b)


def test_the_target_takes_over_what_the_camera_does_to_the_good_source() -> None:
    rng = np.random.default_rng(2)
    sharp = texture(64).astype(np.float32) / 255
    mask = np.zeros_like(sharp)
    mask[:, :32] = 1
    sample = Sample(sharp, sharp, sharp, mask)
    shot = Camera(noise=1, sharpening=1, jpeg=1, gain=1).shoot(sample, rng)

    assert np.abs(shot.a - sharp).mean() > 1e-3
    assert shot.target is not None
    np.testing.assert_allclose(shot.target[:, :32], shot.a[:, :32], atol=1e-6)
    np.testing.assert_allclose(shot.target[:, 32:], shot.b[:, 32:], atol=1e-6)


def test_a_camera_leaves_the_reference_of_an_exposure_pair_alone() -> None:
    still = texture(40).astype(np.float32) / 255
    shot = Camera(noise=1, jpeg=1).shoot(Sample(still, still, still), np.random.default_rng(3))
    np.testing.assert_array_equal(shot.target, still)


@settings(max_examples=50)
@given(seed=SEEDS)
def test_tone_curves_keep_or_reverse_the_order_of_levels(seed: int) -> None:
    rng = np.random.default_rng(seed)
    ramp = np.arange(256, dtype=np.uint8)[None]
    plain = apply_curve(ramp, tone_curve(rng)).astype(int)
    assert (np.diff(plain) >= 0).all()
    inverted = apply_curve(ramp, tone_curve(rng, invert=1.0)).astype(int)
    assert (np.diff(inverted) <= 0).all()


@settings(max_examples=30, deadline=None)
@given(seed=SEEDS)
def test_misregistration_stays_within_its_bound(seed: int) -> None:
    """A ramp tells how far each pixel moved."""
    ramp = np.tile(np.arange(100, 196, 2, dtype=np.uint8), (48, 1))
    moved = misregister(ramp, np.random.default_rng(seed), pixels=1.5)
    shift = (moved.astype(float) - ramp)[4:-4, 4:-4] / 2
    assert np.abs(shift).max() <= 1.5 * 1.5
