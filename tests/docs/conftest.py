"""What the pages' commands read: small files under the names that the pages give them, made by code."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image

ROOT = Path(__file__).parents[2]
SMALL = (160, 120)
"""Width and height of the pictures."""
BRACKET = ("under", "middle", "over")


def _example(name: str, size: tuple[int, int] = SMALL) -> np.ndarray:
    """One of the example pictures, reduced: H×W×3 uint8."""
    with Image.open(ROOT / "examples" / name) as image:
        return np.asarray(image.convert("RGB").resize(size, Image.Resampling.BOX))


def _visible(size: tuple[int, int] = SMALL) -> np.ndarray:
    return _example("infrared/visible.png", size)


def _infrared(size: tuple[int, int] = SMALL) -> np.ndarray:
    """H×W uint8."""
    return _example("infrared/infrared.png", size)[..., 0]


def _counts(low: float, high: float, size: tuple[int, int] = SMALL) -> np.ndarray:
    """The infrared picture as counts from ``low`` to ``high``: H×W uint16."""
    plane = _infrared(size).astype(float)
    return np.rint(low + (plane - plane.min()) / np.ptp(plane) * (high - low)).astype(np.uint16)


def _focus(number: int) -> np.ndarray:
    return _example(f"focus/table{number % 3 + 1}.jpg")


class Inputs:
    """The files and folders that pages name: ``make(name)`` writes one of ``names`` into ``folder``."""

    def __init__(
        self, folder: Path, cameras: ModuleType, write_clip: Callable[..., Path], trained: Path
    ) -> None:  # fmt: skip
        self.folder = folder
        self._cameras = cameras
        self._write_clip = write_clip
        self._trained = trained
        makers: dict[Callable[[str], None], tuple[str, ...]] = {
            self._examples: ("examples",),
            self._weights: ("weights/tita.onnx", "weights/tita-lite.onnx", "runs/first/ema.safetensors"),
            self._photograph: ("vis.png", "a.png", "c.png", "photo.jpg", "a_V.jpg", "vis1.png", "vis2.png", "vis3.png"),
            self._thermal: ("ir.png", "b.png", "ir1.png", "ir2.png", "ir3.png", "a_T.jpg", "thermal.tif", "ir.tif"),
            self._exposure: ("under.jpg", "mid.jpg", "over.jpg", "-2ev.tif", "0ev.tif", "+2ev.tif"),
            self._large: ("holiday.jpg",),
            self._flir: ("FLIR0123.jpg", "inspection"),
            self._dji: ("DJI_20240105143007_0001_W.JPG", "DJI_20240105143008_0001_T.JPG", "FLIGHT"),
            self._slices: ("stack.ome.tif", "stack.tif", "other.tif", "zstack.tif"),
            self._raw: ("IMG_1.CR3", "IMG_2.CR3", "IMG_3.CR3"),
            self._thermal_video: ("video.seq", "video.csq"),
            self._clip: ("ir.mp4", "vis.mp4", "both.mkv", "ir.mkv"),
            self._pairs: ("photos", "pairs/"),
            self._side: ("vis", "ir", "shots/vis", "shots/ir", "more/vis", "more/ir", "ortho_rgb", "ortho_nir",
                         "results", "visible", "infrared"),
            self._stack: ("stack/",),
            self._scenes: ("brackets",),
            self._manifest: ("pairs.jsonl",),
            self._published: ("published.csv",),
            self._training: ("train.toml",),
        }  # fmt: skip
        self._makers = {name: maker for maker, names in makers.items() for name in names}

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._makers)

    def make(self, name: str) -> None:
        self._makers[name](name)

    def _path(self, name: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def _save(self, name: str, pixels: np.ndarray, **how: Any) -> None:
        """H×W or H×W×3 of 8 bits, or in a TIFF of 16."""
        if name.endswith(".tif"):
            photometric = "rgb" if pixels.ndim == 3 else "minisblack"
            tifffile.imwrite(self._path(name), pixels, photometric=photometric, **how)
        else:
            Image.fromarray(pixels).save(self._path(name), quality=95)

    def _examples(self, name: str) -> None:
        """As in the repository; brackets and stacks smaller, of which sizes stand on no page."""
        shutil.copytree(ROOT / name, self.folder / name, ignore=shutil.ignore_patterns("render"))
        for path in [*self.folder.glob(f"{name}/bracket/*.jpg"), *self.folder.glob(f"{name}/focus/*.jpg")]:
            with Image.open(path) as image:
                image.resize(SMALL).save(path, exif=image.getexif())

    def _weights(self, name: str) -> None:
        shutil.copyfile(ROOT / name if name.startswith("weights") else self._trained, self._path(name))

    def _photograph(self, name: str) -> None:
        self._save(name, _visible())

    def _thermal(self, name: str) -> None:
        """Grey, in the colours of a palette, or counts."""
        if name.endswith(".tif"):
            self._save(name, _counts(29375, 30063))
        elif name.endswith("_T.jpg"):
            self._save(name, cv2.applyColorMap(_infrared(), cv2.COLORMAP_JET)[..., ::-1])
        else:
            self._save(name, _infrared())

    def _exposure(self, name: str) -> None:
        number = {"u": 0, "-": 0, "m": 1, "0": 1, "o": 2, "+": 2}[name[0]]
        pixels = _example(f"bracket/{BRACKET[number]}.jpg")
        self._save(name, pixels.astype(np.uint16) * 257 if name.endswith(".tif") else pixels)

    def _large(self, name: str) -> None:
        self._save(name, np.full((3000, 4000, 3), 90, np.uint8))

    def _flir(self, name: str) -> None:
        """640×480 counts from 25.47 to 97.85 °C and their photograph, as on the page on camera files; or a folder of
        smaller ones."""
        if name.endswith(".jpg"):
            counts = _counts(*map(self._count, (25.46, 97.85)), (640, 480))
            photograph = np.full((1944, 2592, 3), 90, np.uint8)
            photograph[501 : 501 + 889, 559 : 559 + 1186] = _visible((1186, 889))
            place = (2592 / 640 / 1.853, -144, -27)
            self._path(name).write_bytes(self._cameras.flir(counts, photograph, place=place, model="FLIR T640"))
        else:
            for number in (1, 2):
                content = self._cameras.flir(_counts(15000, 17000), _visible(), place=(1.0, 0, 0))
                self._path(f"{name}/FLIR000{number}.jpg").write_bytes(content)

    def _count(self, celsius: float) -> int:
        planck = self._cameras.PLANCK
        radiance = planck["R1"] / (np.exp(planck["B"] / (celsius + 273.15)) - planck["F"]) / planck["R2"]
        return round(radiance - planck["O"])

    def _dji(self, name: str) -> None:
        if "." not in name:
            for number in (1, 2):
                self._dji(f"{name}/DJI_000{number}_V.JPG")
                self._dji(f"{name}/DJI_000{number}_T.JPG")
        elif name.endswith("_T.JPG"):
            self._path(name).write_bytes(self._cameras.dji(_counts(4000, 9000)))
        else:
            self._save(name, _visible())

    def _slices(self, name: str) -> None:
        slices = np.stack([_focus(number // 4).mean(2).astype(np.uint16) * 257 for number in range(12)])
        ome = ".ome." in name
        tifffile.imwrite(self._path(name), slices, ome=ome, photometric="minisblack", metadata={"axes": "ZYX"})

    def _raw(self, name: str) -> None:
        self._path(name).write_bytes(self._cameras.dng(exposure=2.0 ** (int(name[4]) - 2)))

    def _thermal_video(self, name: str) -> None:
        self._path(name).write_bytes(self._cameras.flir_frame(_counts(15000, 17000)) * 136)

    def _clip(self, name: str) -> None:
        """Six frames of a camera that pans; in a Matroska file two streams, or counts."""
        visible = [np.roll(_visible(), number, axis=1) for number in range(6)]
        infrared = [np.roll(_infrared(), number, axis=1) for number in range(6)]
        grey = [np.dstack([frame] * 3) for frame in infrared]
        counts = [frame.astype(np.uint16) * 16 + 7000 for frame in infrared]
        streams = {"vis.mp4": (visible,), "ir.mp4": (grey,), "ir.mkv": (counts,), "both.mkv": (visible, grey)}[name]
        self._write_clip(str(self.folder / name), streams[0], second=streams[1] if len(streams) > 1 else ())

    def _pairs(self, name: str) -> None:
        for number in (1, 2):
            self._save(f"{name}/{number}_vis.png", _visible())
            self._thermal(f"{name}/{number}_ir.{'tif' if name == 'pairs/' else 'png'}")

    def _side(self, name: str) -> None:
        """One of the folders whose files have the same names."""
        pixels = _infrared() if name in ("ir", "shots/ir", "more/ir", "ortho_nir", "infrared") else _visible()
        for number in (1, 2):
            if name.startswith("ortho"):
                place = [(33550, "d", 3, (0.5, 0.5, 0.0), True), (33922, "d", 6, (0, 0, 0, 5e5, 4e6, 0), True)]
                self._save(f"{name}/{number:02}.tif", pixels, extratags=place)
            else:
                self._save(f"{name}/{number:02}.png", pixels)

    def _stack(self, name: str) -> None:
        for number in range(3):
            self._save(f"{name}/{number + 1}.jpg", _focus(number))

    def _scenes(self, name: str) -> None:
        for scene in ("01", "02"):
            for word in BRACKET:
                self._save(f"{name}/{scene}/{word}.jpg", _example(f"bracket/{word}.jpg"))

    def _manifest(self, name: str) -> None:
        self._save("day.jpg", _visible())
        self._save("night.jpg", _infrared())
        self._path(name).write_text(json.dumps({"sources": ["day.jpg", "night.jpg"], "output": "both.jpg"}))

    def _published(self, name: str) -> None:
        values = [(image, metric, method) for image in ("01", "02") for metric in ("EN", "Qabf") for method in "xy"]
        rows = [f"{image},{method},{metric},{0.4 + (method == 'x') / 5}" for image, metric, method in values]
        self._path(name).write_text("\n".join(["image,method,metric,value", *rows]))

    def _training(self, name: str) -> None:
        """The configuration of the page, for two steps of a small network."""
        text = (ROOT / "docs/how-to/train.md").read_text(encoding="utf-8").partition("```toml\n")[2].partition("```")[0]
        sizes = "dim = 8\nheads = 2\nextract = 1\nfuse = [1]\nreconstruct = 1\n"
        network = 'name = "tita-lite"\n'
        for long, short in (
            ("minutes = 120 ", "steps = 2 "), ("crop = 128", "crop = 64"), ("batch = 3 ", "frames = 2 "),
            (network, network + sizes),
        ):  # fmt: skip
            assert long in text
            text = text.replace(long, short)
        self._path(name).write_text(text)
        self._side("street/visible")
        self._side("street/infrared")
        self._scenes("brackets")
        self._stack("photographs")


@pytest.fixture
def inputs(
    tmp_path: Path, camera_files: ModuleType, write_clip: Callable[..., Path], tiny_model: Path
) -> Inputs:  # fmt: skip
    folder = tmp_path / "clone"
    folder.mkdir()
    return Inputs(folder, camera_files, write_clip, tiny_model)
