"""The pairs for bench/align.py: dev pairs displaced by synthetic homographies, and pairs with published landmarks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from tita_cli.align.geometry import corner_error, corners, resizing, transform, translating

if TYPE_CHECKING:
    from tita_cli.images.picture import Picture

FRAME = 640.0
SYNTHETIC = ("mef", "mff", "mfifb", "vifb", "msrs")


@dataclass(frozen=True)
class Case:
    """A pair with its truth: the matrix source → reference, or corresponding points."""

    name: str
    reference: np.ndarray
    source: np.ndarray
    truth: np.ndarray | None = None
    points: tuple[np.ndarray, np.ndarray] | None = None  # of the source, of the reference
    undisturbed: tuple[np.ndarray, np.ndarray] | None = None  # the pair before it was displaced, and ...
    disturbance: tuple[np.ndarray, np.ndarray] | None = None  # ... the crop of its reference, b → source

    def error(self, matrix: np.ndarray) -> float:
        """Mean corner error on a 640-px-wide frame, or mean distance of the points in their own pixels."""
        if self.truth is not None:
            height, width = self.source.shape[:2]
            return corner_error(matrix, self.truth, (width, height)) * FRAME / self.reference.shape[1]
        if self.points is None:
            return float("nan")
        moved = transform(matrix, self.points[0]) - self.points[1]
        return float(np.hypot(moved[:, 0], moved[:, 1]).mean())


def read(path: Path) -> np.ndarray:
    image = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR)
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def subset(items: list, limit: int | None, seed: int = 0) -> list:
    """``limit`` of the items, chosen at random, in their order."""
    if limit is None or limit >= len(items):
        return items
    return [items[k] for k in sorted(np.random.default_rng(seed).choice(len(items), limit, replace=False))]


def pairs(
    data: Path, name: str, limit: int | None = None, seed: int = 0
) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    if name == "mef":
        folders = sorted((data / "mef/mefb30").iterdir())
    elif name in ("mff", "mfifb"):
        folders = sorted((data / "mff" / ("lytro" if name == "mff" else name)).iterdir())
    else:
        for path in subset(sorted((data / "ivf" / name / "vis").iterdir()), limit, seed):
            yield path.stem, read(path), read(path.parent.parent / "ir" / path.name)
        return
    for folder in subset(folders, limit, seed):
        a, b = sorted(folder.iterdir())[:2]
        one, two = read(a), read(b)
        if one.shape == two.shape:
            yield folder.name, one, two


def draw(rng: np.random.Generator, width: int, height: int) -> np.ndarray:
    """Shift ≤ 5 % of the width, rotation ≤ 3°, scale ≤ 5 %, perspective 2 %, about the centre."""
    angle = np.deg2rad(rng.uniform(-3, 3))
    scale = np.exp(rng.uniform(-1, 1) * np.log(1.05))
    shift = rng.uniform(-0.05, 0.05, 2) * width
    tilt = rng.uniform(-0.02, 0.02, 2) / (width / 2)
    about = translating((width - 1) / 2, (height - 1) / 2)
    c, s = scale * np.cos(angle), scale * np.sin(angle)
    motion = np.array([[c, -s, shift[0]], [s, c, shift[1]], [tilt[0], tilt[1], 1.0]])
    return about @ motion @ np.linalg.inv(about)


def synthetic(name: str, a: np.ndarray, b: np.ndarray, rng: np.random.Generator) -> Case:
    """Move ``b`` by a homography and crop both so that no empty border shows."""
    height, width = a.shape[:2]
    b_to_moved = draw(rng, width, height)
    for margin in np.arange(0.0, 0.3, 0.005):
        left, top = round(margin * width), round(margin * height)
        size = width - 2 * left, height - 2 * top
        back = transform(np.linalg.inv(b_to_moved), corners(size) + np.array([left, top]))
        if (back >= 0).all() and (back <= (width - 1, height - 1)).all():
            break
    crop = translating(-left, -top)
    to_source = crop @ b_to_moved  # pixel of b -> pixel of the moved, cropped b
    source = cv2.warpPerspective(b, to_source, size, flags=cv2.INTER_CUBIC)
    reference = a[top : top + size[1], left : left + size[0]]
    return Case(
        name,
        reference,
        source,
        truth=crop @ np.linalg.inv(to_source),
        undisturbed=(a, b),
        disturbance=(crop, to_source),
    )


def cases(data: Path, name: str, draws: int, limit: int | None, seed: int = 0) -> Iterator[Case]:
    if name in SYNTHETIC:
        for index, (stem, a, b) in enumerate(pairs(data, name, limit, seed)):
            for k in range(draws):
                yield synthetic(f"{stem}#{k}", a, b, np.random.default_rng([20240, index, k]))
    elif name == "vis_ir":
        truth = json.loads((data / "align/vis_ir/ground_truth.json").read_text())
        for stem in subset(sorted(truth), limit, seed):
            a, b = (read(data / f"align/vis_ir/{stem}_{side}.png") for side in "ab")
            fixed, moving = (np.array(truth[stem][key]) - 1 for key in ("LMfix", "LMmov"))
            yield Case(stem, a, b, points=(moving, fixed))
    elif name == "multifocus":
        for folder in subset(sorted((data / "align/multifocus").iterdir()), limit, seed):
            template = next(folder.glob("*_t.jpg"))
            record = next(folder.glob("*.json"))
            truth = json.loads(record.read_text())
            moving, fixed = (np.array(truth[key]["Points"]) for key in ("Sample", "Template"))
            yield Case(folder.name, read(template), read(record.with_suffix(".jpg")), points=(moving, fixed))
    elif name == "unrelated":
        for sub in SYNTHETIC:
            known = list(pairs(data, sub, limit, seed))
            for index, (stem, a, _) in enumerate(known[::2]):
                other, _, b = known[(2 * index + 3) % len(known)]
                if other != stem:
                    yield Case(f"{sub}/{stem}+{other}", a, b)
    else:
        for sub in SYNTHETIC:
            for stem, a, b in pairs(data, sub, limit, seed):
                yield Case(f"{sub}/{stem}", a, b, truth=np.eye(3))


def as_pictures(*images: np.ndarray) -> list[Picture]:
    from tita_cli.images.picture import Picture

    return [Picture(image.astype(np.float32) / 255) for image in images]


def start(case: Case) -> np.ndarray:
    return resizing(case.source.shape[1::-1], case.reference.shape[1::-1])
