"""Sets at once: decided at a reduced size, blended at full size."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tita_cli import Picture, fuse, write_picture
from tita_cli.fusion import blend as blending
from tita_cli.fusion import coarse, look
from tita_cli.fusion.coarse import Grid
from tita_cli.fusion.result import Fusion
from tita_cli.fusion.sets import fuse_luminances
from tita_cli.fusion.strategy import Step, Weights
from tita_cli.images.color import luma
from tita_cli.models.checkpoint import save_network
from tita_cli.network import NetworkConfig, build_network
from tita_cli.network.tita_lite import TitaLite, blend
from tita_cli.runtime import SetEngine, load_engine

TINY = {"dim": 8, "heads": 2, "extract": 1, "fuse": (1,), "reconstruct": 1}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    network = build_network(NetworkConfig.from_name("tita-lite", **TINY))
    for parameter in network.parameters():
        parameter.data += 0.05 * torch.randn_like(parameter)
    path = tmp_path_factory.mktemp("model") / "tiny.safetensors"
    save_network(path, network.state_dict(), network.config)
    return path


@pytest.fixture(scope="module")
def engine(model: Path) -> SetEngine:
    loaded = load_engine(str(model), device="cpu", backend="torch")
    assert isinstance(loaded, SetEngine)
    return loaded


def _images(count: int, height: int, width: int, seed: int = 0) -> list[np.ndarray]:
    return list(np.random.default_rng(seed).random((count, height, width), dtype=np.float32))


def test_it_is_what_the_network_was_trained_to_blend(engine: SetEngine, model: Path) -> None:
    from tita_cli.models.checkpoint import load_network

    network = load_network(model).network
    assert isinstance(network, TitaLite)
    images = _images(3, 128, 192)
    with torch.inference_mode():
        stack = torch.from_numpy(np.stack(images))[None]
        expected = blend(stack, network(stack))[0][0, 0].clamp(0, 1).numpy()
    np.testing.assert_allclose(fuse_luminances(engine, images), expected, atol=2e-5)


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 90), (3, 5), (65, 64), (200, 333), (12_000, 1)])
def test_any_size(engine: SetEngine, height: int, width: int) -> None:
    images = _images(2, height, width)
    fused = fuse_luminances(engine, images)
    assert fused.shape == (height, width)
    assert np.isfinite(fused).all()


def test_sources_that_are_all_the_same_stay_as_they_are(engine: SetEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the shares are: they sum to 1. Also where the network sees a reduction."""
    monkeypatch.setattr(SetEngine, "decide", _without_gains(SetEngine.decide))
    image = _images(1, 150, 210)[0]
    for most in (10**9, 5000):
        monkeypatch.setattr(coarse, "MOST_PIXELS", most)
        np.testing.assert_allclose(fuse_luminances(engine, [image] * 4), image, atol=1e-5)


def _without_gains(decide):  # type: ignore[no-untyped-def]
    def changed(self, images, hidden, *role):  # type: ignore[no-untyped-def]
        decision = decide(self, images, hidden, *role)
        return replace(decision, gains=tuple(np.zeros_like(gain) for gain in decision.gains))

    return changed


def test_the_order_of_sources_means_nothing(model: Path) -> None:
    rng = np.random.default_rng(1)
    pictures = [Picture(rng.random((70, 90, 3), dtype=np.float32), name=str(n)) for n in range(4)]
    one = fuse(pictures, model=str(model), align="none")
    other = fuse(pictures[::-1], model=str(model), align="none", reference=3, metadata=3)
    np.testing.assert_allclose(one.picture.pixels, other.picture.pixels, atol=1e-5)
    assert [w.name for w in one.steps[0].sources] == ["0", "1", "2", "3"]
    assert sum(sum(w.values) for w in one.steps[0].sources) == pytest.approx(1, abs=1e-5)


@settings(max_examples=15, deadline=None, derandomize=True)
@given(data=st.data(), count=st.integers(2, 24), height=st.integers(1, 100), width=st.integers(1, 100))
def test_no_order_of_any_number_means_anything(
    data: st.DataObject, engine: SetEngine, count: int, height: int, width: int
) -> None:
    images = _images(count, height, width, seed=count)
    order = data.draw(st.permutations(range(count)))
    shuffled = fuse_luminances(engine, [images[index] for index in order])
    np.testing.assert_allclose(shuffled, fuse_luminances(engine, images), atol=1e-5)


