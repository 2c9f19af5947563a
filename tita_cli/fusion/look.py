"""What a first look at a source tells, and decoded sources kept as far as memory allows."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple

from tita_cli.errors import InputError
from tita_cli.fusion.kind import reduced
from tita_cli.fusion.progress import Progress, silent
from tita_cli.fusion.source import Source
from tita_cli.images import Metadata, Picture, list_pages
from tita_cli.images.color import is_chroma, luma, split_luma
from tita_cli.images.compact import Compact
from tita_cli.images.picture import FloatArray, Thermal
from tita_cli.images.value_range import ValueRange, find_range, used_range
from tita_cli.options import Depth
from tita_cli.runtime.memory import free_memory

_SAMPLED = 1 << 18  # pixels that tell enough of brightness and chroma
_MOST_KEPT = 320 << 20  # bytes; a batch counts on 2 GiB of free memory for each stack that is fused at a time
_SHARE = 8  # of free memory that may be kept at most
_BYTES_AHEAD = 16  # a pixel of a picture that is decoded beside another one: floats and integers
_MOST_AHEAD = 320 << 20


@dataclass(frozen=True, slots=True)
class Look:
    """Enough of a source to plan its fusion and to finish the result without its pixels.

    ``has_chroma``: whether its colours are more than a grey stored in three channels. ``brightness`` and ``contrast``:
    mean and standard deviation of its luminance. ``range``: the values that a sensor used, None for the file type's
    own; ``used``: the same of grey pictures of 8 bits, for infrared. ``small``: its luminance, reduced.
    The rest is as in :class:`Picture`.
    """

    name: str
    width: int
    height: int
    is_color: bool
    has_chroma: bool
    brightness: float
    contrast: float
    range: ValueRange | None
    used: ValueRange | None
    small: FloatArray
    thermal: Thermal | None
    palette: str | None
    depth: Depth
    levels: tuple[float, float]
    format: str | None
    metadata: Metadata

    @classmethod
    def at(cls, picture: Picture) -> Look:
        """Look at a picture in its own values."""
        step = max(1, round((picture.height * picture.width / _SAMPLED) ** 0.5))
        sample = picture.pixels[::step, ::step]
        has_chroma = False
        if picture.is_color:
            y, cb, cr = split_luma(sample)
            has_chroma = is_chroma(cb, cr)
        else:
            y = luma(sample)
        return cls(
            picture.name, picture.width, picture.height, picture.is_color, has_chroma, float(y.mean()), float(y.std()),
            find_range(picture), used_range(picture), reduced(y), picture.thermal,
            picture.palette, picture.depth, picture.levels, picture.format, picture.metadata,
        )  # fmt: skip

    @property
    def holds_counts(self) -> bool:
        """Whether its values are measurements, in counts or degrees, of which a photograph has none."""
        return self.range is not None and not self.range.of_sensor


def middle(looks: Sequence[Look], used: Sequence[int]) -> int:
    """Of the indices ``used``, the one of middle brightness; of two, the one nearer to the middle of the range."""
    order = sorted(used, key=lambda index: looks[index].brightness)
    two = order[(len(order) - 1) // 2 : len(order) // 2 + 1]
    return min(two, key=lambda index: abs(looks[index].brightness - 0.5))


class _Read(NamedTuple):
    """A source as it was read, what a look at it tells, and the integers of its file, where those give it back."""

    picture: Picture
    look: Look
    compact: Compact | None


class Decoded:
    """Reads sources and keeps what it has read until it is released, so that a file is decoded once.

    Those that come first are kept, in the integers of their files, as far as ``budget`` bytes go (320 MiB or an eighth
    of what is free, unless given); the others are decoded anew when they are asked for again. What they leave is for
    pictures that were moved into the common frame, resized or freed from noise, as floats: that takes longer than to
    decode.

    With two ``threads`` or more, the file behind the one that is asked for is decoded meanwhile. ``looks``: of the
    sources that were read.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        budget: int | None,
        threads: int,
        progress: Progress = silent,
    ) -> None:
        self._sources, self._progress = sources, progress
        self.looks: dict[int, Look] = {}
        self._kept: dict[int, Compact] = {}
        self._prepared: dict[int, Picture] = {}
        self._budget = budget
        self._threads = threads
        self._ahead: dict[int, Future[_Read]] = {}
        self._reader: ThreadPoolExecutor | None = None

    def read(self, index: int) -> Picture:
        """Source ``index`` in its own values. Raises InputError."""
        if index in self._kept:
            return self._kept[index].picture()
        if index in self.looks:  # it was not kept: it did not fit, or is none of integers
            return self._sources[index].read()
        self._progress("read", len(self.looks), len(self._sources))
        ahead = self._ahead.pop(index, None)
        if ahead is None:
            self._read_ahead(index + 1)
        picture, self.looks[index], compact = self._decode(index) if ahead is None else ahead.result()
        if compact is not None and self._held() + compact.nbytes <= self._most():
            self._kept[index] = compact
        return picture

    def look(self, index: int) -> Look:
        """What a look at source ``index`` tells. Raises InputError."""
        if index not in self.looks:
            self.read(index)
        return self.looks[index]

    def _decode(self, index: int) -> _Read:
        source = self._sources[index]
        picture = source.read()
        look = Look.at(picture)
        least = picture.pixels.size * (1 if picture.depth == 8 else 2)
        if isinstance(source.origin, Picture) or self._held() + least > self._most():
            return _Read(picture, look, None)
        return _Read(picture, look, Compact.of(picture))

    def _read_ahead(self, index: int) -> None:
        """Begin to decode a file, where its floats fit beside those of another one. What is wrong with it is told when
        its turn comes."""
        if index >= len(self._sources) or index in self.looks or self._threads < 2:
            return
        source = self._sources[index]
        if not isinstance(source.origin, str | os.PathLike):  # open files may be one and the same
            return
        with suppress(InputError):
            sizes = [page.size for page in list_pages(source.origin, max_pixels=source.max_pixels)]
            pixels = max((size[0] * size[1] for size in sizes if size is not None), default=0)
            if None in sizes or pixels * _BYTES_AHEAD > min(_MOST_AHEAD, free_memory() // _SHARE):
                return
            self._reader = self._reader or ThreadPoolExecutor(1, "tita-read")
            self._ahead[index] = self._reader.submit(self._decode, index)

    def kept(self, index: int) -> Compact | None:
        """Source ``index``, if it was kept."""
        return self._kept.get(index)

    def keep_prepared(self, index: int, picture: Picture) -> None:
        """Keep source ``index`` moved, resized or without noise, if there is room; nobody may write into it."""
        if self._held() + _bytes(picture) <= self._most():
            self._prepared[index] = picture

    def prepared(self, index: int) -> Picture | None:
        """What was kept by :meth:`keep_prepared`."""
        return self._prepared.get(index)

    def release(self, index: int) -> None:
        """Source ``index`` will not be asked for again."""
        self._kept.pop(index, None)
        self._prepared.pop(index, None)

    def _held(self) -> int:
        prepared = sum(
            _bytes(picture) for picture in list(self._prepared.values())
        )  # a copy: others may add to it meanwhile
        return prepared + sum(compact.nbytes for compact in list(self._kept.values()))

    def _most(self) -> int:
        if self._budget is None:
            self._budget = min(_MOST_KEPT, free_memory() // _SHARE)
        return self._budget


def _bytes(picture: Picture) -> int:
    return picture.pixels.nbytes + (0 if picture.alpha is None else picture.alpha.nbytes)
