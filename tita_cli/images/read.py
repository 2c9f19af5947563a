"""Reading: any file that people have into a :class:`Picture`, or one line that says why not."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager, nullcontext
from typing import BinaryIO

from tita_cli.errors import InputError, parsing
from tita_cli.images.files import drained, open_input
from tita_cli.images.formats import READ, SNIFFED, Format, Request, recognise
from tita_cli.images.formats.format import Decoder
from tita_cli.images.picture import Picture

MAX_PIXELS = 2**28
"""The largest picture that is decoded unless the caller allows more: 268 megapixels, 3.2 GB as float RGB."""


def read_picture(
    source: str | os.PathLike[str] | BinaryIO, *, page: int | None = None, max_pixels: int | None = None
) -> Picture:
    """Read one picture, upright and as float.

    The format is told by the content, not by the suffix. ``source`` may be a binary stream, a pipe included.
    ``page``: which picture of a file with several, from 0; None takes the first and says in ``notes`` that there are
    more. ``max_pixels`` (:data:`MAX_PIXELS` where None) is compared with the header before anything is decoded.

    :raises InputError: the file is missing, empty, truncated, damaged, larger than allowed, or not an image.
    """
    opened: AbstractContextManager[BinaryIO]
    if isinstance(source, (str, os.PathLike)):
        request, opened = Request(os.fspath(source), page, max_pixels or MAX_PIXELS), open_input(source)
    else:
        name = getattr(source, "name", None)
        request = Request(name if isinstance(name, str) else "<stdin>", page, max_pixels or MAX_PIXELS)
        opened = nullcontext(source if source.seekable() else drained(source, request.name))
    with opened as stream, parsing(request.name):
        entry, decode = recognise_stream(stream, request.name)
        return decode(stream, request).to_picture(request.name, entry.name)


def recognise_stream(stream: BinaryIO, name: str) -> tuple[Format, Decoder]:
    """The format of a seekable stream at its start, which is left there, and its decoder.

    :raises InputError: it is empty, or of no format that tita reads with the libraries that are here.
    """
    head = stream.read(SNIFFED)
    stream.seek(0)
    if not head:
        raise InputError(f"{name}: is empty")
    entry = recognise(head)
    if entry is None:
        titles = ", ".join(entry.title for entry in READ)
        raise InputError(f"{name}: is not an image that tita reads", hint=f"it reads {titles}")
    if entry.decode is None:
        raise entry.refuse(name)
    entry.require_library(name, InputError)
    return entry, entry.decode