def test_a_source_that_shows_nothing_is_told(engine: SetEngine) -> None:
    shown, hidden = (Picture(image[..., None], name=str(n)) for n, image in enumerate(_images(2, 40, 50)))
    hidden = replace(hidden, alpha=np.zeros((40, 50), np.float32))
    fused = fuse(shown, hidden, engine=engine, align="none")
    assert fused.notes == ("1: transparent everywhere, so nothing of it is used",)
    np.testing.assert_allclose(fused.picture.pixels, shown.pixels, atol=1e-5)
    assert not fuse(shown, shown, engine=engine, align="none").notes


def test_what_is_transparent_does_not_count(model: Path) -> None:
    grey = np.full((128, 128, 1), 0.5, np.float32)
    white = np.ones((128, 128, 1), np.float32)
    alpha = np.ones((128, 128), np.float32)
    alpha[:, :64] = 0
    hole = Picture(np.where(alpha[..., None] > 0, grey, white), alpha, name="hole")
    fused = fuse([Picture(grey, name="whole"), hole], model=str(model), align="none").picture
    assert fused.alpha is None
    np.testing.assert_allclose(fused.pixels, 0.5, atol=2e-3)
    both = fuse([hole, hole], model=str(model), align="none").picture
    assert both.alpha is not None
    np.testing.assert_array_equal(both.alpha, alpha)


