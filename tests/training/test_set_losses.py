"""The loss of exposures is the metric that judges them."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from tita_cli.metrics.exposure import mef_ssim
from tita_cli.metrics.plane import Plane
from tita_cli.network.tita_lite import SetOutput
from tita_cli.training.set_losses import WEIGHTS, set_losses, structure_lost


@pytest.fixture(scope="module")
def bracket() -> np.ndarray:
    """Three exposures of one scene, 3×96×120 in 0..1."""
    rng = np.random.default_rng(5)
    scene = cv2.resize(rng.random((12, 15)), (120, 96), interpolation=cv2.INTER_CUBIC) + 0.1 * rng.random((96, 120))
    return np.stack([np.clip(scene * gain, 0, 1) for gain in (0.4, 1.0, 1.8)])


def _lost(bracket: np.ndarray, fused: np.ndarray) -> tuple[float, float]:
    """What the loss and the metric see lost."""
    frames, picture = torch.tensor(bracket)[None].float(), torch.tensor(fused)[None, None].float()
    metric = mef_ssim(*(Plane(np.rint(plane * 255).astype(np.uint8)) for plane in (fused, *bracket)))
    return float(structure_lost(frames, picture)), 1 - metric


def test_the_loss_of_exposures_follows_the_metric(bracket: np.ndarray) -> None:
    mean = bracket.mean(0)
    pictures = (mean, bracket[1], bracket[0], 0.5 + 0.2 * (mean - mean.mean()))
    losses, metrics = zip(*(_lost(bracket, fused) for fused in pictures), strict=True)
    assert losses == pytest.approx(metrics, rel=0.5)  # the scales have other weights
    assert np.argsort(losses).tolist() == np.argsort(metrics).tolist()


def test_tones_that_run_across_an_object_count(bracket: np.ndarray) -> None:
    """A picture that keeps fine detail and loses what is wider than a window."""
    mean = bracket.mean(0)
    flat = np.clip(mean - 0.7 * (cv2.GaussianBlur(mean, (0, 0), 4) - mean.mean()), 0, 1)
    from_scales, metric = _lost(bracket, flat)
    assert from_scales == pytest.approx(metric, rel=0.5)
    assert from_scales > 2 * _lost(bracket, mean)[0]


def test_the_order_of_frames_makes_no_difference(bracket: np.ndarray) -> None:
    assert _lost(bracket, bracket[1])[0] == pytest.approx(_lost(bracket[::-1].copy(), bracket[1])[0], abs=1e-6)


def test_detail_beyond_the_range_of_a_picture_is_lost_and_led_back(bracket: np.ndarray) -> None:
    frames = torch.tensor(bracket)[None].float()
    fused = (frames.mean(1, keepdim=True) + 0.4).requires_grad_()
    assert float(fused.detach().max()) > 1.1
    nothing = torch.zeros(())
    output = SetOutput([], [], [], nothing, nothing)
    terms = set_losses("mef", frames, fused, nothing, output, frames.mean(1, keepdim=True), None, None, WEIGHTS)
    assert terms["exposure"].item() == pytest.approx(
        WEIGHTS["sequence"]["exposure"] * float(structure_lost(frames, fused.detach().clamp(0, 1)))
    )
    (gradient,) = torch.autograd.grad(terms["range"], fused)
    assert (gradient[fused > 1] > 0).all() and not gradient[fused < 1].any()
