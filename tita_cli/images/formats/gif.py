"""GIF, which is read through Pillow and not written."""

from __future__ import annotations

from typing import BinaryIO

from tita_cli.images.formats.format import Format, Page, Request, begins
from tita_cli.images.formats.pillow import decode_pillow, pillow_pages
from tita_cli.images.samples import Samples


def _pages(stream: BinaryIO, request: Request) -> tuple[Page, ...]:
    return pillow_pages(stream, request, "GIF")


def _decode(stream: BinaryIO, request: Request) -> Samples:
    return decode_pillow(stream, request, "GIF")


FORMAT = Format(
    name="gif",
    title="GIF",
    suffixes=(".gif",),
    sniff=begins(b"GIF87a", b"GIF89a"),
    decode=_decode,
    samples="8 bits; palette with a transparent colour",
    pages=_pages,
)
