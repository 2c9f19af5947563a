"""One source of a fusion: where it comes from, what the caller knows of it, and how it is read."""

from __future__ import annotations

import io
import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import BinaryIO, TypeAlias

from tita_cli.errors import UsageError
from tita_cli.images import Picture, read_picture
from tita_cli.images.files import drained, is_handed_over, open_input
from tita_cli.images.value_range import ValueRange, apply_range, invert
from tita_cli.options import FalseColor, OptionError, RangeSetting

Origin: TypeAlias = str | os.PathLike[str] | BinaryIO | Picture
SourceLike: TypeAlias = "Origin | Source"


@dataclass(frozen=True, slots=True)
class Source:
    """``origin``: a file, an open binary file that can be read again, or a picture.

    ``page``: of a file with several pictures. ``max_pixels``: more are refused before decoding. ``value_range``: which
    values become black and white. ``inverted``: black-hot infrared, to be swapped. ``false_color``: what becomes of
    infrared that a palette has coloured.
    """

    origin: Origin
    page: int | None = None
    max_pixels: int | None = None
    value_range: RangeSetting = "auto"
    inverted: bool = False
    false_color: FalseColor = "refuse"

    def read(self) -> Picture:
        """Decode it, in its own values: H×W×1 or H×W×3; a palette becomes intensity where that is wanted.

        Raises InputError, also for a palette that is to be refused.
        """
        if isinstance(self.origin, Picture):
            picture = self.origin
        else:
            if isinstance(self.origin, io.IOBase):
                self.origin.seek(0)
            picture = read_picture(self.origin, page=self.page, max_pixels=self.max_pixels)
        if self.false_color == "keep":
            return picture
        from tita_cli.images.false_color import palette_to_intensity, refuse_palette

        if self.false_color == "intensity":
            return palette_to_intensity(picture)
        refuse_palette(picture)
        return picture

    def in_range(self, picture: Picture, values: ValueRange | None) -> Picture:
        """What :meth:`read` gave, with ``values`` at 0..1, white where it is hot."""
        picture = apply_range(picture, values)
        return invert(picture) if self.inverted else picture


def describe_sources(
    given: Sequence[SourceLike],
    *,
    page: int | None = None,
    max_pixels: int | None = None,
    value_range: RangeSetting = "auto",
    invert: Collection[int] = (),
    false_color: FalseColor = "refuse",
) -> tuple[Source, ...]:
    """A record for each source, from options that speak of all; a ``Source`` among ``given`` keeps its own facts.

    ``invert``: indices of those to be swapped. Pipes are read to their end. Raises UsageError for fewer than two
    sources or an index that is none of them, InputError for a file that is not there.
    """
    if len(given) < 2:
        raise UsageError(f"fusing takes at least two images, {len(given)} given")
    outside = sorted(index for index in invert if not 0 <= index < len(given))
    if outside:
        raise OptionError(f"`invert`: there is no source {outside[0] + 1}, there are {len(given)} sources")
    sources = [
        one if isinstance(one, Source) else Source(one, page, max_pixels, value_range, index in invert, false_color)
        for index, one in enumerate(given)
    ]
    sources = [replace(source, origin=_repeatable(source.origin)) for source in sources]
    for source in sources:
        if isinstance(source.origin, str | os.PathLike) and not os.path.exists(source.origin):  # noqa: PTH110
            read_picture(source.origin)  # raises, before anything is decoded
    return tuple(sources)


def _repeatable(origin: Origin) -> Origin:
    """``origin``, or the bytes of a stream, which may be a pipe that can be read once."""
    if isinstance(origin, Picture):
        return origin
    if not isinstance(origin, str | os.PathLike):
        return _named_bytes(origin)
    if is_handed_over(origin):
        with open_input(origin) as pipe:
            return _named_bytes(pipe, os.fspath(origin))
    return origin


def _named_bytes(stream: BinaryIO, name: str | None = None) -> BinaryIO:
    name = name or str(getattr(stream, "name", "<stdin>"))
    copy = drained(stream, name)
    copy.name = name
    return copy
