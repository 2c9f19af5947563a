"""The pyramid in PyTorch against OpenCV's."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tita_cli.network.pyramid import collapse, expand, laplacian, reduce


@settings(max_examples=30, deadline=None)
@given(height=st.integers(3, 40), width=st.integers(3, 40), seed=st.integers(0, 2**31))
def test_it_is_opencvs(height: int, width: int, seed: int) -> None:
    image = torch.rand(2, 1, height, width, generator=torch.Generator().manual_seed(seed))
    smaller = reduce(image)
    for one, small in zip(image, smaller, strict=True):
        wanted = cv2.pyrDown(one[0].numpy())
        np.testing.assert_allclose(small[0], wanted, atol=1e-6)
        larger = expand(small[None], height, width)[0, 0]
        if min(wanted.shape) > 1:  # OpenCV takes a border of one pixel for a constant, as we do, but in another order
            np.testing.assert_allclose(larger, cv2.pyrUp(wanted, dstsize=(width, height)), atol=1e-6)


def test_collapse_is_the_inverse() -> None:
    image = torch.rand(1, 2, 45, 70, generator=torch.Generator().manual_seed(1))
    pyramid = laplacian(image, 3)
    assert [tuple(band.shape[-2:]) for band in pyramid] == [(45, 70), (23, 35), (12, 18), (6, 9)]
    torch.testing.assert_close(collapse(pyramid), image)
