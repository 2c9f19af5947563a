"""Our values beside those of packages that have the same definition, where one is installed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tita_cli.metrics import METRICS, evaluate


def test_ssim_is_that_of_scikit_image(scene: Any) -> None:
    package = pytest.importorskip("skimage.metrics")
    theirs = sum(
        package.structural_similarity(
            source, scene.sharp, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=255
        )
        for source in (scene.left_blurred, scene.right_blurred)
    )
    found = evaluate(scene.sharp, scene.left_blurred, scene.right_blurred, metrics=[METRICS["SSIM"]])
    assert found["SSIM"] == pytest.approx(theirs, rel=1e-12)


def test_ms_ssim_is_that_of_pytorch_msssim(scene: Any) -> None:
    package = pytest.importorskip("pytorch_msssim")
    import torch

    # Sides that halve evenly: the packages differ in how they end an odd one.
    a, b, fused = (image[:176, :192].copy() for image in (scene.left_blurred, scene.right_blurred, scene.sharp))
    tensors = [torch.from_numpy(image.astype(np.float64))[None, None] for image in (a, b, fused)]
    theirs = sum(package.ms_ssim(source, tensors[2], data_range=255).item() for source in tensors[:2])
    assert evaluate(fused, a, b, metrics=[METRICS["MS_SSIM"]])["MS_SSIM"] == pytest.approx(theirs, rel=1e-6)
