"""JPEG; MPO, which is several JPEG pictures in one file; and the radiometric files of thermal cameras."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import TYPE_CHECKING, Any, BinaryIO, TypeAlias

import numpy.typing as npt

from tita_cli.errors import InputError, parsing
from tita_cli.images.formats.format import ALL_METADATA, Format, Page, Request, begins, numbered
from tita_cli.images.formats.jpeg_segments import frame_size
from tita_cli.images.formats.pillow import (
    decode_pillow,
    metadata_options,
    open_pillow,
    opened_page,
    pillow_bytes,
    pillow_samples,
    samples_with_metadata,
)
from tita_cli.images.formats.radiometric import PREVIEW, THERMAL, Radiometric, find_radiometric
from tita_cli.images.picture import Metadata
from tita_cli.images.samples import Samples

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

Notes: TypeAlias = tuple[str, ...]

_QUALITY = 95
_MAX_BLOCK = 65_500  # a marker segment holds 65,533 bytes, of which the block's own name takes a few

_MP_ENTRIES = 0xB002
_GAIN_MAP = b"http://ns.adobe.com/hdr-gain-map/"  # the second picture of a JPEG in Ultra HDR


def _pages(stream: BinaryIO, request: Request) -> tuple[Page, ...]:
    with open_pillow(stream, "JPEG") as image:
        return _held(stream, image, request.name)[0]


def _held(stream: BinaryIO, image: ImageFile, name: str) -> tuple[tuple[Page, ...], Radiometric | None, Notes]:
    """The pages of an opened file, what it holds where it is radiometric, and a note where that is damaged."""
    try:
        with parsing("its thermal records"):
            found = find_radiometric(stream, image)
    except InputError as error:
        return _frames(image), None, (f"{name}: {error.message}, its preview is read",)
    return (_frames(image) if found is None else found.pages(image.size)), found, ()


def _frames(image: ImageFile) -> tuple[Page, ...]:
    """The pictures of an MPO (CIPA DC-007), which beside pictures of a scene has thumbnails of it, and gain maps."""
    entries = getattr(image, "mpinfo", {}).get(_MP_ENTRIES, ())
    if len(entries) < 2:
        return numbered(1, image.size)
    first, has_gain_map = image.size, _GAIN_MAP in image.info.get("xmp", b"")
    pages = []
    for page, entry in zip(numbered(len(entries)), entries, strict=True):
        image.seek(int(page.name) - 1)
        alike = image.size == first and "Thumbnail" not in str(entry["Attribute"]["MPType"])
        pages.append(replace(page, size=image.size, fused=page.name == "1" or (alike and not has_gain_map)))
    return tuple(pages)


def _decode(stream: BinaryIO, request: Request) -> Samples:
    with open_pillow(stream, "JPEG") as image:
        request.check_size(*image.size)
        pages, found, notes = _held(stream, image, request.name)
        if found is not None and pages[request.index].name != PREVIEW:
            return _radiometric(found, pages[request.index], image, request)
    stream.seek(0)
    samples = _plain(stream, request if found is None else replace(request, index=0))
    return replace(samples, notes=(*notes, *samples.notes))


def _plain(stream: BinaryIO, request: Request) -> Samples:
    with opened_page(stream, request, "JPEG") as image:
        if not request.index:
            stream.seek(0)
            if frame_size(stream.read()) != image.size:  # Pillow allocates by the one, libjpeg by the other
                raise ValueError("it states two sizes")
        return pillow_samples(image, request.name)


def _radiometric(found: Radiometric, page: Page, image: ImageFile, request: Request) -> Samples:
    """A page of a radiometric file, with the metadata of its preview, as which it lies in the file."""
    if page.name == THERMAL:
        samples = samples_with_metadata(image, found.counts(request), white=65535.0, depth=16, has_profile=False)
        thermal = found.thermal()
        # The matrix is of the pictures as they lie in the file.
        return replace(samples, thermal=replace(thermal, place=None) if samples.orientation > 1 else thermal)
    content = io.BytesIO(found.photograph or b"")
    one = replace(request, index=0)
    if frame_size(content.getvalue()):
        decoded = _plain(content, one)
    else:  # its three channels are Y, Cb and Cr (ExifTool, FLIR's EmbeddedImageType)
        decoded = decode_pillow(content, one, "PNG")
        if decoded.data.shape[2] == 3:
            import cv2

            decoded = replace(decoded, data=cv2.cvtColor(decoded.data[..., [0, 2, 1]], cv2.COLOR_YCrCb2RGB))
    return replace(samples_with_metadata(image, decoded.data, white=decoded.white), icc=decoded.icc)


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
    samples="8 bits; grey, RGB, CMYK; pages of MPO; 16-bit counts and photograph of FLIR's and DJI's thermal cameras",
    pages=_pages,
    encode=_encode,
    depths=(8,),
    alpha=False,
    metadata=ALL_METADATA,
    loss=2.0,
    max_side=65_500,
)
