"""The images of a manifest, decoded once and kept in memory as 8-bit luminance."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tita_cli.errors import InputError, TrainingError
from tita_cli.images import read_picture
from tita_cli.images.color import luma
from tita_cli.images.formats import readable_suffixes
from tita_cli.images.quantize import quantize
from tita_cli.training.manifest import Entry
from tita_cli.training.sample import ByteArray, closeness, to_float


@dataclass(frozen=True, slots=True)
class Scene:
    """Images of one scene, all H×W.

    ``frames``: (a, b) of a pair, an exposure series from dark to bright, or one still. ``target`` and ``mask`` as in
    ``Sample``, in 0..255. ``regions``: labels of a segmentation of the still.
    """

    frames: tuple[ByteArray, ...]
    target: ByteArray | None = None
    mask: ByteArray | None = None
    regions: npt.NDArray[np.integer] | None = None

    @property
    def shape(self) -> tuple[int, int]:
        height, width = self.frames[0].shape
        return int(height), int(width)


@dataclass(frozen=True, slots=True)
class Source:
    """A loaded entry. ``skipped``: number of scenes left out because they are smaller than a crop."""

    entry: Entry
    scenes: tuple[Scene, ...]
    skipped: int


class Pool:
    """Sources of one task, drawn by weight."""

    def __init__(self, sources: Sequence[Source]) -> None:
        weights = np.array([source.entry.weight for source in sources])
        self._sources = tuple(sources)
        self._bounds = np.cumsum(weights) / weights.sum()

    @property
    def entries(self) -> tuple[Entry, ...]:
        return tuple(source.entry for source in self._sources)

    def only(self, wanted: Callable[[Entry], bool]) -> Pool:
        """The part whose entries are ``wanted``; at least one must be."""
        return Pool([source for source in self._sources if wanted(source.entry)])

    def draw(self, rng: np.random.Generator) -> tuple[Entry, Scene]:
        """A random scene and the entry it belongs to."""
        number = min(int(np.searchsorted(self._bounds, rng.random(), side="right")), len(self._sources) - 1)
        source = self._sources[number]
        return source.entry, source.scenes[rng.integers(len(source.scenes))]


def load_sources(entries: Sequence[Entry], *, crop: int) -> tuple[Source, ...]:
    """Load all entries as ``load_source`` does; entries with the same folders and kind share their images."""
    loaded: dict[object, Source] = {}
    sources = []
    for entry in entries:
        reading = (entry.kind, tuple(sorted(entry.folders.items())), entry.crop_border)
        if reading not in loaded:
            loaded[reading] = load_source(entry, crop=crop)
        sources.append(replace(loaded[reading], entry=entry))
    return tuple(sources)


def load_source(entry: Entry, *, crop: int, threads: int = 2) -> Source:
    """Decode all images of ``entry``.

    ``crop``: side of the training crops; smaller scenes are left out.
    Raises TrainingError for a missing or empty folder, a file that is not an image, a file without its partner, images
    of unequal size, a series of fewer than three, or an entry without a scene that is large enough.
    """
    with ThreadPoolExecutor(threads) as pool:
        loaded = list(pool.map(lambda job: job(), _JOBS[entry.kind](entry)))
    scenes = tuple(scene for scene in loaded if min(scene.shape) >= crop)
    if not scenes:
        raise TrainingError(
            f"{entry.name}: every image is smaller than the crop of {crop}×{crop}", hint="set a smaller crop"
        )
    return Source(entry, scenes, len(loaded) - len(scenes))


def _pair_jobs(entry: Entry) -> list[Callable[[], Scene]]:
    files = _partners({role: entry.folders[role] for role in ("a", "b")})

    def job(paths: tuple[Path, ...]) -> Scene:
        return Scene(_read_same_size(paths, entry.crop_border))

    return [lambda paths=paths: job(paths) for paths in files]  # type: ignore[misc]


def _triple_jobs(entry: Entry) -> list[Callable[[], Scene]]:
    files = _partners({role: entry.folders[role] for role in ("a", "b", "sharp")})

    def job(paths: tuple[Path, ...]) -> Scene:
        a, b, sharp = _read_same_size(paths, entry.crop_border)
        images = to_float(a), to_float(b), to_float(sharp)
        mask = closeness(*images, closeness(*images, 0.5, window=31))  # flat areas follow their surroundings
        return Scene((a, b), target=sharp, mask=quantize(mask, 8))

    return [lambda paths=paths: job(paths) for paths in files]  # type: ignore[misc]


def _series_jobs(entry: Entry) -> list[Callable[[], Scene]]:
    folder = entry.folders["scenes"]
    folders = sorted(path for path in _listing(folder) if path.is_dir())
    if not folders:
        raise TrainingError(f"{folder}: no folders of exposures in it")

    def job(scene: Path) -> Scene:
        paths = tuple(_images(scene).values())
        if len(paths) < 3:
            raise TrainingError(f"{scene}: {len(paths)} exposures, a series has three or more")
        frames = sorted(_read_same_size(paths, entry.crop_border), key=lambda frame: float(frame.mean()))
        return Scene(tuple(frames))

    return [lambda scene=scene: job(scene) for scene in folders]  # type: ignore[misc]


def _still_jobs(entry: Entry) -> list[Callable[[], Scene]]:
    if "regions" not in entry.folders:
        stills = _images(entry.folders["stills"]).values()
        return [lambda path=path: Scene((_cut(_read(path), entry.crop_border),)) for path in stills]  # type: ignore[misc]

    def job(paths: tuple[Path, ...]) -> Scene:
        still, labels = _read(paths[0]), _read(paths[1], labels=True)
        _same_size(paths, (still, labels))
        return Scene((_cut(still, entry.crop_border),), regions=_cut(labels, entry.crop_border))

    return [lambda paths=paths: job(paths) for paths in _partners(entry.folders)]  # type: ignore[misc]


_JOBS: Mapping[str, Callable[[Entry], list[Callable[[], Scene]]]] = {
    "pairs": _pair_jobs,
    "series": _series_jobs,
    "triples": _triple_jobs,
    "stills": _still_jobs,
}


def _listing(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError as error:
        raise TrainingError(f"{folder}: cannot read this folder: {error.strerror}") from error


def _images(folder: Path) -> dict[str, Path]:
    """Stem → file, sorted by name."""
    suffixes = readable_suffixes()
    found: dict[str, Path] = {}
    for path in _listing(folder):
        if path.suffix.lower() in suffixes and not path.name.startswith("."):
            if path.stem in found:
                raise TrainingError(f"{path}: a second image named {path.stem!r} in its folder")
            found[path.stem] = path
    if not found:
        raise TrainingError(f"{folder}: no image in this folder")
    return found


def _partners(folders: Mapping[str, Path]) -> list[tuple[Path, ...]]:
    """Files of several folders with the same name, extensions aside."""
    images = {role: _images(folder) for role, folder in folders.items()}
    names = set().union(*images.values())
    for role, found in images.items():
        missing = sorted(names - found.keys())
        if missing:
            raise TrainingError(f"{folders[role]}: no image named {missing[0]!r}, which its partner folder has")
    return [tuple(found[name] for found in images.values()) for name in sorted(names)]


def _read_same_size(paths: tuple[Path, ...], border: int) -> tuple[ByteArray, ...]:
    images = tuple(_read(path) for path in paths)
    _same_size(paths, images)
    return tuple(_cut(image, border) for image in images)


def _same_size(paths: tuple[Path, ...], images: tuple[ByteArray, ...]) -> None:
    for path, image in zip(paths, images, strict=True):
        if image.shape != images[0].shape:
            (h, w), (h0, w0) = image.shape, images[0].shape
            raise TrainingError(f"{path} is {w}×{h}, its partner {paths[0]} is {w0}×{h0}")


def _read(path: Path, *, labels: bool = False) -> ByteArray:
    import cv2

    try:
        # Not cv2.imread, which on Windows cannot open names outside the code page.
        data = np.frombuffer(path.read_bytes(), np.uint8)
    except OSError as error:
        raise TrainingError(f"{path}: cannot read it: {error.strerror}") from error
    flags = cv2.IMREAD_UNCHANGED if labels else cv2.IMREAD_GRAYSCALE
    image = cv2.imdecode(data, flags) if data.size else None
    if image is None:
        return _read_any(path)
    if image.ndim != 2:
        raise TrainingError(f"{path}: a label image has one channel, this has {image.shape[2]}")
    return np.ascontiguousarray(image)


def _read_any(path: Path) -> ByteArray:
    """An image of a format that OpenCV does not decode."""
    try:
        return quantize(luma(read_picture(path).pixels), 8)
    except InputError as error:
        raise TrainingError(error.message, hint=error.hint) from error


def _cut(image: ByteArray, border: int) -> ByteArray:
    if not border:
        return image
    return np.ascontiguousarray(image[border : image.shape[0] - border, border : image.shape[1] - border])
