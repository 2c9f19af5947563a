"""HEIC, where its library is installed, and what is said where it is not."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from tita_cli.errors import InputError
from tita_cli.images import read_picture


def test_heic(color: np.ndarray, stored: Callable[..., io.BytesIO]) -> None:
    heif = pytest.importorskip("pillow_heif")
    heif.register_heif_opener()
    large = np.kron(color, np.ones((8, 8, 1), np.uint8))
    picture = read_picture(stored(Image.fromarray(large), "HEIF", quality=95))
    assert picture.format == "heic" and picture.depth == 8
    assert np.abs(picture.pixels * 255 - large).mean() < 4


@pytest.mark.parametrize("head", [b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic"])
def test_without_the_library_its_package_is_named(head: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tita_cli.images.formats.format.find_spec", lambda name: None)
    with pytest.raises(InputError, match="is HEIC, whose library is not installed") as caught:
        read_picture(io.BytesIO(head + bytes(100)))
    assert caught.value.hint == "pip install pillow-heif"