def _street(seed: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """A dark photograph and bright infrared with something hot, 160×192."""
    rng = np.random.default_rng(seed)
    dark = 0.1 + 0.15 * cv2.GaussianBlur(rng.random((160, 192), dtype=np.float32), (0, 0), 2)
    warm = 0.5 + 0.2 * cv2.GaussianBlur(rng.random((160, 192), dtype=np.float32), (0, 0), 8)
    warm[100:130, 120:130] = 0.95
    return dark, warm


def test_a_hole_draws_no_rim() -> None:
    """Where the infrared has no data the photograph goes on, a little inside as it is; beside that nothing becomes
    brighter or darker, and there is no step between."""
    dark, warm = _street()
    alpha = np.ones_like(warm)
    alpha[20:100, 20:110] = 0
    photograph = Picture(np.dstack([dark, dark, dark * 0.8]), name="vis.png")
    whole = fuse([photograph, Picture(warm[..., None], name="ir.png")], align="none").picture.pixels
    holed = fuse([photograph, Picture(warm[..., None] * alpha[..., None], alpha, name="ir.png")], align="none")
    difference = np.abs(whole - holed.picture.pixels).mean(axis=2)
    difference[16:104, 16:114] = 0
    assert difference.max() < 0.06
    inside = slice(52, 68), slice(52, 78)
    np.testing.assert_allclose(holed.picture.pixels[inside], photograph.pixels[inside], atol=1e-5)
    across = (holed.picture.pixels - photograph.pixels).mean(axis=2)[52:68].mean(axis=0)
    assert abs(across[10]) > 0.03 > 2 * np.abs(np.diff(across[:64])).max()


def test_nearly_opaque_is_opaque() -> None:
    """As alpha is after resampling."""
    dark, warm = _street()
    photograph = Picture(np.dstack([dark, dark, dark * 0.8]), name="vis.png")
    results = [
        fuse([photograph, Picture(warm[..., None], alpha, name="ir.png")], align="none").picture.pixels
        for alpha in (None, np.full_like(warm, 1 - 1e-6))
    ]
    # Near white, where saturation gives way, a colour moves by some times what luminance does.
    np.testing.assert_allclose(results[0], results[1], atol=1 / 255)
    np.testing.assert_allclose(*(luma(pixels) for pixels in results), atol=1e-3)


@settings(max_examples=60, deadline=None)
@given(height=st.integers(1, 9000), width=st.integers(1, 9000), count=st.integers(2, 200))
@example(height=1, width=40_000, count=100)
@example(height=9000, width=50, count=200)
def test_the_network_sees_a_bounded_number_of_pixels(height: int, width: int, count: int) -> None:
    grid = Grid.of(height, width, count, 64)
    assert grid.rows % 64 == grid.columns % 64 == 0
    assert grid.rows * grid.columns <= 2 * min(coarse.MOST_PIXELS, 6_000_000 // count)
    if grid.padded:
        assert height * width <= coarse.MOST_PIXELS
        assert (0 <= grid.rows - height < 64) and (0 <= grid.columns - width < 64)
    elif min(height, width) > 700:  # narrower ones are a window high at least
        assert grid.rows * grid.columns <= 1.3 * coarse.MOST_PIXELS


@pytest.mark.parametrize("most", [10**9, 20_000])
def test_strips_threads_and_memory_change_no_bit(
    engine: SetEngine, most: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Also files of 8 and 16 bits, kept as their integers or decoded twice."""
    rng = np.random.default_rng(2)
    files = []
    for depth in (8, 16, 8):
        files.append(tmp_path / f"{len(files)}.png")
        write_picture(Picture(rng.random((133, 211, 3), dtype=np.float32)), files[-1], depth=depth)  # type: ignore[arg-type]
    monkeypatch.setattr(coarse, "MOST_PIXELS", most)
    results = []
    for strip, kept, threads in ((1 << 20, 1 << 30, 1), (700, 1 << 30, 1), (700, 1 << 30, 5), (700, 0, 5)):
        monkeypatch.setattr(blending, "STRIP", strip)
        monkeypatch.setattr(look, "_MOST_KEPT", kept)
        results.append(fuse(files, engine=engine, align="none", threads=threads).picture.pixels)
    for other in results[1:]:
        np.testing.assert_array_equal(results[0], other)


def test_what_fusing_does_is_told(engine: SetEngine) -> None:
    told: list[tuple[str, int, int]] = []
    pictures = [Picture(image[..., None], name=str(n)) for n, image in enumerate(_images(3, 40, 50))]
    fusion = fuse(pictures, engine=engine, align="none", progress=lambda *state: told.append(state))
    assert told == [
        *(("read", n, 3) for n in range(3)), *(("look", n, 3) for n in range(3)), ("decide", 0, 1),
        *(("blend", n, 3) for n in range(4)),
    ]  # fmt: skip
    told.clear()
    fuse(pictures, engine=engine, progress=lambda *state: told.append(state))
    assert list(dict.fromkeys(stage for stage, *_ in told)) == ["read", "align", "look", "decide", "blend"]
    parts = [source.describe()["part"] for source in fusion.steps[0].sources]
    assert sum(parts) == pytest.approx(1, abs=1e-3)
    assert fusion.explain().startswith(f"Detail comes from {np.argmax(parts)} ({max(parts):.0%}), ")


@pytest.mark.parametrize(
    ("shares", "said"),
    [
        ({"a/1.jpg": 0.2, "a/2.jpg": 0.8}, "2.jpg (80%) and 1.jpg (20%)"),
        ({"a/1.jpg": 0.2, "b/1.jpg": 0.8}, "b/1.jpg (80%) and a/1.jpg (20%)"),
        ({"1": 0.999, "2": 0.001}, "1 (100%) and 2 (under 1%)"),
        ({"1": 0.6, "2": 0.3988, "3": 0.0006, "4": 0.0006}, "1 (60%), 2 (40%) and 2 others (under 1%)"),
        ({"1": 0.3, "2": 0.25, "3": 0.2, "4": 0.15, "5": 0.1}, "1 (30%), 2 (25%), 3 (20%), 4 (15%) and 5 (10%)"),
    ],
)
def test_shares_are_told_in_a_sentence(shares: dict[str, float], said: str) -> None:
    step = Step(tuple(Weights(name, (0.1, 0.1, 0.1), part) for name, part in shares.items()))
    fusion = Fusion(Picture(np.zeros((8, 8, 1), np.float32)), (step,), sources=tuple(shares))
    assert fusion.explain() == f"Detail comes from {said}, in each place from what shows most there."


def test_sixteen_bits_keep_their_levels(engine: SetEngine, tmp_path: Path) -> None:
    """Two equal sources: every one of their levels comes back, whatever the shares are."""
    ramp = (np.arange(256 * 256, dtype=np.float32) / 65535).reshape(256, 256, 1)
    no_gains = _without_gains(SetEngine.decide)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SetEngine, "decide", no_gains)
        fused = fuse([Picture(ramp, depth=16), Picture(ramp, depth=16)], engine=engine, align="none").picture
    assert fused.depth == 16
    np.testing.assert_array_equal(np.rint(fused.pixels * 65535), np.rint(ramp * 65535))
