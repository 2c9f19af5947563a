"""The sources of a fusion: read, brought to intensity where a palette hides it, to one range, profile and frame.

Two pictures are kept in memory. More are read twice: once to look at them (sizes, ranges, brightness, who has colour)
and once when the tree needs them, so that a stack of a hundred does not have to fit.
"""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Literal, TypeAlias

import numpy as np

from tita_cli.errors import MismatchError, UsageError
from tita_cli.images import Picture, read_picture
from tita_cli.images.color import luma, split_luma
from tita_cli.images.read import drained
from tita_cli.images.value_range import (
    RangeSetting,
    ValueRange,
    apply_range,
    find_range,
    invert,
    shared_range,
)

if TYPE_CHECKING:
    from tita_cli.align import Border, Frame, Mode, Rig

Source: TypeAlias = str | os.PathLike[str] | BinaryIO | Picture
FalseColor: TypeAlias = Literal["refuse", "intensity", "keep"]

FALSE_COLOR_CHOICES: tuple[FalseColor, ...] = ("refuse", "intensity", "keep")
_KEPT = 2
_CHROMA = 0.25 / 255
"""Mean chroma below this is a grey picture stored in three channels; what a colour camera sees at night has more."""


@dataclass(frozen=True, slots=True)
class Preparation:
    """What is done to every source before it is fused; see ``tita_cli.fuse`` for the meaning of each field."""

    resize: bool = False
    page: int | None = None
    max_pixels: int | None = None
    value_range: RangeSetting = "auto"
    inverted: frozenset[int] = frozenset()
    false_color: FalseColor = "refuse"
    align: Mode = "auto"
    reference: int = 0
    border: Border = "crop"
    rig: Rig | None = None
    deghost: bool = False


@dataclass(frozen=True, slots=True)
class Look:
    """What a first look at a prepared source tells: enough to order the tree without keeping the pixels."""

    name: str
    height: int
    width: int
    has_chroma: bool
    brightness: float
    contrast: float
    range: ValueRange | None


