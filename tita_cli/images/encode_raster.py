"""Encoding to bytes: PNG through libpng (imagecodecs), which keeps 16 bits; JPEG, WebP, AVIF and BMP through Pillow."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy.typing as npt

from tita_cli.images.metadata import EXIF_PREFIX
from tita_cli.images.picture import Metadata

# One JPEG marker segment holds 65,533 bytes, of which the block's own name takes a few.
_JPEG_BLOCK = 65_500
_PNG_HEADER = 33  # the signature and IHDR, which metadata has to follow


def encode_raster(
    samples: npt.NDArray[Any], metadata: Metadata, format_name: str, quality: int | None
) -> tuple[bytes, list[str]]:
    """Encode H×W×C samples (C = 1..4, alpha last for 2 and 4); also says what did not fit."""
    if format_name == "png":
        return _encode_png(samples, metadata), []
    if format_name == "jpeg":
        return _encode_jpeg(samples, metadata, quality)
    if format_name == "webp":
        lossy = {"lossless": True, "exact": True, "quality": 50} if quality is None else {"quality": quality}
        return _save(samples, "WEBP", **lossy, **_blocks(metadata)), []
    if format_name == "avif":
        options = {"quality": quality or 90, "subsampling": "4:4:4", "autotiling": False}
        return _save(samples, "AVIF", **options, **_blocks(metadata)), []
    return _save(samples, "BMP"), []


def _save(samples: npt.NDArray[Any], pillow_name: str, **options: Any) -> bytes:
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(samples[..., 0] if samples.shape[2] == 1 else samples).save(buffer, pillow_name, **options)
    return buffer.getvalue()


def _blocks(metadata: Metadata) -> dict[str, bytes]:
    """Pillow's options for the metadata that there is."""
    blocks = {"exif": metadata.exif and EXIF_PREFIX + metadata.exif, "icc_profile": metadata.icc, "xmp": metadata.xmp}
    return {key: block for key, block in blocks.items() if block}


def _encode_jpeg(samples: npt.NDArray[Any], metadata: Metadata, quality: int | None) -> tuple[bytes, list[str]]:
    blocks, notes = _blocks(metadata), []
    for key, title in (("exif", "EXIF"), ("xmp", "XMP")):
        if len(blocks.get(key, b"")) > _JPEG_BLOCK:
            del blocks[key]
            notes.append(f"the {title} block is longer than JPEG allows (64 KB), it is left out")
    # 4:4:4: a fused picture's chroma is as fine as its luminance.
    return _save(samples, "JPEG", quality=quality or 95, subsampling=0, **blocks), notes


def _encode_png(samples: npt.NDArray[Any], metadata: Metadata) -> bytes:
    import imagecodecs

    encoded = imagecodecs.png_encode(samples[..., 0] if samples.shape[2] == 1 else samples, level=3)
    chunks = b""
    if metadata.icc:
        chunks += _png_chunk(b"iCCP", b"ICC profile\0\0" + zlib.compress(metadata.icc))
    if metadata.exif:
        chunks += _png_chunk(b"eXIf", metadata.exif)
    if metadata.xmp:
        chunks += _png_chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + metadata.xmp)
    return bytes(encoded[:_PNG_HEADER]) + chunks + bytes(encoded[_PNG_HEADER:])


def _png_chunk(kind: bytes, content: bytes) -> bytes:
    """PNG 1.2, section 3.2: length, type, content, and a checksum of the latter two."""
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
