"""One source of a fusion: where it comes from, what the caller knows of it, and how it is read."""

from __future__ import annotations

import io
import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import BinaryIO, TypeAlias

from tita_cli.errors import MismatchError, UsageError
from tita_cli.files import drained, is_handed_over, names_several, open_input, split_page
from tita_cli.images import Picture, list_pages, read_picture
from tita_cli.images.formats.format import listed
from tita_cli.images.value_range import ValueRange, apply_range, invert
from tita_cli.options import FalseColor, OptionError, RangeSetting

Origin: TypeAlias = str | os.PathLike[str] | BinaryIO | Picture
SourceLike: TypeAlias = "Origin | Source"


@dataclass(frozen=True, slots=True)
class Source:
    """``origin``: a file, an open binary file that can be read again, or a picture.

    ``page``: the name of one picture of a file with several. ``max_pixels``: more are refused before decoding.
    ``value_range``: which values become black and white. ``inverted``: black-hot infrared, to be swapped.
    ``false_color``: what becomes of infrared that a palette has coloured.
    """

    origin: Origin
    page: str | None = None
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

    def shares_file(self, other: Source) -> bool:
        """Whether both are pictures of one file."""
        if isinstance(self.origin, str | os.PathLike) and isinstance(other.origin, str | os.PathLike):
            return split_page(self.origin)[0] == split_page(other.origin)[0]
        return self.origin is other.origin

    def in_range(self, picture: Picture, values: ValueRange | None) -> Picture:
        """What :meth:`read` gave, with ``values`` at 0..1, white where it is hot."""
        picture = apply_range(picture, values)
        return invert(picture) if self.inverted else picture


def describe_sources(
    given: Sequence[SourceLike],
    *,
    max_pixels: int | None = None,
    value_range: RangeSetting = "auto",
    invert: Collection[int] = (),
    false_color: FalseColor = "refuse",
) -> tuple[Source, ...]:
    """A record for each source, from options that speak of all; a ``Source`` among ``given`` keeps its own facts.

    A file given alone stands for all the pictures in it that can be fused, and so does ``stack.tif@2-5`` for those.
    ``invert``: indices of those to be swapped. Pipes are read to their end. Raises UsageError for fewer than two
    sources or an index that is none of them, InputError for a file that is not there.
    """
    found = [each for one in given for each in _pictures(one, max_pixels, alone=len(given) == 1)]
    if len(found) < 2:
        raise UsageError(f"fusing takes at least two images, {_few(given)}", hint="tita fuse A B -o OUT")
    outside = sorted(index for index in invert if not 0 <= index < len(found))
    if outside:
        raise OptionError(f"`invert`: there is no source {outside[0] + 1}, there are {len(found)} sources")
    return tuple(
        one if isinstance(one, Source) else Source(*one, max_pixels, value_range, index in invert, false_color)
        for index, one in enumerate(found)
    )


def _few(given: Sequence[SourceLike]) -> str:
    if not given:
        return "0 given"
    return f"and {_name(given[0].origin if isinstance(given[0], Source) else given[0])} holds one"


def _name(origin: Origin) -> str:
    return os.fspath(origin) if isinstance(origin, str | os.PathLike) else str(getattr(origin, "name", "<stdin>"))


_Place: TypeAlias = tuple[Origin, str | None]
"""An origin, and the name of a picture in it."""


def _pictures(one: SourceLike, max_pixels: int | None, *, alone: bool) -> list[Source] | list[_Place]:
    """``one``, or the pictures in the file that it is, where it is ``alone`` or names several of them."""
    if isinstance(one, Source):
        one = replace(one, origin=_repeatable(one.origin))
        return [replace(one, page=page) for page in _pages(one.origin, one.page, one.max_pixels, alone=alone)]
    origin = _repeatable(one)
    return [(origin, page) for page in _pages(origin, None, max_pixels, alone=alone)]


def _pages(origin: Origin, page: str | None, max_pixels: int | None, *, alone: bool) -> list[str | None]:
    """The names of the pictures of a file that become sources, ``page`` where it is one. Raises InputError."""
    if isinstance(origin, Picture) or page is not None:
        return [page]
    several = False
    if isinstance(origin, str | os.PathLike):
        path, named = split_page(origin)
        if not os.path.exists(path):  # noqa: PTH110
            read_picture(path)  # raises, before anything is decoded
        several, alone = names_several(origin), alone and named is None
    if not (alone or several):
        return [None]
    pages = [page for page in list_pages(origin, max_pixels=max_pixels) if page.fused]
    if alone and len({page.series for page in pages}) > 1:
        ways = {page.series: listed([f"@{one.name}" for one in pages if one.series == page.series]) for page in pages}
        raise MismatchError(
            f"{_name(origin)}: holds {len(pages)} pictures of several series",
            hint="name those of one: " + "; ".join(f"{series} is {names}" for series, names in list(ways.items())[:4]),
        )
    found: list[str | None] = [page.name for page in pages]
    return found if len(found) > 1 or several else [None]


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
