"""JPEG, and MPO, which is several JPEG pictures in one file."""

from __future__ import annotations

from typing import Any, BinaryIO

import numpy.typing as npt

from tita_cli.images.formats.format import ALL_METADATA, Format, Request, begins
from tita_cli.images.formats.pillow import metadata_options, opened_page, pillow_bytes, pillow_samples
from tita_cli.images.picture import Metadata
from tita_cli.images.samples import Samples

_QUALITY = 95
_MAX_BLOCK = 65_500  # a marker segment holds 65,533 bytes, of which the block's own name takes a few

_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # start of frame, of any of the coding processes
_ALONE = frozenset((0x01, *range(0xD0, 0xD9)))  # markers without a segment
_SCAN, _END = 0xDA, 0xD9


def frame_size(content: bytes) -> tuple[int, int] | None:
    """Width and height by the first frame header, found as libjpeg finds it; None where there is none.

    ITU-T T.81, annex B. Whatever stands between segments is skipped, as libjpeg does.
    """
    place = 2
    while True:
        place = content.find(b"\xff", place)
        while content[place + 1 : place + 2] == b"\xff":
            place += 1
        if place < 0 or place + 4 > len(content):
            return None
        marker = content[place + 1]
        place += 2
        if marker in _FRAMES:
            height, width = (int.from_bytes(content[place + at : place + at + 2], "big") for at in (3, 5))
            return width, height
        if marker in (_SCAN, _END):
            return None
        if marker and marker not in _ALONE:
            place += int.from_bytes(content[place : place + 2], "big")


def _decode(stream: BinaryIO, request: Request) -> Samples:
    with opened_page(stream, request, "JPEG", "MPO") as (image, notes):
        if not request.page:
            stream.seek(0)
            if frame_size(stream.read()) != image.size:  # Pillow allocates by the one, libjpeg by the other
                raise ValueError("it states two sizes")
        return pillow_samples(image, request.name, notes)


def _encode(samples: npt.NDArray[Any], metadata: Metadata, quality: int | None, stream: BinaryIO) -> list[str]:
    blocks, notes = metadata_options(metadata), []
    for key, title in (("exif", "EXIF"), ("xmp", "XMP")):
        if len(blocks.get(key, b"")) > _MAX_BLOCK:
            del blocks[key]
            notes.append(f"the {title} block is longer than JPEG allows (64 KB), it is left out")
    # 4:4:4: a fused picture's chroma is as fine as its luminance.
    stream.write(pillow_bytes(samples, "JPEG", quality=quality or _QUALITY, subsampling=0, **blocks))
    return notes


FORMAT = Format(
    name="jpeg",
    title="JPEG",
    suffixes=(".jpg", ".jpeg", ".jpe"),
    read_suffixes=(".jfif", ".mpo"),
    sniff=begins(b"\xff\xd8\xff"),
    decode=_decode,
    samples="8 bits; grey, RGB, CMYK; pages of MPO",
    pages=True,
    encode=_encode,
    depths=(8,),
    alpha=False,
    metadata=ALL_METADATA,
    loss=2.0,
    max_side=65_500,
)
