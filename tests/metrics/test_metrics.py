"""What must hold of the metrics whatever the image, and what they must tell apart."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tita_cli.metrics import METRICS, evaluate
from tita_cli.metrics.edges import edge_map
from tita_cli.metrics.plane import Plane

Bytes = npt.NDArray[np.uint8]

OF_SOURCES = [name for name, metric in METRICS.items() if metric.with_sources is not None]
# SSIM, CC, MI and their kin like blends and copies: of them nothing of the kind holds.
BETTER_WHEN_SHARP = ["AG", "EI", "SF", "Qabf", "Qcb", "Qcv", "VIF", "Qw", "MEF_SSIM", "Qy", "NMI"]

images = arrays(np.uint8, (48, 52), elements=st.integers(0, 255))


def to_bytes(values: npt.NDArray[np.float64]) -> Bytes:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def value(name: str, fused: Bytes, a: Bytes, b: Bytes) -> float:
    return evaluate(fused, a, b, metrics=[METRICS[name]])[name]


# Qc clips the share of the first source to 0 and 1 in the quality, not in the weight: it knows an order.
@pytest.mark.parametrize("name", sorted(set(OF_SOURCES) - {"Qc"}))
def test_swapping_the_sources_changes_nothing(name: str, scene: Any) -> None:
    straight = value(name, scene.sharp, scene.left_blurred, scene.right_blurred)
    swapped = value(name, scene.sharp, scene.right_blurred, scene.left_blurred)
    assert straight == pytest.approx(swapped, rel=1e-9)


def test_three_equal_images_give_the_best_there_is(scene: Any) -> None:
    found = evaluate(scene.sharp, scene.sharp, scene.sharp)
    expected = {
        "CE": 0, "NMI": 2, "RMSE": 0, "PSNR": math.inf, "CC": 1, "SSIM": 2, "MS_SSIM": 2, "MEF_SSIM": 1, "FMI": 1,
        "Qcb": 1, "Qcv": 0, "VIF": 1, "Qw": 1, "Qy": 1, "Qc": 1,
    }  # fmt: skip
    assert {name: found[name] for name in expected} == pytest.approx(expected, abs=1e-6)
    assert found["MI"] == pytest.approx(2 * math.log(2) * value("EN", *[_stretched(scene.sharp)] * 3), rel=1e-12)
    # The sigmoids of Qabf do not reach 1: their constants give at best .9994 × .9879 times their value at 1.
    assert 0.96 < found["Qabf"] < 0.98


def _stretched(image: Bytes) -> Bytes:
    return Plane(image).stretched


@pytest.mark.parametrize("name", BETTER_WHEN_SHARP)
def test_the_sharp_picture_beats_a_blurred_one(name: str, scene: Any) -> None:
    blurred = to_bytes(cv2.GaussianBlur(scene.sharp.astype(np.float64), (0, 0), 2.5))
    sharp = value(name, scene.sharp, scene.left_blurred, scene.right_blurred)
    worse = value(name, blurred, scene.left_blurred, scene.right_blurred)
    assert (sharp > worse) == METRICS[name].higher_is_better


@pytest.mark.parametrize(
    "name",
    [
        "Qabf",
        "Qcb",
        "Qcv",
        "VIF",
        "Qw",
        "Qy",
        "SSIM",
        "MS_SSIM",
        "MEF_SSIM",
        "NMI",
        "MI",
        "PSNR",
        "RMSE",
        "CC",
        "Qncie",
    ],
)
def test_more_noise_is_never_better(name: str, scene: Any) -> None:
    noise = np.random.default_rng(1).normal(size=scene.sharp.shape)
    noisy = [to_bytes(scene.sharp + strength * noise) for strength in (0, 6, 20, 60)]
    found = [value(name, image, scene.left_blurred, scene.right_blurred) for image in noisy]
    sign = 1 if METRICS[name].higher_is_better else -1
    assert all(sign * better > sign * worse for better, worse in pairwise(found)), found


@pytest.mark.parametrize("name", ["Qcb", "VIF", "Qw", "Qy", "MEF_SSIM", "FMI", "Qabf"])
def test_the_average_of_a_focus_pair_is_worse_than_the_sharp_scene(name: str, scene: Any) -> None:
    mixed = to_bytes((scene.left_blurred.astype(float) + scene.right_blurred) / 2)
    sources = (scene.left_blurred, scene.right_blurred)
    assert value(name, scene.sharp, *sources) > value(name, mixed, *sources)


@given(images, images, images)
@settings(max_examples=25, deadline=None)
def test_every_value_lies_in_its_range(fused: Bytes, a: Bytes, b: Bytes) -> None:
    found = evaluate(fused, a, b)
    ranges = {
        "EN": (0, 8), "MI": (0, 16 * math.log(2)), "NMI": (0, 2), "Qncie": (0, 1), "RMSE": (0, math.inf),
        "CC": (-1, 1), "SCD": (-2, 2), "SSIM": (-2, 2), "MEF_SSIM": (-1, 1), "SD": (0, 127.5), "Qabf": (0, 1),
        "FMI": (0, 1), "Qcb": (0, 1), "Qcv": (0, math.inf), "VIF": (0, math.inf), "Qw": (-1, 1), "Qy": (-1, 1),
        "AG": (0, math.inf), "EI": (0, math.inf), "SF": (0, math.inf),
    }  # fmt: skip
    slack = 1e-9
    for name, (low, high) in ranges.items():
        assert math.isnan(found[name]) or low - slack <= found[name] <= high + slack, name


@given(st.integers(0, 255), st.integers(0, 255), st.integers(0, 255))
@settings(max_examples=15, deadline=None)
def test_flat_images_give_numbers_or_nan_but_no_failure(f: int, a: int, b: int) -> None:
    flat = [np.full((48, 52), grey, np.uint8) for grey in (f, a, b)]
    found = evaluate(*flat)
    assert found["EN"] == found["SD"] == found["AG"] == 0
    assert math.isnan(found["CC"])


def test_an_image_too_small_for_a_metric_gives_nan_there_only() -> None:
    fused, a, b = np.random.default_rng(0).integers(0, 256, (3, 20, 30), dtype=np.uint8)
    found = evaluate(fused, a, b)
    assert {name for name in found if math.isnan(found[name])} == {"VIF", "MS_SSIM", "MEF_SSIM"}


@pytest.mark.parametrize("name", [name for name, metric in METRICS.items() if metric.least > 2])
def test_the_least_size_is_enough(name: str) -> None:
    side = METRICS[name].least
    a, b = np.random.default_rng(0).integers(0, 256, (2, side, side + 3), dtype=np.uint8)
    assert math.isfinite(value(name, a, a, b))


def test_edges_are_thin_and_where_the_step_is() -> None:
    image = np.zeros((40, 40), np.uint8)
    image[:, 20:] = 200
    edges = edge_map(Plane(image))
    assert edges.sum(axis=1).tolist() == [1] * 40
    assert set(np.nonzero(edges)[1].tolist()) <= {19, 20}


def test_a_shift_in_brightness_leaves_structure_metrics_alone(scene: Any) -> None:
    a, b = scene.left_blurred // 2, scene.right_blurred // 2
    fused = scene.sharp // 2
    for name in ("MEF_SSIM", "FMI", "AG", "SF", "SD", "EI", "EN", "CC"):
        assert value(name, fused + 60, a + 60, b + 60) == pytest.approx(value(name, fused, a, b), rel=1e-9), name
