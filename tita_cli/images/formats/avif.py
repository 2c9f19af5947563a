"""AVIF through Pillow, as 8 bits."""

from __future__ import annotations

from typing import Any, BinaryIO

import numpy.typing as npt

from tita_cli.errors import InputError
from tita_cli.images.formats.format import ALL_METADATA, Format, Page, Request, has_brand
from tita_cli.images.formats.pillow import (
    DAMAGED_EXIF,
    decode_pillow,
    metadata_options,
    parse_exif,
    pillow_bytes,
    pillow_pages,
)
from tita_cli.images.picture import Metadata
from tita_cli.images.samples import Samples

_QUALITY = 90


def _pages(stream: BinaryIO, request: Request) -> tuple[Page, ...]:
    from PIL import AvifImagePlugin  # noqa: F401  registers on import

    return pillow_pages(stream, request, "AVIF")


def _decode(stream: BinaryIO, request: Request) -> Samples:
    from PIL import AvifImagePlugin  # noqa: F401  registers on import

    return decode_pillow(stream, request, "AVIF")


def _encode(samples: npt.NDArray[Any], metadata: Metadata, quality: int | None, stream: BinaryIO) -> list[str]:
    from PIL import AvifImagePlugin  # noqa: F401  registers on import

    blocks, notes = metadata_options(metadata), []
    if metadata.exif:
        try:
            parse_exif(metadata.exif)  # the plug-in takes the orientation out of it
        except InputError:
            del blocks["exif"]
            notes.append(DAMAGED_EXIF)
    options = {"quality": quality or _QUALITY, "subsampling": "4:4:4", "autotiling": False}
    stream.write(pillow_bytes(samples, "AVIF", **options, **blocks))
    return notes


FORMAT = Format(
    name="avif",
    title="AVIF",
    suffixes=(".avif",),
    sniff=lambda head: has_brand(head, b"avif", b"avis"),
    decode=_decode,
    samples="read as 8 bits; RGB, alpha",
    pages=_pages,
    encode=_encode,
    depths=(8,),
    grey=False,
    metadata=ALL_METADATA,
    loss=2.0,
    max_side=65_535,
)
