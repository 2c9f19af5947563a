"""The bar that tells what the colours of a result mean."""

from __future__ import annotations

import numpy as np
import pytest

from tita_cli import Picture
from tita_cli.errors import UsageError
from tita_cli.fusion.plan import Plan
from tita_cli.fusion.scale import Scale, scale_of
from tita_cli.fusion.scale_bar import ticks, with_scale_bar
from tita_cli.fusion.source import describe_sources
from tita_cli.images.palettes import palettes
from tita_cli.images.picture import Thermal
from tita_cli.options import FuseOptions, PerSource

HEIGHT, WIDTH = 120, 160
CELSIUS = (np.arange(65536, dtype=np.float32) - 7000) / 100  # 0 °C at 7000 counts, 20 °C at 9000


def _plan(how: FuseOptions, *, calibrated: bool = True) -> Plan:
    photograph = Picture(np.random.default_rng(0).random((HEIGHT, WIDTH, 3), np.float32), name="vis.png")
    counts = np.linspace(7000, 9000, WIDTH, dtype=np.float32) / 65535
    thermal = Thermal("maker", CELSIUS) if calibrated else None
    pixels = np.repeat(counts[None, :, None], HEIGHT, axis=0)
    infrared = Picture(pixels, depth=16, name="ir.tif", levels=(0, 65535), thermal=thermal)
    sources = describe_sources([photograph, infrared], polarity=PerSource.of(how.polarity))
    return Plan(sources, align="none", options=how, roles_matter=True)


def _bar(how: FuseOptions, *, calibrated: bool = True) -> np.ndarray:
    result = Picture(np.full((HEIGHT, WIDTH, 3), 0.5, np.float32), np.ones((HEIGHT, WIDTH), np.float32))
    made = with_scale_bar(_plan(how, calibrated=calibrated), result, how)
    assert made.height == HEIGHT and made.width > WIDTH
    assert made.alpha is not None and made.alpha.shape == (HEIGHT, made.width)
    np.testing.assert_array_equal(made.pixels[:, :WIDTH], result.pixels)
    return made.pixels[:, WIDTH:]


def test_the_bar_has_the_palette_from_hot_to_cold() -> None:
    bar, table = _bar(FuseOptions(palette="inferno")), palettes()["inferno"] / 255
    column = bar[:, 10]
    colored = np.flatnonzero(np.ptp(column, axis=1) > 0)
    np.testing.assert_allclose(column[colored[0]], table[255], atol=0.02)
    assert column[colored[0]].sum() > column[colored[-1]].sum()
    assert bar[..., 0][:, 16:].max() > 0.5  # numbers


def test_below_the_threshold_of_an_overlay_the_bar_is_grey() -> None:
    bar = _bar(FuseOptions(overlay=10.0))
    colored = np.flatnonzero(np.ptp(bar[:, 10], axis=1) > 0.05)
    middle = (np.flatnonzero(bar[:, 10].sum(axis=1))[[0, -1]]).mean()
    assert colored.max() == pytest.approx(middle, abs=4)


def test_round_temperatures_lie_where_they_belong() -> None:
    scale = scale_of(_plan(FuseOptions(palette="hot")), 1)
    assert scale.ends == pytest.approx((0.0, 20.0), abs=0.3)
    for at, text in ticks(scale, 5):
        assert scale.value(at) == pytest.approx(float(text), abs=0.02)
    inverted = scale_of(_plan(FuseOptions(palette="hot", polarity={1: "black-hot"})), 1)
    assert inverted.ends == pytest.approx((20.0, 0.0), abs=0.3)
    assert inverted.share(15.0) == pytest.approx(1 - scale.share(15.0), abs=1e-4)


def test_a_file_without_temperatures_is_told_in_its_own_units() -> None:
    scale = scale_of(_plan(FuseOptions(palette="hot"), calibrated=False), 1)
    assert scale.celsius is None
    assert scale.ends == pytest.approx((7002, 8998), abs=5)
    assert [text for _, text in ticks(scale, 5)][:3] == ["7500", "8000", "8500"]


def test_ticks_of_odd_scales() -> None:
    assert ticks(Scale(5.0, 5.0), 5) == []
    assert ticks(Scale(0.0, 1.0), 0) == []
    assert [text for _, text in ticks(Scale(0.01, 0.05), 4)] == ["0.01", "0.02", "0.03", "0.04", "0.05"]


def test_without_colours_there_is_nothing_to_tell() -> None:
    how = FuseOptions(scale_bar=True)
    with pytest.raises(UsageError, match="`scale_bar` tells what colours mean"):
        with_scale_bar(_plan(how), Picture(np.zeros((HEIGHT, WIDTH, 3), np.float32)), how)
