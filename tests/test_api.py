"""``fuse`` as a program calls it."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest

from tita_cli import Picture, fuse, read_picture
from tita_cli.errors import MismatchError, UsageError
from tita_cli.runtime import load_engine


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
    when_needed = fuse([first, second], engine=lambda: engine)
    np.testing.assert_array_equal(from_paths.picture.pixels, when_needed.picture.pixels)


def test_a_file_of_several_pictures_is_fused_alone(tiny_model: Path, tmp_path: Path) -> None:
    from PIL import Image

    frames = [np.random.default_rng(seed).integers(0, 256, (24, 40), np.uint8) for seed in range(3)]
    stack, parts = tmp_path / "stack.tif", [tmp_path / f"{number}.png" for number in range(3)]
    images = [Image.fromarray(frame) for frame in frames]
    images[0].save(stack, save_all=True, append_images=images[1:])
    for image, part in zip(images, parts, strict=True):
        image.save(part)
    engine = load_engine(str(tiny_model))

    def fused(*sources: object) -> np.ndarray:
        return fuse(list(sources), engine=engine, align="none").picture.pixels  # type: ignore[arg-type]

    whole = fused(*parts)
    np.testing.assert_array_equal(fused(stack), whole)
    np.testing.assert_array_equal(fused(io.BytesIO(stack.read_bytes())), whole)
    np.testing.assert_array_equal(fused(f"{stack}@1", f"{stack}@2-3"), whole)
    np.testing.assert_array_equal(fused(f"{stack}@2-3"), fused(*parts[1:]))
    with pytest.raises(UsageError, match=r"at least two images, and .*0\.png holds one"):
        fused(parts[0])
    with pytest.raises(UsageError, match="there is no source 4"):
        fuse([stack], engine=engine, reference=3)


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
        fuse([_picture(1), small], model=str(tiny_model))


def test_the_order_of_the_sources_does_not_matter(tiny_model: Path) -> None:
    pictures = [_picture(i, color=i % 2 == 0, name=str(i)) for i in range(5)]
    engine = load_engine(str(tiny_model))
    straight, mixed = (
        fuse([pictures[i] for i in order], engine=engine).picture.pixels for order in ((0, 1, 2, 3, 4), (3, 0, 4, 1, 2))
    )
    np.testing.assert_allclose(straight, mixed, atol=1e-5)


def test_a_hint_of_colour_comes_first(tiny_pair_model: Path) -> None:
    """A brighter infrared picture comes after what a colour camera saw at night; grey in three channels is grey."""
    night, infrared = np.full((2, 24, 40, 3), 0.3, np.float32)
    night[..., 2] += 1 / 255
    infrared += 0.2
    fusion = fuse([Picture(infrared, name="bright"), Picture(night, name="night")], model=str(tiny_pair_model))
    assert fusion.steps[0].sources[0].name == "night"
    night[..., 2] = 0.3
    fusion = fuse([Picture(infrared, name="bright"), Picture(night, name="night")], model=str(tiny_pair_model))
    assert fusion.steps[0].sources[0].name == "bright"


def test_transparent_places_show_the_other_source(tiny_model: Path) -> None:
    """As it is, from 32 pixels inside their edge; what lies before is led over smoothly."""
    one, other = np.random.default_rng(1).random((2, 64, 96, 3), dtype=np.float32)
    hole = np.ones((64, 96), np.float32)
    hole[:, :56] = 0
    fused = fuse([Picture(one), Picture(other, hole)], model=str(tiny_model)).picture
    np.testing.assert_allclose(fused.pixels[:, :24], one[:, :24], atol=1e-5)
    assert np.abs(fused.pixels[:, 24:56] - one[:, 24:56]).max() < 0.2
    assert np.abs(fused.pixels[:, 64:] - one[:, 64:]).mean() > 0.1
    assert fused.alpha is None


def test_what_a_sensor_used_is_fused_and_the_result_is_in_its_values(tiny_model: Path) -> None:
    """Pictures of 12 bits in 16: they come out as dark as they went in, and the note says so."""
    scene = np.random.default_rng(0).random((24, 40, 3), dtype=np.float32) * 4095 / 65535
    frames = [Picture(scene, depth=16, name=f"{number}.tif", levels=(0, 65535)) for number in range(2)]
    fusion = fuse(frames, model=str(tiny_model), align="none")
    assert fusion.picture.pixels.max() < 4096 / 65535
    assert any("0 to 4095 are fused as black to white; the result is in the file's own" in n for n in fusion.notes)


def test_thermal_counts_are_mapped_and_said(tiny_model: Path) -> None:
    counts = (7000 + 900 * np.random.default_rng(0).random((24, 40, 1))) / 65535
    thermal = Picture(counts.astype(np.float32), depth=16, name="ir.tif", levels=(0, 65535))
    fusion = fuse([_picture(1), thermal], model=str(tiny_model))
    assert any("ir.tif: values 70" in note for note in fusion.notes)
    assert fusion.picture.depth == 16
    full = fuse([_picture(1), thermal], model=str(tiny_model), value_range="full", align="none")
    assert not full.notes


def _degrees() -> list[Picture]:
    """Two pictures of 10 to 40 °C."""
    scene = 10 + 30 * np.random.default_rng(0).random((24, 40, 1), dtype=np.float32)
    return [Picture(scene + shift, depth=32, name=f"{shift}.tif") for shift in (0.0, 0.5)]


def test_degrees_are_shown_where_a_format_has_no_floats(tiny_model: Path, tmp_path: Path) -> None:
    """Beyond 0..1 all of them would be white."""
    fusion = fuse(_degrees(), model=str(tiny_model), align="none")
    kept, shown = tmp_path / "kept.tif", tmp_path / "shown.png"
    assert fusion.save(kept).depth == 32
    assert 20 < float(np.median(read_picture(kept).pixels)) < 30
    assert any("PNG holds no values beyond 0 to 1, 10" in note for note in fusion.save(shown).notes)
    assert float(np.median(read_picture(shown).pixels)) == pytest.approx(0.5, abs=0.1)
    assert 100 < np.median(np.asarray(fusion.to_pil())) < 156
    short = fuse(_degrees(), model=str(tiny_model), align="none", depth=16)
    assert short.array.dtype == np.uint16 and 0.3 < np.median(short.array) / 65535 < 0.7
    assert any("become black to white in 16 bits" in note for note in short.notes)


def test_the_colours_of_a_palette_are_no_degrees(tiny_model: Path) -> None:
    how = {"palette": "inferno", "role": {0: "infrared", 1: "visible"}}
    fusion = fuse(_degrees(), model=str(tiny_model), align="none", **how)  # type: ignore[arg-type]
    assert fusion.picture.is_color and 0.5 < fusion.picture.pixels.max() < 1.1


def test_a_stack_of_counts_fuses_into_counts(tiny_model: Path) -> None:
    rng = np.random.default_rng(0)
    stack = [
        Picture(((7000 + 900 * rng.random((24, 40, 1))) / 65535).astype(np.float32), depth=16, levels=(0, 65535))
        for _ in range(3)
    ]
    pixels = fuse(stack, model=str(tiny_model)).picture.pixels * 65535
    assert 6900 < pixels.min() < pixels.max() < 8000


def test_colour_modes(tiny_model: Path) -> None:
    pair = [_picture(1), _picture(2)]
    assert not fuse(pair, model=str(tiny_model), color="grey").picture.is_color
    with pytest.raises(UsageError):
        fuse(pair, model=str(tiny_model), color="sepia")  # type: ignore[arg-type]


def test_winners_name_the_sources_by_their_number(tiny_model: Path) -> None:
    engine = load_engine(str(tiny_model))
    a, b = _picture(1), _picture(2)
    one, other = (fuse(pair, engine=engine, align="none").winners for pair in ([a, b], [b, a]))
    assert one is not None and other is not None
    assert set(np.unique(one.pixels)) == {0, 1}
    np.testing.assert_array_equal(one.pixels, 1 - other.pixels)


def test_provenance_and_metadata(tiny_model: Path, tmp_path: Path) -> None:
    from tita_cli import read_picture

    pair = [_picture(1, name="/somewhere/a.png"), _picture(2, name="b.png")]
    fuse(pair, model=str(tiny_model)).save(tmp_path / "out.png")
    record = read_picture(tmp_path / "out.png").metadata.provenance
    assert record is not None
    assert record.sources == ("a.png", "b.png")
    fuse(pair, model=str(tiny_model), metadata="none").save(tmp_path / "bare.png")
    assert read_picture(tmp_path / "bare.png").metadata.provenance is None
