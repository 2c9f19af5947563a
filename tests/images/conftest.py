"""Small pictures, and files of them as other programs write them."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from tita_cli.errors import InputError
from tita_cli.images import read_picture


@pytest.fixture(scope="session")
def ramp() -> np.ndarray:
    """6×8 grey levels."""
    return np.arange(6 * 8, dtype=np.uint8).reshape(6, 8) * 5


@pytest.fixture(scope="session")
def color(ramp: np.ndarray) -> np.ndarray:
    """6×8×3 RGB."""
    return np.stack([ramp, ramp[::-1], 255 - ramp], axis=2)


@pytest.fixture(scope="session")
def stored() -> Callable[..., io.BytesIO]:
    """A file as Pillow writes it."""

    def store(image: Image.Image, format: str, **options: Any) -> io.BytesIO:
        buffer = io.BytesIO()
        image.save(buffer, format, **options)
        buffer.seek(0)
        return buffer

    return store


@pytest.fixture(scope="session")
def tiff() -> Callable[..., io.BytesIO]:
    """A file as tifffile writes it."""

    def store(data: np.ndarray, **options: Any) -> io.BytesIO:
        buffer = io.BytesIO()
        tifffile.imwrite(buffer, data, **options)
        buffer.seek(0)
        return buffer

    return store


@pytest.fixture(scope="session")
def refused() -> Callable[..., InputError]:
    """Reading ``source`` ends with an error of one line that matches."""

    def fail(source: Any, match: str, **options: Any) -> InputError:
        with pytest.raises(InputError, match=match) as caught:
            read_picture(source, **options)
        assert "\n" not in caught.value.message
        return caught.value

    return fail
