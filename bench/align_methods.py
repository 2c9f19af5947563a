"""The aligners compared by bench/align.py: matrices source → reference, None where one refuses."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from align_cases import Case, as_pictures, start


def tita(case: Case) -> tuple[np.ndarray | None, float]:
    """tita's motion, and its confidence."""
    from tita_cli.align import align_pictures
    from tita_cli.errors import MismatchError

    try:
        source = align_pictures(as_pictures(case.reference, case.source), border="fill").placements[1]
    except MismatchError:
        return None, 0.0
    return (source.matrix if source.accepted else None), source.confidence or 0.0


def gray(image: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)


def ecc(case: Case) -> np.ndarray | None:
    back = np.linalg.inv(start(case)).astype(np.float32)
    stop = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 200, 1e-6)
    try:
        _, back = cv2.findTransformECC(
            gray(case.reference), gray(case.source), back, cv2.MOTION_HOMOGRAPHY, stop, None, 5
        )
    except cv2.error:
        return None
    return np.linalg.inv(back.astype(np.float64))


def sift(case: Case) -> np.ndarray | None:
    detector = cv2.SIFT_create()
    (points_a, words_a), (points_b, words_b) = (
        detector.detectAndCompute(gray(image), None) for image in (case.reference, case.source)
    )
    if words_a is None or words_b is None or len(words_a) < 2:
        return None
    matches = [
        m for m, *n in cv2.BFMatcher().knnMatch(words_b, words_a, k=2) if n and m.distance < 0.75 * n[0].distance
    ]
    if len(matches) < 4:
        return None
    matrix, _ = cv2.findHomography(
        np.float32([points_b[m.queryIdx].pt for m in matches]),
        np.float32([points_a[m.trainIdx].pt for m in matches]),
        cv2.USAC_MAGSAC,
        3.0,
    )
    return matrix


def hugin(case: Case) -> np.ndarray | None:
    """align_image_stack, with the options of its manual for hand-held series. It solves for roll, pitch, yaw and field
    of view, and writes remapped pictures only, so its motion is read from a remapped ramp of coordinates."""
    if shutil.which("align_image_stack") is None:
        raise SystemExit("align_image_stack is not installed")
    height, width = case.reference.shape[:2]
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for index, image in enumerate((case.reference, case.source)):
            cv2.imwrite(str(root / f"{index}.tif"), cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
        run = subprocess.run(
            ["align_image_stack", "-m", "-p", "out.pto", "0.tif", "1.tif"],
            cwd=root, capture_output=True, check=False, timeout=300,
        )  # fmt: skip
        if run.returncode or not (root / "out.pto").exists():
            return None
        y, x = np.mgrid[:height, :width].astype(np.float32)
        ramp = np.dstack([x * 65535 / width, y * 65535 / height, np.full_like(x, 65535)]).round().astype(np.uint16)
        for index in range(2):
            cv2.imwrite(str(root / f"{index}.tif"), ramp)
        run = subprocess.run(["nona", "-m", "TIFF_m", "-z", "NONE", "-r", "ldr", "-i", "1", "-o", "map", "out.pto"],
                             cwd=root, capture_output=True, check=False, timeout=300)  # fmt: skip
        made = sorted(root.glob("map*.tif"))
        mapped = cv2.imread(str(made[0]), cv2.IMREAD_UNCHANGED) if made else None
        if mapped is None or mapped.shape[:2] != (height, width):
            return None
        inside = mapped[..., 2] == 65535
        inside = cv2.erode(inside.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
        if inside.sum() < 1000:
            return None
        target = np.stack([x[inside], y[inside]], 1)[::97]
        origin = np.stack([mapped[..., 0][inside] * (width / 65535), mapped[..., 1][inside] * (height / 65535)], 1)[
            ::97
        ]
        return cv2.findHomography(origin, target, cv2.RANSAC, 1.0)[0]


def identity(case: Case) -> np.ndarray | None:
    return start(case)


def points(case: Case) -> np.ndarray | None:
    """The affine motion fitted to the very landmarks that it is judged at: what those leave to any aligner."""
    if case.points is None:
        return None
    moving, fixed = case.points
    fitted, *_ = np.linalg.lstsq(np.column_stack([moving, np.ones(len(moving))]), fixed, rcond=None)
    return np.vstack([fitted.T, [0.0, 0.0, 1.0]])


def placed(case: Case, method: str) -> tuple[np.ndarray | None, float]:
    """The motion by ``method``, None where it refuses, and its confidence."""
    if method == "tita":
        return tita(case)
    matrix = METHODS[method](case)
    return matrix, 0.0 if matrix is None else 1.0


METHODS: dict[str, Callable[[Case], np.ndarray | None]] = {
    "identity": identity, "ecc": ecc, "sift": sift, "hugin": hugin, "points": points,
}  # fmt: skip
