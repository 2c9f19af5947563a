"""``tita_cli`` from Python: what goes in, what comes out, sessions and batches."""

from __future__ import annotations

import io
import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tita_cli import Picture, Session, TitaError, align_pictures, fuse, fuse_batch, write_picture
from tita_cli.errors import InputError, UsageError
from tita_cli.images.color import to_range
from tita_cli.options import OptionError

RNG = np.random.default_rng(0)
COLOR = RNG.integers(0, 256, (24, 40, 3), dtype=np.uint8)
GREY = RNG.integers(0, 256, (24, 40), dtype=np.uint8)


@pytest.fixture(scope="module")
def session(tiny_model: Path) -> Session:
    return Session(model=str(tiny_model), align="none")


def test_arrays_in_array_out(session: Session) -> None:
    fusion = session.fuse(COLOR, GREY)
    assert (fusion.array.shape, fusion.array.dtype) == ((24, 40, 3), np.uint8)
    np.testing.assert_array_equal(np.asarray(fusion), fusion.array)
    assert session.fuse(GREY, GREY[::-1]).array.shape == (24, 40)
    deep = session.fuse(COLOR.astype(np.uint16) * 257, GREY)
    assert deep.array.dtype == np.uint16
    np.testing.assert_allclose(deep.array / 257, fusion.array, atol=0.51)
    real = session.fuse(COLOR.astype(np.float32) / 255, GREY / 255)
    assert real.array.dtype == np.float32
    within = to_range(real.array.copy())  # of floats, what is beyond 0..1 is kept
    np.testing.assert_allclose(within * 255, fusion.array, atol=0.51)


def test_every_kind_of_source_means_the_same_picture(session: Session, tmp_path: Path) -> None:
    import torch

    Image.fromarray(COLOR).save(tmp_path / "color.png")
    kinds = [
        COLOR,
        Image.fromarray(COLOR),
        torch.from_numpy(COLOR).permute(2, 0, 1),
        torch.from_numpy(COLOR).permute(2, 0, 1)[None],
        tmp_path / "color.png",
        str(tmp_path / "color.png"),
        Picture.from_array(COLOR),
    ]
    expected = session.fuse([COLOR, GREY]).array  # in a list, too
    for kind in kinds:
        np.testing.assert_array_equal(session.fuse(kind, GREY).array, expected)
    again = session.fuse(session.fuse(COLOR, GREY), GREY)
    np.testing.assert_allclose(again.array, session.fuse(expected, GREY).array, atol=2)


