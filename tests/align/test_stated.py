"""Two views whose file states how they lie."""

from __future__ import annotations

import io
from collections.abc import Callable

import cv2
import numpy as np
import pytest
from PIL import Image

from tita_cli import Picture
from tita_cli.align.calibrate import calibrate
from tita_cli.align.stack import find_frame
from tita_cli.align.stated import by_focal_lengths
from tita_cli.errors import MismatchError
from tita_cli.fusion.plan import Plan
from tita_cli.fusion.source import describe_sources
from tita_cli.images import Metadata

Build = Callable[..., bytes]


@pytest.fixture(scope="module")
def scene() -> np.ndarray:
    """240×320 of blobs and edges."""
    noise = np.random.default_rng(3).random((240, 320)).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), 4)
    return np.where(smooth > smooth.mean(), 0.75, 0.25).astype(np.float32) + cv2.GaussianBlur(noise, (0, 0), 1) * 0.2


def _file(scene: np.ndarray, build: Build, off: tuple[int, int], contrast: float = 4000.0, **how: str) -> Plan:
    """Counts that show the middle of the photograph, 1.25 of its pixels each, moved by (6, −4) and ``off``."""
    counts = cv2.warpAffine(
        cv2.GaussianBlur(scene, (0, 0), 0.7),
        np.array([[1.25, 0, 159.5 + 6 + off[0] - 1.25 * 79.5], [0, 1.25, 119.5 - 4 + off[1] - 1.25 * 59.5]]),
        (160, 120),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
    )
    photograph = (np.dstack([scene] * 3) * 255).clip(0, 255).astype(np.uint8)
    content = build((12000 + contrast * counts).astype(np.uint16), photograph, place=(320 / 160 / 1.25, 6, -4))
    return Plan(describe_sources([io.BytesIO(content)]), **how)  # type: ignore[arg-type]


@pytest.mark.parametrize("off", [(0, 0), (4, -3)])
def test_what_the_file_states_is_refined(scene: np.ndarray, flir_bytes: Build, off: tuple[int, int]) -> None:
    plan = _file(scene, flir_bytes, off)
    assert [look.name for look in plan.looks] == ["<stdin>@visible", "<stdin>@thermal"]
    placement = plan.placements[1]
    assert placement.accepted and not plan.notes
    middle = placement.matrix @ [79.5, 59.5, 1]
    np.testing.assert_allclose(middle[:2], [165.5 + off[0], 115.5 + off[1]], atol=1.0)
    fused = plan.read(0)
    assert abs(fused.width - 200) <= 8 and abs(fused.height - 150) <= 8
    assert np.corrcoef(fused.pixels[..., 0].ravel(), plan.read(1).pixels[..., 0].ravel())[0, 1] > 0.9


def test_it_stands_where_there_is_too_little_to_refine_it(scene: np.ndarray, flir_bytes: Build) -> None:
    plan = _file(np.full_like(scene, 0.5), flir_bytes, (0, 0), contrast=0.0)
    np.testing.assert_allclose(
        plan.placements[1].matrix,
        [[1.25, 0, 165.5 - 1.25 * 79.5], [0, 1.25, 115.5 - 1.25 * 59.5], [0, 0, 1]],
        atol=1e-4,
    )
    assert plan.placements[1].accepted and "placed as its file states" in plan.notes[0]
    with pytest.raises(MismatchError, match=r"does not fit .* as its file states"):
        _file(np.full_like(scene, 0.5), flir_bytes, (0, 0), contrast=0.0, align="strict")


