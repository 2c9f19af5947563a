"""HEIC, what phones store, through Pillow's plug-in pillow-heif, as 8 bits."""

from __future__ import annotations

from typing import BinaryIO

from tita_cli.images.formats.format import Format, Library, Page, Request, has_brand
from tita_cli.images.formats.pillow import decode_pillow, pillow_pages
from tita_cli.images.samples import Samples


def register() -> None:
    """Make Pillow open HEIC."""
    import pillow_heif

    pillow_heif.register_heif_opener()


def _pages(stream: BinaryIO, request: Request) -> tuple[Page, ...]:
    register()
    return pillow_pages(stream, request, "HEIF")


def _decode(stream: BinaryIO, request: Request) -> Samples:
    register()
    return decode_pillow(stream, request, "HEIF")


FORMAT = Format(
    name="heic",
    title="HEIC",
    suffixes=(".heic", ".heif"),
    read_suffixes=(".hif",),
    sniff=lambda head: has_brand(head, b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1"),
    library=Library("pillow_heif", package="pillow-heif"),
    decode=_decode,
    samples="read as 8 bits; RGB, alpha",
    pages=_pages,
)
