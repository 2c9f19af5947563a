"""PNG: decoded by Pillow, and by libpng (imagecodecs) where it has 16 bits, which Pillow reduces to 8."""

from __future__ import annotations

import struct
import zlib
from typing import Any, BinaryIO

import numpy.typing as npt

from tita_cli.images.formats.format import ALL_METADATA, Format, Page, Request, begins
from tita_cli.images.formats.pillow import opened_page, pillow_pages, pillow_samples, samples_with_metadata
from tita_cli.images.picture import Metadata
from tita_cli.images.samples import Samples

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_HEADER = 33  # bytes of the signature and IHDR, which metadata has to follow
_SIZE = struct.Struct(">II")


def stated_size(content: bytes) -> tuple[int, int] | None:
    """Width and height by the header; None for what is no PNG file."""
    if not content.startswith(SIGNATURE) or len(content) < _HEADER:
        return None
    width, height = _SIZE.unpack_from(content, 16)
    return width, height


def _pages(stream: BinaryIO, request: Request) -> tuple[Page, ...]:
    return pillow_pages(stream, request, "PNG")


def _decode(stream: BinaryIO, request: Request) -> Samples:
    header = stream.read(_HEADER)
    stream.seek(0)
    with opened_page(stream, request, "PNG") as image:
        if stated_size(header) != image.size:  # a second IHDR: libpng and Pillow would go by one each
            raise ValueError("it states two sizes")
        if not (image.tile and str(image.tile[0].args).endswith(";16B")):
            return pillow_samples(image, request.name)
        import imagecodecs

        stream.seek(0)
        data = imagecodecs.png_decode(stream.read())
        return samples_with_metadata(image, data, white=65535.0, depth=16)


def _encode(samples: npt.NDArray[Any], metadata: Metadata, quality: int | None, stream: BinaryIO) -> list[str]:
    import imagecodecs

    # What a filter leaves of a photograph is mostly noise: to search it for repetitions costs most of the time
    # and gains next to nothing (bench/png.py).
    fast: dict[str, Any] = {"strategy": imagecodecs.PNG.STRATEGY.RLE, "filter": imagecodecs.PNG.FILTER.PAETH}
    encoded = imagecodecs.png_encode(samples[..., 0] if samples.shape[2] == 1 else samples, level=1, **fast)
    chunks = b""
    if metadata.icc:
        chunks += _chunk(b"iCCP", b"ICC profile\0\0" + zlib.compress(metadata.icc))
    if metadata.exif:
        chunks += _chunk(b"eXIf", metadata.exif)
    if metadata.xmp:
        chunks += _chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + metadata.xmp)
    stream.write(bytes(encoded[:_HEADER]) + chunks + bytes(encoded[_HEADER:]))
    return []


def _chunk(kind: bytes, content: bytes) -> bytes:
    """PNG 1.2, section 3.2: length, type, content, and a checksum of the latter two."""
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


FORMAT = Format(
    name="png",
    title="PNG",
    suffixes=(".png",),
    read_suffixes=(".apng",),
    sniff=begins(SIGNATURE),
    decode=_decode,
    samples="1 to 16 bits; grey, RGB, palette, alpha",
    pages=_pages,
    encode=_encode,
    depths=(8, 16),
    metadata=ALL_METADATA,
)
