"""Colour, sizes, and the same values as before."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tita_cli.errors import MismatchError, UsageError
from tita_cli.metrics import METRICS, evaluate, find_metrics
from tita_cli.metrics.evaluate import grey

KNOWN = Path(__file__).with_name("known_values.json")


def test_values_are_what_they_were(scene: Any) -> None:
    """Computed when every published value was reproduced: see bench/metrics_validation.py."""
    mixed = ((scene.left_blurred.astype(int) + scene.right_blurred + 1) // 2).astype(np.uint8)
    known = json.loads(KNOWN.read_text(encoding="utf-8"))
    for name, fused in (("sharp", scene.sharp), ("mixed", mixed)):
        found = evaluate(fused, scene.left_blurred, scene.right_blurred)
        assert found == pytest.approx(known[name], rel=1e-7), name


def test_colour_is_the_mean_over_the_channels(scene: Any) -> None:
    a, b, fused = (
        np.dstack([image, image[::-1], 255 - image]) for image in (scene.left_blurred, scene.right_blurred, scene.sharp)
    )
    found = evaluate(fused, a, b)
    single = [evaluate(*(np.ascontiguousarray(image[:, :, c]) for image in (fused, a, b))) for c in range(3)]
    for name in set(METRICS) - {"MEF_SSIM"}:
        assert found[name] == pytest.approx(np.mean([row[name] for row in single]), rel=1e-12), name
    assert found["MEF_SSIM"] == pytest.approx(evaluate(grey(fused), grey(a), grey(b))["MEF_SSIM"], rel=1e-12)


def test_three_equal_channels_are_as_good_as_one(scene: Any) -> None:
    colour = np.dstack([scene.sharp] * 3)
    sources = (scene.left_blurred, scene.right_blurred)
    assert evaluate(colour, *sources) == pytest.approx(evaluate(scene.sharp, *sources), rel=1e-12)
    assert evaluate(scene.sharp, *(np.dstack([source] * 3) for source in sources)) == pytest.approx(
        evaluate(scene.sharp, *sources), rel=1e-12
    )


def test_only_sf_hangs_on_the_convention(scene: Any) -> None:
    colour = np.dstack([scene.sharp, scene.sharp[::-1], 255 - scene.sharp])
    images = (colour, np.dstack([scene.left_blurred] * 3), scene.right_blurred)
    mefb, vifb = evaluate(*images), evaluate(*images, convention="vifb")
    assert {name for name in mefb if mefb[name] != vifb[name]} == {"SF"}


def test_grey_is_rounded_as_rgb2gray() -> None:
    pixels = np.array([[[255, 255, 255], [1, 2, 3], [200, 10, 90], [0, 0, 0]]], np.uint8)
    assert grey(pixels).tolist() == [[255, 2, 76, 0]]


def test_other_sizes_are_refused(scene: Any) -> None:
    with pytest.raises(MismatchError, match="200×176, 200×170, 200×176"):
        evaluate(scene.sharp, scene.sharp[:170], scene.sharp)


@pytest.mark.parametrize("wrong", [np.zeros((20, 20)), np.zeros((20, 20), np.uint16)])
def test_other_types_are_refused(wrong: np.ndarray) -> None:
    with pytest.raises(TypeError, match="uint8"):
        evaluate(wrong, wrong, wrong)


def test_names_are_found_however_they_are_written() -> None:
    assert [metric.name for metric in find_metrics("qabf, MEF-SSIM,en,Qabf")] == ["Qabf", "MEF_SSIM", "EN"]
    with pytest.raises(UsageError, match="unknown metric: Qxyz"):
        find_metrics("EN,Qxyz")
    with pytest.raises(UsageError):
        find_metrics(" , ")


def test_every_metric_is_documented() -> None:
    page = (Path(__file__).parents[2] / "docs/reference/metrics.md").read_text(encoding="utf-8")
    rows = {line.split("|")[1].strip(): line for line in page.splitlines() if line.startswith("| ")}
    for name, metric in METRICS.items():
        assert metric.arrow in rows[f"`{name}`"], name