def test_alpha_palettes_and_orientation_of_pillow_images(session: Session) -> None:
    from tita_cli.images.from_array import from_pil

    seen = np.dstack([COLOR, np.full((24, 40), 128, np.uint8)])
    assert from_pil(Image.fromarray(seen)).alpha is not None
    assert session.fuse(Image.fromarray(seen), seen).array.shape == (24, 40, 4)
    assert from_pil(Image.fromarray(GREY).convert("P")).is_color
    turned = Image.fromarray(COLOR)
    turned.getexif()[0x0112] = 6
    assert from_pil(turned).size == "24×40"


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (COLOR.transpose(2, 0, 1), "3×24×40"),
        (COLOR[None], "1×24×40×3"),
        (np.float32(3), "a single number"),
        (np.zeros((0, 4), np.uint8), "0×4"),
        (COLOR.astype(np.int64), "int64"),
        (COLOR.astype(np.float32), "floats are in 0..1"),
        (GREY.astype(complex), "complex"),
        (np.array([["a"]]), "<U1"),
        (GREY.tolist(), "of type list, not an array"),
        ("ir.png", "of type str, not an array"),
    ],
)
def test_arrays_that_mean_no_picture_are_refused(array: Any, words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        Picture.from_array(array)
    assert caught.value.hint


@pytest.mark.skipif(sys.version_info < (3, 11), reason="exceptions have notes from Python 3.11 on")
def test_a_traceback_shows_the_hint() -> None:
    with pytest.raises(TitaError) as caught:
        fuse(COLOR, GREY, aling="none")
    lines = "".join(traceback.format_exception(caught.value)).splitlines()
    assert lines[-2].endswith("OptionError: no option is called aling")
    assert lines[-1] == "hint: did you mean align?"
    assert not hasattr(InputError("a line without one"), "__notes__")


def test_measurements_have_the_range_that_they_fill(session: Session) -> None:
    celsius = 20 + 15 * RNG.random((24, 40))
    fusion = session.fuse(COLOR, celsius)
    assert any("20." in note and "become black" in note for note in fusion.notes)
    with_hole = celsius.copy()
    with_hole[3, 4] = np.nan
    alpha = Picture.from_array(with_hole).alpha
    assert alpha is not None
    assert alpha[3, 4] == 0 and alpha.sum() == 24 * 40 - 1


@pytest.mark.parametrize("wrong", [3, None, object(), {"a": 1}])
def test_what_is_no_source_is_named(wrong: object, session: Session) -> None:
    with pytest.raises(InputError, match="source 2 is of type"):
        session.fuse(COLOR, wrong)  # type: ignore[arg-type]


def test_pillow_tensor_and_notebook(session: Session) -> None:
    fusion = session.fuse(COLOR, GREY)
    np.testing.assert_array_equal(np.asarray(fusion.to_pil()), fusion.array)
    assert tuple(fusion.to_tensor().shape) == (3, 24, 40)
    assert fusion._repr_png_().startswith(b"\x89PNG")
    deep = session.fuse(GREY.astype(np.uint16) * 257, GREY.astype(np.uint16) * 200)
    assert deep.to_pil().mode == "I;16"
    assert "%" in fusion.explain()


@pytest.mark.parametrize("pixels", [COLOR, GREY.astype(np.float32), COLOR.tolist()], ids=["uint8", "H×W", "lists"])
def test_pixels_that_are_no_floats_of_three_axes_are_refused(pixels: Any) -> None:
    """Integers would be taken for white."""
    with pytest.raises(InputError, match="pixels are floats of H×W×C, not") as caught:
        Picture(pixels)
    assert caught.value.hint == "Picture.from_array takes other arrays"


@pytest.mark.parametrize("quality", ["high", 0, 400])
def test_a_quality_that_is_none(quality: Any) -> None:
    with pytest.raises(OptionError, match="is not a quality from 1 to 100"):
        write_picture(Picture.from_array(COLOR), io.BytesIO(), format="jpeg", quality=quality)


def test_a_session_may_be_shared_by_threads(session: Session) -> None:
    expected = session.fuse(COLOR, GREY).array
    found: list[np.ndarray] = []
    threads = [threading.Thread(target=lambda: found.append(session.fuse(COLOR, GREY).array)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    for array in found:
        np.testing.assert_array_equal(array, expected)
    with pytest.raises(UsageError, match="belongs to the whole session"):
        session.fuse(COLOR, GREY, device="cpu")
    assert session.describe()["variant"] == "tita-lite"


def test_align_pictures_fuses_nothing() -> None:
    aligned = align_pictures(COLOR, COLOR.copy())
    assert [picture.size for picture in aligned.pictures] == ["40×24"] * 2
    assert len(aligned.placements) == 2
    assert align_pictures(COLOR, COLOR, align="none").placements == ()


@pytest.fixture
def folder(picture_file: Callable[..., Path], tmp_path: Path) -> Path:
    for number in range(3):
        for seed, name in enumerate(("vis", "ir")):
            picture_file(f"in/{name}/{number}.png", seed=10 * number + seed)
    (tmp_path / "in/ir/1.png").write_bytes(b"no picture")
    return tmp_path / "in"


def test_a_batch_is_an_iterator_over_its_results(folder: Path, tiny_model: Path, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    how = {"model": str(tiny_model), "align": "none", "output": tmp_path / "out"}
    results = {
        result.path.name: result for result in fuse_batch(folder, progress=lambda *n: told.append(n), workers=1, **how)
    }
    assert sorted(results) == ["0.png", "1.png", "2.png"]
    assert told == [(1, 3), (2, 3), (3, 3)]
    assert results["0.png"].error is None and results["0.png"].path.is_file()
    assert "1.png" in str(results["1.png"].error)
    assert [source.parent.name for source in results["2.png"].sources] == ["vis", "ir"]
    assert list(fuse_batch(folder, workers=1, **how)) == []  # all is done
    again = list(fuse_batch(folder, workers=1, retry_failed=True, **how))
    assert [result.path.name for result in again] == ["1.png"]


def test_leaving_a_batch_ends_it(folder: Path, tiny_model: Path, tmp_path: Path) -> None:
    batch = fuse_batch(folder, output=tmp_path / "out", model=str(tiny_model), align="none", workers=1)
    next(batch)
    batch.close()
    assert threading.active_count() < 20
    with pytest.raises(TitaError):
        fuse_batch(tmp_path / "nothing")


def test_a_picture_is_one_line_in_a_notebook() -> None:
    assert repr(Picture(np.zeros((30, 40, 3), np.float32), name="a.png", depth=16)) == "<Picture a.png: 40×30, 16 bits>"