class Sources:
    """The sources in the order given, prepared on demand.

    ``shared``: the one range of all, where they measure the same kind of thing; the result goes back into it.
    ``frame``: where each source lies, None where nobody asked. Raises ``InputError`` for a source that cannot be read,
    ``MismatchError`` for unequal sizes without ``resize`` that alignment does not explain.
    """

    def __init__(self, sources: Sequence[Source], preparation: Preparation) -> None:
        if len(sources) < 2:
            raise UsageError(f"fusing takes at least two images, {len(sources)} given")
        outside = sorted(i for i in preparation.inverted if not 0 <= i < len(sources))
        if outside:
            raise UsageError(f"--invert {outside[0] + 1}: there are {len(sources)} sources")
        self._preparation = preparation
        self._given = [self._repeatable(source) for source in sources]
        self._kept: dict[int, Picture] = {}
        self.notes: list[str] = []
        for source in self._given:
            if isinstance(source, str | os.PathLike) and not os.path.exists(source):  # noqa: PTH110  (any path-like)
                read_picture(source)  # says what is wrong, before anything is decoded
        self.frame: Frame | None = None
        self.looks = self._look_at_all()
        self._check_sizes()
        self.shared = shared_range([look.range for look in self.looks])
        self._filling: Picture | None = None

    def __len__(self) -> int:
        return len(self._given)

    def picture(self, index: int) -> Picture:
        """The source, ready to be fused: in range, of the reference's size. Notes of its reading are collected."""
        picture = self._ready(index)
        if self.frame is not None:
            picture = self.frame.place(index, picture, self._reference)
        if self._preparation.deghost and index != self._preparation.reference:
            picture = self._deghosted(picture)
        self._kept.pop(index, None)
        self.notes += [note for note in picture.notes if note not in self.notes]
        return picture

    def raw(self, index: int) -> Picture:
        """The source as read, before its range is applied: for its metadata, depth and levels."""
        return self._read(index)

    def _ready(self, index: int) -> Picture:
        """In range and of the reference's size, unless alignment will see to that."""
        picture = self._in_range(self._read(index), index, self.shared or self.looks[index].range)
        target = self.looks[self._preparation.reference]
        placed = self.frame is not None and self.frame.placements[index].accepted
        if placed or (picture.height, picture.width) == (target.height, target.width):
            return picture
        from tita_cli.images.resize import resize_picture

        note = f"{picture.name}: resized from {picture.size} to {target.width}×{target.height}"
        picture = resize_picture(picture, target.height, target.width)
        return replace(picture, notes=(*picture.notes, note))

    def _in_range(self, picture: Picture, index: int, values: ValueRange | None) -> Picture:
        picture = apply_range(picture, values)
        return invert(picture) if index in self._preparation.inverted else picture

    def _reference(self) -> Picture:
        """The reference, kept once a source needs its pixels."""
        if self._filling is None:
            self._filling = self._ready(self._preparation.reference)
        return self._filling

    def _deghosted(self, picture: Picture) -> Picture:
        from tita_cli.fusing.deghost import deghosted

        reference = self._reference()
        if self.frame is not None:
            reference = self.frame.place(self._preparation.reference, reference, self._reference)
        if picture.metadata.icc != reference.metadata.icc:
            from tita_cli.images.profile import to_profile

            reference = to_profile(reference, picture.metadata.icc)
        picture, share = deghosted(picture, reference)
        if not share:
            return picture
        return replace(picture, notes=(*picture.notes, f"{picture.name}: {share:.1%} gave way to the reference"))

    def _read(self, index: int) -> Picture:
        if index in self._kept:
            return self._kept[index]
        source, how = self._given[index], self._preparation
        picture = source if isinstance(source, Picture) else _read_file(source, how)
        if how.false_color != "keep":
            from tita_cli.images.false_color import palette_to_intensity, refuse_palette

            if how.false_color == "refuse":
                refuse_palette(picture)
            else:
                picture = palette_to_intensity(picture)
        if index < _KEPT and len(self._given) == _KEPT:
            self._kept[index] = picture
        return picture

    def _look_at_all(self) -> list[Look]:
        """One look at every source; alignment looks along, so that nothing is decoded once more for it."""
        how, count = self._preparation, len(self._given)
        if how.align == "none":
            return [self._look(self._read(index)) for index in range(count)]
        from tita_cli.align import Aligner

        aligner = Aligner(count, mode=how.align, reference=how.reference, rig=how.rig)
        looks = {}
        for index in aligner.order:
            picture = self._read(index)
            looks[index] = self._look(picture)
            aligner.look(index, self._in_range(picture, index, looks[index].range))
        self.frame = aligner.frame(how.border)
        self.notes += aligner.notes
        return [looks[index] for index in range(count)]

    def _look(self, picture: Picture) -> Look:
        step = max(1, int((picture.height * picture.width / 2**18) ** 0.5))  # a quarter of a million pixels tell enough
        sample = picture.pixels[::step, ::step]
        has_chroma = False
        if picture.is_color:
            _, cb, cr = split_luma(sample)
            has_chroma = bool(np.abs(cb).mean() + np.abs(cr).mean() > _CHROMA)
        y = luma(sample)
        return Look(
            picture.name,
            picture.height,
            picture.width,
            has_chroma,
            float(y.mean()),
            float(y.std()),
            find_range(picture, self._preparation.value_range),
        )

    def _check_sizes(self) -> None:
        first = self.looks[self._preparation.reference]
        for index, look in enumerate(self.looks):
            aligned = self.frame is not None and self.frame.placements[index].accepted
            if (look.height, look.width) != (first.height, first.width) and not (aligned or self._preparation.resize):
                raise MismatchError(
                    f"{look.name} is {look.width}×{look.height} but {first.name} is {first.width}×{first.height}"
                    + ("" if self.frame is None else ", and alignment cannot tell how they fit"),
                    hint="--resize brings all sources to the reference's size",
                )

    @staticmethod
    def _repeatable(source: Source) -> Source:
        """A stream may be a pipe that can be read once: keep its bytes."""
        if isinstance(source, Picture):
            return source
        if not isinstance(source, str | os.PathLike):
            return _named_bytes(source)
        if Path(source).is_fifo():  # <(command), /dev/stdin
            with Path(source).open("rb") as pipe:
                return _named_bytes(pipe)
        return source


def _named_bytes(stream: BinaryIO) -> BinaryIO:
    name = getattr(stream, "name", "<stdin>")
    copy = drained(stream, str(name))
    copy.name = name
    return copy


def _read_file(source: str | os.PathLike[str] | BinaryIO, how: Preparation) -> Picture:
    if isinstance(source, io.IOBase):
        source.seek(0)
    return read_picture(source, page=how.page, max_pixels=how.max_pixels)
