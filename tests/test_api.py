"""``fuse`` as a program calls it."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest

from tita_cli import Picture, fuse
from tita_cli.engine import load_engine
from tita_cli.errors import MismatchError, UsageError


def _picture(seed: int, *, color: bool = True, **fields: object) -> Picture:
    pixels = np.random.default_rng(seed).random((24, 40, 3 if color else 1), dtype=np.float32)
    return Picture(pixels, **fields)  # type: ignore[arg-type]


def test_pictures_in_picture_out(tiny_model: Path) -> None:
    fusion = fuse([_picture(1, depth=16, name="first"), _picture(2)], model=str(tiny_model))
    assert fusion.picture.pixels.shape == (24, 40, 3)
    assert fusion.picture.pixels.dtype == np.float32
    assert 0 <= fusion.picture.pixels.min() <= fusion.picture.pixels.max() <= 1
    assert fusion.picture.depth == 16
    assert fusion.picture.name == "first"
    assert "first" in fusion.explain()


def test_sources_may_be_open_files_and_the_engine_be_used_again(tiny_model: Path, picture_file: object) -> None:
    first, second = picture_file("a.png", seed=1), picture_file("b.png", seed=2)  # type: ignore[operator]
    engine = load_engine(str(tiny_model))
    from_paths = fuse([first, second], engine=engine)
    from_streams = fuse([io.BytesIO(first.read_bytes()), second], engine=engine)
    np.testing.assert_array_equal(from_paths.picture.pixels, from_streams.picture.pixels)


def test_grey_and_colour_keeps_the_chroma(tiny_model: Path) -> None:
    from tita_cli.images.color import split_luma

    color = Picture(np.full((16, 16, 3), (0.5, 0.45, 0.4), np.float32))
    grey = Picture(np.full((16, 16, 1), 0.5, np.float32))
    _, cb, cr = split_luma(color.pixels)
    fused = fuse([grey, color], model=str(tiny_model)).picture.pixels
    inside = (fused > 0).all(-1) & (fused < 1).all(-1)
    _, got_cb, got_cr = split_luma(fused)
    np.testing.assert_allclose(got_cb[inside], cb[inside], atol=1e-5)
    np.testing.assert_allclose(got_cr[inside], cr[inside], atol=1e-5)


def test_alpha_is_the_union(tiny_model: Path) -> None:
    left, right = np.zeros((2, 24, 40), np.float32)
    left[:, :10], right[:, 30:] = 1, 1
    both = fuse([_picture(1, alpha=left), _picture(2, alpha=right)], model=str(tiny_model)).picture.alpha
    assert both is not None
    np.testing.assert_array_equal(both, np.maximum(left, right))
    assert fuse([_picture(1, alpha=left), _picture(2)], model=str(tiny_model)).picture.alpha is None


def test_refusals(tiny_model: Path) -> None:
    with pytest.raises(UsageError):
        fuse([_picture(1)], model=str(tiny_model))
    small = Picture(np.zeros((8, 8, 1), np.float32))
    with pytest.raises(MismatchError):
        fuse([_picture(1), small], model=str(tiny_model), align="none")