def _lenses(scene: np.ndarray, contrast: float, focal: int = 34, **how: object) -> Plan:
    """A photograph at 24 mm and infrared of its middle, 1.25 of its pixels each; at 34 mm it would be 1.41."""
    matrix = np.array([[1.25, 0, 159.5 + 5 - 1.25 * 79.5], [0, 1.25, 119.5 - 4 - 1.25 * 59.5]])
    hot = cv2.warpAffine(1 - scene, matrix, (160, 120), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
    pictures = []
    for name, pixels, length in (("vis.png", np.dstack([scene] * 3), 24), ("ir.png", 0.5 + contrast * hot, focal)):
        exif = Image.Exif()
        exif.get_ifd(0x8769)[0xA405] = length
        shown = np.atleast_3d(pixels).astype(np.float32).clip(0, 1)
        pictures.append(Picture(shown, name=name, metadata=Metadata(exif=exif.tobytes())))
    return Plan(describe_sources(pictures), **how)  # type: ignore[arg-type]


@pytest.mark.parametrize("focal", [34, 80, 14])
def test_two_lenses_are_placed_by_their_focal_lengths(scene: np.ndarray, focal: int) -> None:
    """Also where those are wrong, since a picture was cropped: the sources show how they lie."""
    plan = _lenses(scene, 0.4, focal)
    placement = plan.placements[1]
    assert placement.is_confirmed and not any("placed" in note for note in plan.notes)
    np.testing.assert_allclose((placement.matrix @ [79.5, 59.5, 1])[:2], [164.5, 115.5], atol=1.5)


def test_what_focal_lengths_state_is_told_where_nothing_confirms_it(scene: np.ndarray) -> None:
    plan = _lenses(scene, 0.0)
    assert any("ir.png: is placed as EXIF's focal lengths state" in note for note in plan.notes)
    assert plan.placements[1].matrix[0, 0] == pytest.approx(24 * 400 / (34 * 200))
    assert plan.placements[1].accepted and not plan.placements[1].is_confirmed
    with pytest.raises(MismatchError, match="focal lengths state"):
        _lenses(scene, 0.0, align="strict")
    with pytest.raises(MismatchError, match="could not be aligned in any"):
        calibrate([plan.placements], 0)


def test_in_a_stack_too_what_nothing_confirms_has_no_confidence(scene: np.ndarray) -> None:
    planes = [scene, np.full((120, 160), 0.5, np.float32), np.roll(scene, 5, axis=1)]
    pictures = [Picture(plane[..., None].clip(0, 1), name=str(number)) for number, plane in enumerate(planes)]
    stated = by_focal_lengths((160, 120), 34, (320, 240), 24)
    frame = find_frame(3, pictures.__getitem__, border="fill", start=lambda index: stated if index == 1 else None)
    assert [placement.accepted for placement in frame.placements] == [True] * 3
    assert [placement.is_confirmed for placement in frame.placements] == [True, False, True]


def _beside(scene: np.ndarray, frame: Build, model: str, contrast: float, **how: str) -> Plan:
    """A frame of thermal video beside a photograph that names ``model``; it lies as in :func:`_file`."""
    matrix = np.array([[1.25, 0, 165.5 - 1.25 * 79.5], [0, 1.25, 115.5 - 1.25 * 59.5]])
    blurred = cv2.GaussianBlur(scene, (0, 0), 0.7)
    counts = cv2.warpAffine(blurred, matrix, (160, 120), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
    exif = Image.Exif()
    if model:
        exif[0x0110] = model
    photograph = io.BytesIO()
    Image.fromarray((np.dstack([scene] * 3) * 255).clip(0, 255).astype(np.uint8)).save(photograph, "PNG", exif=exif)
    photograph.seek(0)
    content = frame((12000 + contrast * counts).astype(np.uint16), place=(320 / 160 / 1.25, 6, -4))
    return Plan(describe_sources([photograph, io.BytesIO(content)]), **how)  # type: ignore[arg-type]


@pytest.mark.parametrize("model", ["FLIR T1", "", "FLIR"])
def test_a_frame_of_thermal_video_begins_as_its_camera_states(scene: np.ndarray, flir_frame: Build, model: str) -> None:
    plan = _beside(scene, flir_frame, model, 4000.0)
    assert plan.placements[1].is_confirmed and not any("placed" in note for note in plan.notes)
    np.testing.assert_allclose((plan.placements[1].matrix @ [79.5, 59.5, 1])[:2], [165.5, 115.5], atol=1.0)


def test_what_its_camera_states_stands_beside_a_photograph_of_that_camera_alone(
    scene: np.ndarray, flir_frame: Build
) -> None:
    flat = np.full_like(scene, 0.5)
    plan = _beside(flat, flir_frame, "FLIR T1", 0.0)
    assert plan.placements[1].matrix[0, 0] == pytest.approx(1.25)
    assert any("is placed as its file states" in note for note in plan.notes)
    for model in ("", "PHONE 9"):
        with pytest.raises(MismatchError, match="could not be aligned"):
            _beside(flat, flir_frame, model, 0.0)
