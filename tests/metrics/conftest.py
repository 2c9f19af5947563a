"""A made scene and its views: no photograph is needed to tell a metric from its neighbour."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
import pytest

Bytes = npt.NDArray[np.uint8]


def to_bytes(values: npt.NDArray[np.float64]) -> Bytes:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


@dataclass(frozen=True)
class Scene:
    """H×W uint8: the scene, and two sources with the left and the right half out of focus."""

    sharp: Bytes
    left_blurred: Bytes
    right_blurred: Bytes


@pytest.fixture(scope="session")
def scene() -> Scene:
    rng = np.random.default_rng(5)
    height, width = 176, 200
    down, across = np.mgrid[0:height, 0:width].astype(np.float64)
    values = 90 + 40 * np.sin(across / 9) * np.cos(down / 13) + 30 * (across > down) + 20 * ((across // 16) % 2)
    values += cv2.GaussianBlur(rng.normal(size=(height, width)), (0, 0), 1.2) * 25
    soft = cv2.GaussianBlur(values, (0, 0), 3)
    left = across < width / 2
    return Scene(to_bytes(values), to_bytes(np.where(left, soft, values)), to_bytes(np.where(left, values, soft)))
