"""A thing that moved between two exposures must not be seen twice."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from tita_cli import Picture, fuse
from tita_cli.fusion.deghost import deghost, moved_part

HEIGHT, WIDTH = 200, 300


def _scene() -> np.ndarray:
    noise = np.random.default_rng(4).random((HEIGHT, WIDTH, 3), dtype=np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), 6)
    return 0.1 + 0.7 * (smooth - smooth.min()) / np.ptp(smooth)


def _with_ball(scene: np.ndarray, x: int) -> np.ndarray:
    picture = scene.copy()
    cv2.circle(picture, (x, 100), 18, (0.9, 0.15, 0.1), -1, cv2.LINE_AA)
    return picture


def _exposed(scene: np.ndarray, stops: float) -> np.ndarray:
    noise = np.random.default_rng(5).normal(0, 0.004, scene.shape).astype(np.float32)
    return np.clip(scene ** np.float32(0.8) * np.float32(2.0**stops) + noise, 0, 1)


def test_what_moved_gives_way_and_the_rest_stays() -> None:
    scene = _scene()
    reference = Picture(_exposed(_with_ball(scene, 80), 0.0))
    frame = Picture(_exposed(_with_ball(scene, 200), -1.0))
    clean, share = deghost(frame, reference)
    wanted = _exposed(_with_ball(scene, 80), -1.0)
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    for centre in (80, 200):
        ball = (x - centre) ** 2 + (y - 100) ** 2 < 16**2
        before, after = (np.abs(pixels - wanted)[ball].mean() for pixels in (frame.pixels, clean.pixels))
        assert before > 0.1
        assert after < 0.03
    far = (np.abs(x - 80) > 50) & (np.abs(x - 200) > 50)
    np.testing.assert_array_equal(clean.pixels[far], frame.pixels[far])
    assert 0.02 < share < 0.2


def test_nothing_moved_nothing_changes() -> None:
    scene = _scene()
    frame = Picture(_exposed(scene, -1.0))
    clean, share = deghost(frame, Picture(_exposed(scene, 0.0)))
    assert share == 0.0
    assert clean is frame


def test_what_the_reference_has_clipped_is_no_misfit() -> None:
    scene = _scene()
    reference = Picture(_exposed(scene, 1.5))
    frame = Picture(_exposed(scene, -1.0))
    assert (reference.pixels >= 1.0).mean() > 0.2
    _, share = deghost(frame, reference)
    assert share < 0.01


def test_what_lies_behind_transparency_replaces_nothing() -> None:
    scene = _scene()
    frame = Picture(_exposed(scene, -1.0))
    hidden, alpha = _exposed(scene, 0.0), np.ones((HEIGHT, WIDTH), np.float32)
    hidden[40:140, 100:200] = 0.9 - hidden[40:140, 100:200]
    alpha[40:140, 100:200] = 0
    assert deghost(frame, Picture(hidden))[1] > 0.01
    clean, share = deghost(frame, Picture(hidden, alpha=alpha))
    assert clean is frame
    assert share == 0.0


def test_motion_is_found_between_exposures_alone() -> None:
    scene = cv2.resize(_scene(), (900, 600), interpolation=cv2.INTER_CUBIC)
    reference = _exposed(scene, 0.0)[..., 1]
    for stops, x in ((-1.0, 300), (-0.7, 500)):
        moved = scene.copy()
        cv2.circle(moved, (x, 300), 40, (0.05, 0.85, 0.1), -1, cv2.LINE_AA)
        frame = _exposed(moved, stops)[..., 1]
        assert moved_part(frame, reference) == pytest.approx(np.pi * 40**2 / (600 * 900), rel=0.8)
        assert moved_part(_exposed(scene, stops)[..., 1], reference) == 0
    assert moved_part(cv2.GaussianBlur(reference, (0, 0), 6), reference) is None  # one exposure: a difference of focus
    flash = cv2.GaussianBlur(reference, (0, 0), 6) * np.float32(1.18)  # that of a focus stack varies
    assert moved_part(flash, reference) is None
    infrared = 0.5 * np.random.default_rng(8).random((60, 90), dtype=np.float32)
    assert moved_part(cv2.resize(infrared, (900, 600)), reference) is None


def test_a_sky_whose_highlights_the_camera_compresses_did_not_move() -> None:
    """A rare level, far from the power law that most of the picture follows, but brighter than all the others."""
    scene = 0.5 * _scene()[..., 1]
    scene[:40, :40] = 0.95
    frame = scene**0.8 * np.float32(0.5)
    frame[:40, :40] = 0.3
    assert frame[60:].max() < 0.3
    noise = np.random.default_rng(6).normal(0, 0.004, (2, *scene.shape)).astype(np.float32)
    assert moved_part(frame + noise[0], scene + noise[1]) == 0
    frame[:40, :40] = 0.1  # as dark as that: something else is there
    assert moved_part(frame + noise[0], scene + noise[1]) == pytest.approx(1600 / scene.size, rel=0.5)


@pytest.mark.parametrize("size", [(480, 640), (800, 1000)], ids=["small", "reduced"])
def test_still_colours_are_no_warning(size: tuple[int, int], tiny_model: Path) -> None:
    """Where one channel is white and the others are not, luminance has lost its relation to that of another exposure;
    what lies behind transparency never had one."""
    rng = np.random.default_rng(0)
    light = np.stack([cv2.GaussianBlur(rng.random(size, dtype=np.float32), (0, 0), 6) for _ in range(3)], 2)
    light = (light - light.min()) / np.ptp(light)
    for _ in range(12):
        x, y = rng.integers(0, size[1] - 80), rng.integers(0, size[0] - 80)
        light[y : y + 80, x : x + 80] = rng.random(3)
    light = 4 * light**2.2
    pictures = [
        Picture(np.clip(light * np.float32(2.0**stops), 0, 1) ** np.float32(1 / 2.2), name=f"{stops}")
        for stops in (-2.2, -0.7, 0.8)
    ]
    hole = np.ones(size, np.float32)
    hole[100:200, 100:300] = 0
    hidden = np.where(hole[..., None] > 0, pictures[2].pixels, np.float32(0.4))
    for bracket in (pictures, [*pictures[:2], Picture(hidden, hole, name="hole")]):
        assert not fuse(bracket, model=str(tiny_model), align="none").notes
    moved = pictures[0].pixels.copy()
    moved[100:200, 100:300] = moved[300:400, 300:500]
    (note,) = fuse([Picture(moved, name="moved"), *pictures[1:]], model=str(tiny_model), align="none").notes
    assert note.startswith("moved: ")
    assert "deghost" in note


def test_fuse_deghosts_and_says_so(tiny_model: Path) -> None:
    scene = _scene()
    pair = [
        Picture(_exposed(_with_ball(scene, 80), 0.0), name="one"),
        Picture(_exposed(_with_ball(scene, 200), -1.0), name="two"),
    ]
    still = fuse([pair[0], Picture(_exposed(_with_ball(scene, 80), -1.0))], model=str(tiny_model), align="none")
    ghosts = fuse(pair, model=str(tiny_model), align="none")
    clean = fuse(pair, model=str(tiny_model), align="none", deghost=True)
    assert any(note.startswith("two: ") and "replaced by one" in note for note in clean.notes)
    off = [np.abs(fusion.picture.pixels - still.picture.pixels).mean() for fusion in (ghosts, clean)]
    assert off[1] < 0.4 * off[0]  # by a network of random weights
