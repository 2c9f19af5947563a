"""WebP: stills by libwebp (imagecodecs), which takes no more memory than the picture has; animations by Pillow."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from tita_cli.images.formats.format import ALL_METADATA, Format, Page, Request, numbered
from tita_cli.images.formats.pillow import decode_pillow, metadata_options, pillow_bytes
from tita_cli.images.metadata import find_orientation
from tita_cli.images.picture import Metadata
from tita_cli.images.samples import Samples

_ALPHA, _ANIMATION = 0x10, 0x02  # flags of the VP8X chunk


def _pages(stream: BinaryIO, request: Request) -> tuple[Page, ...]:
    return numbered(max(1, sum(kind == b"ANMF" for kind, _ in _chunks(stream.read()))))


def _decode(stream: BinaryIO, request: Request) -> Samples:
    """RFC 9649: a RIFF file with a VP8 (lossy) or VP8L (lossless) frame, or VP8X and chunks for everything else."""
    content = stream.read()
    chunks = dict(reversed(list(_chunks(content))))  # of several of a kind, the first counts
    extended = chunks.get(b"VP8X")
    if extended and extended[0] & _ANIMATION:
        request.check_size(*_canvas(extended))
        if not any(frame[16:20] in (b"VP8 ", b"VP8L", b"ALPH") for frame in [chunks.get(b"ANMF", b"")]):
            raise ValueError("it has no frame")
        from PIL import WebPImagePlugin  # noqa: F401  registers on import

        stream.seek(0)
        return decode_pillow(stream, request, "WEBP")
    width, height, has_alpha = _frame(chunks)
    request.check_size(width, height)
    if extended:
        if _canvas(extended) != (width, height):
            raise ValueError("it states two sizes")
        has_alpha = bool(extended[0] & _ALPHA)
    import imagecodecs

    # The decoder is given the memory that the size above needs, and refuses content of another size.
    data = np.empty((height, width, 4 if has_alpha else 3), np.uint8)
    imagecodecs.webp_decode(content, hasalpha=has_alpha, out=data)
    exif, xmp = chunks.get(b"EXIF"), chunks.get(b"XMP ")
    orientation = find_orientation(exif)
    return Samples(data, 255.0, orientation=orientation, exif=exif, icc=chunks.get(b"ICCP"), xmp=xmp)


def _chunks(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    place = 12
    while place + 8 <= len(content):
        length = int.from_bytes(content[place + 4 : place + 8], "little")
        yield content[place : place + 4], content[place + 8 : place + 8 + length]
        place += 8 + length + length % 2


def _canvas(extended: bytes) -> tuple[int, int]:
    width, height = (1 + int.from_bytes(extended[place : place + 3], "little") for place in (4, 7))
    return width, height


def _frame(chunks: dict[bytes, bytes]) -> tuple[int, int, bool]:
    """Width, height and whether there is alpha, by the frame's own header."""
    if lossy := chunks.get(b"VP8 "):
        width, height = (int.from_bytes(lossy[place : place + 2], "little") & 0x3FFF for place in (6, 8))
        return width, height, b"ALPH" in chunks
    if lossless := chunks.get(b"VP8L"):
        bits = int.from_bytes(lossless[1:5], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF), bool(bits >> 28 & 1)
    raise ValueError("it has no frame")


def _encode(samples: npt.NDArray[Any], metadata: Metadata, quality: int | None, stream: BinaryIO) -> list[str]:
    lossy = {"lossless": True, "exact": True, "quality": 50} if quality is None else {"quality": quality}
    stream.write(pillow_bytes(samples, "WEBP", **lossy, **metadata_options(metadata)))
    return []


FORMAT = Format(
    name="webp",
    title="WebP",
    suffixes=(".webp",),
    sniff=lambda head: head[:4] == b"RIFF" and head[8:12] == b"WEBP",
    decode=_decode,
    samples="8 bits; RGB, alpha",
    pages=_pages,
    encode=_encode,
    depths=(8,),
    grey=False,
    metadata=ALL_METADATA,
    max_side=16_383,
)
