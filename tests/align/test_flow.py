"""The dense refinement: follows what no matrix can, and keeps out where there is nothing to follow."""

from __future__ import annotations

from types import SimpleNamespace

import cv2
import numpy as np

from tita_cli.align import align_pictures

Scenes = SimpleNamespace


def _bent(plane: np.ndarray, by: float) -> np.ndarray:
    """Moved to and fro by a wave of ``by`` pixels, as parallax does."""
    y, x = np.mgrid[: plane.shape[0], : plane.shape[1]].astype(np.float32)
    wave = np.float32(by) * np.sin(x / 40.0) * np.cos(y / 50.0)
    return cv2.remap(plane, x + wave, y - wave, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101)


def _off(one: np.ndarray, two: np.ndarray) -> float:
    inside = np.s_[24:-24, 24:-24]
    return float(np.sqrt(np.square(one[inside] - two[inside]).mean()))


def test_flow_follows_what_no_matrix_can(scenes: Scenes) -> None:
    plane = scenes.scene(3)
    pictures = [scenes.picture(plane), scenes.picture(_bent(plane, 3.0))]
    bent, rigid = (align_pictures(pictures, mode=mode, border="fill") for mode in ("flow", "homography"))
    assert bent.placements[1].model == "flow"
    assert bent.placements[1].flow is not None
    assert bent.placements[1].flow.shape == (*plane.shape, 2)
    assert rigid.placements[1].flow is None
    left = {name: _off(plane, out.pictures[1].pixels[..., 0]) for name, out in (("bent", bent), ("rigid", rigid))}
    assert left["bent"] < 0.6 * left["rigid"]


def test_flow_leaves_alone_what_lies_as_it_should(scenes: Scenes) -> None:
    plane = scenes.scene(4)
    alignment = align_pictures([scenes.picture(plane), scenes.picture(plane.copy())], mode="flow", border="fill")
    assert alignment.placements[1].model != "flow"
    assert _off(plane, alignment.pictures[1].pixels[..., 0]) < 0.01


def test_flow_is_not_tried_between_modalities(scenes: Scenes) -> None:
    pictures = [scenes.picture(scenes.scene(5)), scenes.picture(_bent(scenes.scene(5, kind="ir"), 3.0))]
    assert align_pictures(pictures, mode="flow", border="fill").placements[1].model != "flow"
