"""Balance, palette and overlay of a clip: the colours that a player shows, and the planes where none are asked for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("av")

from tita_cli.options import FuseOptions
from tita_cli.video import Encoding, VideoOptions, fuse_video

WriteClip = Callable[..., Path]
Scene = Callable[..., np.ndarray]
LOSSLESS = VideoOptions(encoding=Encoding("ffv1"))


def ramp() -> np.ndarray:
    """Infrared that is hot at the right, in nearly all of its range."""
    return np.repeat(np.linspace(20, 235, 128).astype(np.uint8)[None, :, None], 96, axis=0).repeat(3, axis=2)


@pytest.fixture
def fused(write_clip: WriteClip, scene: Scene, set_engine: Any, tmp_path: Path) -> Callable[..., np.ndarray]:
    """``fused(palette="inferno")``: the last frame as a player shows it, R, G, B as float H×W×3."""
    sources = [str(write_clip("ir.mkv", [ramp()] * 3)), str(write_clip("vis.mkv", [scene(1)] * 3))]

    def fuse(**changes: Any) -> np.ndarray:
        out = str(tmp_path / "out.mkv")
        how = FuseOptions(align="none", **changes)
        fuse_video(sources, out, options=how, video=LOSSLESS, engine=set_engine, overwrite=True)
        import av

        with av.open(out) as container:
            return list(container.decode(video=0))[-1].to_ndarray(format="rgb24").astype(np.float32)

    return fuse


def luminance(pixels: np.ndarray) -> np.ndarray:
    return pixels @ np.array([0.299, 0.587, 0.114], np.float32)


def test_a_palette_colours_by_the_infrared_and_keeps_the_brightness(fused: Callable[..., np.ndarray]) -> None:
    plain, colored = fused(), fused(palette="inferno")
    assert np.abs(luminance(colored) - luminance(plain)).mean() < 3
    middle, hot = (colored[16:80, part].mean((0, 1)) for part in (slice(40, 56), slice(90, 110)))
    assert middle[0] - middle[1] > 15 and middle[2] > middle[1]  # of inferno: purple, and then orange
    assert hot[0] - hot[2] > 40 and hot[1] > hot[2]


def test_an_overlay_leaves_what_is_cold_alone(fused: Callable[..., np.ndarray]) -> None:
    plain, overlaid = fused(), fused(overlay=150.0)
    change = np.abs(overlaid - plain).mean((0, 2))
    border = int(np.argmax(change > 10))
    assert 60 < border < 95  # 20 to 235 over 128 columns: 150 is at the 77th
    assert change[: border - 4].max() < 3


def test_an_overlay_outside_of_the_range_is_as_with_stills(
    write_clip: WriteClip, scene: Scene, set_engine: Any, tmp_path: Path
) -> None:
    """A spot hotter than the range is found, below it all is coloured, and where nothing is hotter a note says so."""
    infrared = ramp()
    infrared[40:43, 10:13] = 250  # fewer pixels than the range leaves out: its end is at 218 in the codes of the clip
    sources = [str(write_clip("ir.mkv", [infrared] * 3)), str(write_clip("vis.mkv", [scene(1)] * 3))]
    out = str(tmp_path / "out.mkv")

    def fuse(overlay: float | None) -> tuple[np.ndarray, list[str]]:
        how = FuseOptions(align="none", overlay=overlay)
        told = fuse_video(sources, out, options=how, video=LOSSLESS, engine=set_engine, overwrite=True).notes
        import av

        with av.open(out) as container:
            return list(container.decode(video=0))[-1].to_ndarray(format="rgb24").astype(np.float32), told

    plain, _ = fuse(None)
    spot, told = fuse(225.0)
    change = np.abs(spot - plain).max(axis=2)
    assert change[39:44, 9:14].max() > 20 and change[:, 30:].max() < 3 and not any("hotter" in note for note in told)
    everything, told = fuse(1.0)
    assert (np.abs(everything - plain).max(axis=2) > 5).mean() > 0.9 and not any("hotter" in note for note in told)
    nothing, told = fuse(999.0)
    assert np.array_equal(nothing, plain)
    assert sum("nothing is hotter than `overlay` 999" in note for note in told) == 1


def test_balance_ends_at_the_sources(fused: Callable[..., np.ndarray], scene: Scene) -> None:
    infrared, visible = fused(balance=1.0), fused(balance=0.0)
    assert np.abs(infrared.std(axis=2)).mean() < 3  # it has no colour
    assert (np.diff(luminance(infrared).mean(0)) > -1).all()
    assert np.abs(visible - scene(1)).mean() < 6
