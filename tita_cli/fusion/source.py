"""One source of a fusion: where it comes from, what the caller knows of it, and how it is read."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, BinaryIO, TypeAlias

from tita_cli.errors import MismatchError, UsageError
from tita_cli.files import drained, is_address, is_handed_over, names_several, open_input, path_of, split_page
from tita_cli.images import Picture, list_pages, read_picture
from tita_cli.images.formats.format import listed
from tita_cli.images.roles import roles_of_letters, roles_of_names
from tita_cli.options import FalseColor, OptionError, PerSource, Polarity, RangeSetting, Role

if TYPE_CHECKING:
    import numpy.typing as npt
    from PIL.Image import Image
    from torch import Tensor

    from tita_cli.fusion.result import Fusion

Origin: TypeAlias = str | os.PathLike[str] | BinaryIO | Picture
SourceLike: TypeAlias = "Origin | Source | npt.NDArray[Any] | Image | Tensor | Fusion"
"""What :func:`tita_cli.fuse` takes; all but files becomes a :class:`Picture` before a plan is made."""


@dataclass(frozen=True, slots=True)
class Source:
    """``origin``: a file, an open binary file that can be read again, or a picture.

    ``page``: the name of one picture of a file with several. ``max_pixels``: more are refused before decoding.
    ``value_range``: which values become black and white. ``polarity``: of infrared. ``role``: what it is.
    ``false_color``: what becomes of infrared that a palette has coloured. None: nothing was told.
    ``named``: what its name says it is, beside those of the others. ``colored``: whether ``false_color`` was told of
    this very source, or of its role where that is known.
    """

    origin: Origin
    page: str | None = None
    max_pixels: int | None = None
    value_range: RangeSetting | None = None
    polarity: Polarity | None = None
    role: Role | None = None
    false_color: FalseColor | None = None
    named: Role | None = None
    colored: bool = False

    @property
    def name(self) -> str:
        """What messages call it."""
        name = os.fspath(self.origin) if isinstance(self.origin, str | os.PathLike) else str(self.origin.name)
        return name if self.page is None else f"{name}@{self.page}"

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
        from tita_cli.images.false_color import settle_palette

        infrared = (self.role or self.named) == "infrared"
        return settle_palette(picture, self.false_color or "auto", infrared=infrared, colored=self.colored)

    def shares_file(self, other: Source) -> bool:
        """Whether both are pictures of one file."""
        if isinstance(self.origin, str | os.PathLike) and isinstance(other.origin, str | os.PathLike):
            return split_page(self.origin)[0] == split_page(other.origin)[0]
        return self.origin is other.origin


_NOTHING: PerSource[Any] = PerSource()


def describe_sources(
    given: Sequence[Origin | Source],
    *,
    max_pixels: int | None = None,
    value_range: PerSource[RangeSetting] = _NOTHING,
    polarity: PerSource[Polarity] = _NOTHING,
    role: PerSource[Role] = _NOTHING,
    false_color: PerSource[FalseColor] = _NOTHING,
) -> tuple[Source, ...]:
    """A record for each source, with what is told of it; a ``Source`` among ``given`` keeps its own facts.

    A file given alone stands for all the pictures in it that can be fused, and so does ``stack.tif@2-5`` for those.
    What is told of no source in particular, or of a role, is for the plan, which looks at them, but for
    ``false_color``, by which they are read. Pipes are read to their end. Raises UsageError for fewer than two sources,
    OptionError for something told of a source that is not there, InputError for a file that is not there.
    """
    if role.general is not None:
        raise OptionError(f"`role` {role.general}: of which source?", hint=f"`role` 2:{role.general}")
    _prefetch(given)
    found = [each for one in given for each in _pictures(one, max_pixels, alone=len(given) == 1)]
    if len(found) < 2:
        raise UsageError(
            f"fusing takes at least two images, {_few(given)}",
            hint="two files or more, or one that holds several pictures",
        )
    names = [source.name for source in found]
    ranges, polarities = value_range.told("value_range", names), polarity.told("polarity", names)
    roles, colors = role.told("role", names), false_color.told("false_color", names)
    named = [word or letter for word, letter in zip(roles_of_names(names), roles_of_letters(names), strict=True)]
    described = []
    for index, source in enumerate(found):
        said = source.role or roles[index]
        color = source.false_color or colors[index]
        # What a palette has coloured is infrared, unless something says otherwise.
        of_role = false_color.meant(said or named[index] or "infrared")
        described.append(replace(
            source, value_range=source.value_range or ranges[index], polarity=source.polarity or polarities[index],
            role=said, named=named[index], false_color=color or of_role or false_color.general,
            colored=bool(color or (of_role and (said or named[index]))),
        ))  # fmt: skip
    return tuple(described)


def _prefetch(given: Sequence[Origin | Source]) -> None:
    """Fetch what is at addresses, all of it at once."""
    origins = [one.origin if isinstance(one, Source) else one for one in given]
    addresses = [
        path_of(split_page(one)[0]) for one in origins if isinstance(one, str | os.PathLike) and is_address(one)
    ]
    if addresses:
        from tita_cli.files.remote import prefetch

        prefetch(addresses)


def _few(given: Sequence[Origin | Source]) -> str:
    if not given:
        return "0 given"
    return f"and {_name(given[0].origin if isinstance(given[0], Source) else given[0])} holds one"


def _name(origin: Origin) -> str:
    return os.fspath(origin) if isinstance(origin, str | os.PathLike) else str(getattr(origin, "name", "<stdin>"))


def _pictures(one: Origin | Source, max_pixels: int | None, *, alone: bool) -> list[Source]:
    """``one``, or the pictures in the file that it is, where it is ``alone`` or names several of them."""
    if not isinstance(one, Source):
        one = Source(one, max_pixels=max_pixels)
    one = replace(one, origin=_repeatable(one.origin))
    return [replace(one, page=page) for page in _pages(one.origin, one.page, one.max_pixels, alone=alone)]


def _pages(origin: Origin, page: str | None, max_pixels: int | None, *, alone: bool) -> list[str | None]:
    """The names of the pictures of a file that become sources, ``page`` where it is one. Raises InputError."""
    if isinstance(origin, Picture) or page is not None:
        return [page]
    several = False
    if isinstance(origin, str | os.PathLike):
        path, named = split_page(origin)
        if not (is_address(path) or os.path.exists(path)):  # noqa: PTH110
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
