"""Reading: any file that people have into a :class:`Picture`, or one line that says why not."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from typing import BinaryIO, TypeAlias

from tita_cli.errors import DamagedError, InputError, parsing
from tita_cli.files import drained, open_input, split_page
from tita_cli.images.formats import READ, SNIFFED, Format, Request, recognise
from tita_cli.images.formats.format import Decoder, Page, choose_page, numbered
from tita_cli.images.picture import Picture

_VIDEO_SUFFIXES = (".mp4", ".mov", ".avi", ".mkv", ".webm", ".m4v", ".mts")

Origin: TypeAlias = "str | os.PathLike[str] | BinaryIO"

MAX_PIXELS = 2**28
"""The largest picture that is decoded unless the caller allows more: 268 megapixels, 3.2 GB as float RGB."""


def read_picture(source: Origin, *, page: str | None = None, max_pixels: int | None = None) -> Picture:
    """Read one picture, upright and as float.

    The format is told by the content, not by the suffix. ``source`` may be a binary stream, a pipe included, or name a
    picture of a file with several: ``stack.tif@3``, ``FLIR0123.jpg@thermal``. ``page``: the name behind the ``@``, for
    streams. Where none is named, ``notes`` says which was read and that there are more. ``max_pixels``
    (:data:`MAX_PIXELS` where None) is compared with the header before anything is decoded.

    :raises InputError: the file is missing, empty, truncated, damaged, larger than allowed, or not an image.
    """
    with _opened(source, page, max_pixels) as (stream, request, wanted), parsing(request.name):
        entry, decode = recognise_stream(stream, request.name)
        index, notes = choose_page(_pages(entry, stream, request), wanted, request.name)
        named = request.name if wanted is None else f"{request.name}@{wanted}"
        picture = decode(stream, replace(request, name=named, index=index)).to_picture(named, entry.name)
        return replace(picture, notes=(*notes, *picture.notes))


def list_pages(source: Origin, *, max_pixels: int | None = None) -> tuple[Page, ...]:
    """The pictures that a file holds, one or more; of those that ``source`` names, where it does (``stack.tif@2-5``).

    :raises InputError: as :func:`read_picture`; it holds none of that name.
    """
    with _opened(source, None, max_pixels) as (stream, request, wanted), parsing(request.name):
        pages = _pages(recognise_stream(stream, request.name)[0], stream, request)
    if wanted is None:
        return pages
    first, _, last = wanted.partition("-")
    ends = [choose_page(pages, end, request.name)[0] for end in (first, last or first)]
    return pages[min(ends) : max(ends) + 1]


def recognise_stream(stream: BinaryIO, name: str) -> tuple[Format, Decoder]:
    """The format of a seekable stream at its start, which is left there, and its decoder.

    :raises InputError: it is empty, or of no format that tita reads with the libraries that are here.
    """
    head = stream.read(SNIFFED)
    stream.seek(0)
    if not head:
        raise DamagedError(f"{name}: is empty")
    entry = recognise(head)
    if entry is None:
        hint = f"it reads {', '.join(entry.title for entry in READ)}"
        if name.lower().endswith(_VIDEO_SUFFIXES):
            hint = "tita video fuses videos"
        raise DamagedError(f"{name}: is not an image that tita reads", hint=hint)
    if entry.decode is None:
        raise entry.refuse(name)
    entry.require_library(name, InputError)
    return entry, entry.decode


@contextmanager
def _opened(source: Origin, page: str | None, max_pixels: int | None) -> Iterator[tuple[BinaryIO, Request, str | None]]:
    """A seekable stream at its start, the request for its main picture, and the name of the picture that is wanted."""
    opened: AbstractContextManager[BinaryIO]
    if isinstance(source, (str, os.PathLike)):
        name, wanted = split_page(source)
        opened = open_input(name)
    else:
        own = getattr(source, "name", None)
        name, wanted = (own if isinstance(own, str) else "<stdin>"), page
        opened = nullcontext(source if source.seekable() else drained(source, name))
    with opened as stream:
        yield stream, Request(name, max_pixels or MAX_PIXELS), page or wanted


def _pages(entry: Format, stream: BinaryIO, request: Request) -> tuple[Page, ...]:
    """The pictures of the stream, which is left at its start."""
    if entry.pages is None:
        return numbered(1)
    key = _identity(stream)
    if key in _listed:
        return _listed[key]
    pages = tuple(entry.pages(stream, request))
    stream.seek(0)
    if key is not None and len(pages) > 1:
        if len(_listed) >= _MOST_LISTED:
            _listed.clear()
        _listed[key] = pages
    return pages


_MOST_LISTED = 64
_listed: dict[tuple[int, ...] | None, tuple[Page, ...]] = {}
"""The pages of files, by their identity: a stack is read page by page, and each time all of them would be listed."""


def _identity(stream: BinaryIO) -> tuple[int, ...] | None:
    """What tells an open file and its content from others; None for what lies in memory."""
    try:
        status = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return None
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns
