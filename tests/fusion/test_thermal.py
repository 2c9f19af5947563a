"""Balance, palette and overlay of the finish."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from tita_cli import Picture, fuse
from tita_cli.errors import UsageError
from tita_cli.fusion import plan as plan_module
from tita_cli.fusion.plan import Plan
from tita_cli.fusion.source import describe_sources
from tita_cli.fusion.strategy import Fused
from tita_cli.fusion.thermal import asks_for_more, styled
from tita_cli.images.color import Chroma, luma, merge_luma, split_luma
from tita_cli.images.picture import Thermal
from tita_cli.options import FuseOptions

HEIGHT, WIDTH = 40, 60


def _pair() -> tuple[Picture, Picture]:
    """A photograph in colour, and infrared whose counts rise from left to right."""
    rng = np.random.default_rng(0)
    photograph = Picture(rng.random((HEIGHT, WIDTH, 3), dtype=np.float32), name="vis.png", levels=(0, 255))
    counts = np.linspace(7000, 9000, WIDTH, dtype=np.float32) / 65535
    celsius = (np.arange(65536, dtype=np.float32) - 7000) / 100  # 0 °C at 7000 counts, 20 °C at 9000
    pixels = np.repeat(counts[None, :, None], HEIGHT, axis=0)
    thermal = Thermal("maker", celsius)
    return photograph, Picture(pixels, depth=16, name="ir.tif", levels=(0, 65535), thermal=thermal)


def _styled(**options: object) -> tuple[Plan, Fused, Fused]:
    """The plan, what a network might have fused, and what became of it."""
    how = FuseOptions(**options)  # type: ignore[arg-type]
    plan = Plan(describe_sources(_pair()), align="none", options=how)
    y, cb, cr = split_luma(plan.read(0).pixels)
    fused = Fused((y + plan.read(1).pixels[..., 0]) / 2, Chroma(cb, cr), None, None, ())
    return plan, fused, styled(plan, fused, how)


def test_balance_goes_from_one_source_to_the_other() -> None:
    assert not asks_for_more(FuseOptions())
    plan, _, photograph = _styled(balance=0.0)
    np.testing.assert_allclose(photograph.luminance, luma(plan.read(0).pixels), atol=1e-6)
    plan, _, infrared = _styled(balance=1.0)
    np.testing.assert_allclose(infrared.luminance, plan.read(1).pixels[..., 0], atol=1e-6)
    assert infrared.chroma is not None
    assert np.abs(infrared.chroma.cb).max() < 1e-6
    plan, fused, between = _styled(balance=0.75)
    np.testing.assert_allclose(between.luminance, (fused.luminance + plan.read(1).pixels[..., 0]) / 2, atol=1e-6)
    with pytest.raises(UsageError, match=r"`balance`: '2\.0' is not"):
        _styled(balance=2.0)


def test_a_palette_colours_and_keeps_the_luminance() -> None:
    _, fused, colored = _styled(palette="inferno")
    np.testing.assert_array_equal(colored.luminance, fused.luminance)
    assert colored.chroma is not None
    pixels = merge_luma(colored.luminance, *colored.chroma)
    assert pixels.min() > -1e-5 and pixels.max() < 1 + 1e-5
    warm, cold = (np.mean(colored.chroma.cr[:, part]) for part in (slice(-20, -10), slice(5)))
    assert warm > cold + 0.05


def test_an_overlay_colours_what_is_hotter() -> None:
    plan, fused, colored = _styled(overlay=15.0)
    assert fused.chroma is not None and colored.chroma is not None
    hot = plan.read(1).pixels[..., 0] > 0.78
    cold = plan.read(1).pixels[..., 0] < 0.7
    np.testing.assert_array_equal(colored.chroma.cb[cold], fused.chroma.cb[cold])
    assert np.abs(colored.chroma.cb[hot] - fused.chroma.cb[hot]).mean() > 0.05


def test_an_overlay_that_nothing_reaches_changes_nothing_and_says_so() -> None:
    """A survey has pictures without a hot place, which are no errors."""
    plan, fused, colored = _styled(overlay=60.0)
    np.testing.assert_array_equal(colored.luminance, fused.luminance)
    assert fused.chroma is not None and colored.chroma is not None
    np.testing.assert_array_equal(colored.chroma.cb, fused.chroma.cb)
    assert plan.notes[-1].startswith("ir.tif: nothing is hotter than `overlay` 60, it shows 0.")


@pytest.mark.parametrize("polarity", ["white-hot", "black-hot"])
def test_an_overlay_finds_a_spot_that_is_hotter_than_the_range(polarity: str) -> None:
    """The range leaves a thousandth of the pixels to the sun: few pixels of a hot fuse lie there, too."""
    photograph, infrared = _pair()
    hot = infrared.pixels.copy()
    sign = 1 if polarity == "white-hot" else -1
    hot[20, 30] += np.float32(sign * 6000 / 65535)  # of 2400 pixels
    how = FuseOptions(overlay=8000.0 + sign * 4000, polarity=polarity)  # type: ignore[arg-type]
    plan = Plan(describe_sources([photograph, replace(infrared, pixels=hot, thermal=None)]), align="none", options=how)
    y, cb, cr = split_luma(plan.read(0).pixels)
    colored = styled(plan, Fused(y, Chroma(cb, cr), None, None, ()), how)
    changed = np.argwhere(colored.luminance != y)
    assert len(changed) and (np.abs(changed - (20, 30)) <= 1).all()
    assert not any("nothing is hotter" in note for note in plan.notes)


def test_what_needs_the_infrared_asks_for_it() -> None:
    grey = [Picture(np.random.default_rng(i).random((40, 60, 1), dtype=np.float32), name=f"{i}.png") for i in (0, 1)]
    plan = Plan(describe_sources(grey), align="none")
    fused = Fused(grey[0].pixels[..., 0], None, None, None, ())
    with pytest.raises(UsageError, match="`palette`: which source is the infrared is not clear"):
        styled(plan, fused, FuseOptions(palette="hot"))


def test_the_names_are_those_of_the_palettes() -> None:
    from tita_cli.images.palettes import palettes
    from tita_cli.options import declared

    assert set(declared(FuseOptions)["palette"].choices) <= set(palettes())


@pytest.mark.parametrize(
    ("denoise", "depth", "stripes", "grain"),
    [("auto", 16, True, True), ("auto", 8, True, False), ("on", 8, True, True), ("off", 8, False, False)],
)
def test_noise_of_the_infrared_is_reduced(denoise: str, depth: int, stripes: bool, grain: bool) -> None:
    rng = np.random.default_rng(1)
    noisy = 0.5 + rng.normal(0, 0.03, (96, 128, 1)) + rng.normal(0, 0.03, (1, 128, 1))
    infrared = Picture(noisy.astype(np.float32), depth=depth, name="a_ir.png")  # type: ignore[arg-type]
    photograph = Picture(rng.random((96, 128, 3), dtype=np.float32), name="a_vis.png")
    how = FuseOptions(denoise=denoise, value_range="full")  # type: ignore[arg-type]
    plan = Plan(describe_sources([photograph, infrared]), align="none", options=how)
    np.testing.assert_array_equal(plan.read(0).pixels, photograph.pixels)
    calm = plan.read(1).pixels
    assert (calm.mean(axis=0).std() < 0.5 * noisy.mean(axis=0).std()) == stripes
    assert (np.diff(calm, axis=0).std() < 0.5 * np.diff(noisy, axis=0).std()) == grain
    assert any("`denoise` off" in note for note in plan.notes) == stripes
    assert any("`denoise` on" in note for note in plan.notes) == (stripes and not grain)
    rows_of = plan.rows_of(1)
    parts = [rows_of(rows).pixels for rows in (slice(0, 50), slice(50, 96))]
    np.testing.assert_array_equal(np.concatenate(parts), plan.read(1).pixels)


@pytest.mark.parametrize("stripes", [0.0, 0.02])
def test_noise_is_measured_once(stripes: float, tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Though a strategy reads every source twice."""
    original, measured = plan_module.reduce_noise, []

    def counted(picture: Picture, *, grain_too: bool) -> Picture:
        measured.append(picture.name)
        return original(picture, grain_too=grain_too)

    monkeypatch.setattr(plan_module, "reduce_noise", counted)
    rng = np.random.default_rng(2)
    scene = cv2.GaussianBlur(rng.random((160, 200)).astype(np.float32), (0, 0), 4)
    infrared = Picture((scene + rng.normal(0, stripes, 200).astype(np.float32)).clip(0, 1)[..., None], name="ir.png")
    visible = Picture(rng.random((160, 200, 3)).astype(np.float32), name="vis.png")
    fusion = fuse(infrared, visible, model=str(tiny_model), align="none")
    assert measured == ["ir.png"]
    assert any("stripes of" in note for note in fusion.notes) == bool(stripes)
