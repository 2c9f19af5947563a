"""Raw files of cameras, developed by LibRaw (rawpy).

Their first picture is a small preview, which must not pass for the photograph.
"""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from tita_cli.errors import DamagedError, InputError, parsing
from tita_cli.images.chatter import without_lines
from tita_cli.images.formats.camera_raw_data import check_data, empty_share
from tita_cli.images.formats.format import Format, Library, Request, has_brand
from tita_cli.images.formats.pillow import open_pillow
from tita_cli.images.formats.tiff_exif import read_tiff_exif
from tita_cli.images.samples import Samples

if TYPE_CHECKING:
    import tifffile

# Makers' own signatures; DNG, NEF, ARW, PEF and others look like TIFF and are told apart by the TIFF decoder.
_SIGNATURES = (
    b"FUJIFILMCCD-RAW", b"IIRO", b"IIRS", b"MMOR", b"IIU\0", b"FOVb", b"\0MRM", b"II\x1a\0\0\0HEAPCCDR",
)  # fmt: skip
TIFF = (b"II*\0", b"MM\0*")
_PHASE_ONE = (b"IIII", b"MMMM")
"""Behind the header of TIFF: IIQ, whose first picture is a thumbnail."""
_DNG_VERSION, _MAKE, _PREVIEW = 50706, 271, 1  # two tags, and a bit of the tag NewSubfileType
_FILTERED = 32803  # photometric interpretation: one colour a pixel, by a filter before the sensor
_ITS_OWN = re.compile("unknown file: ")
"""What LibRaw prints about damaged files, beside raising an exception."""
_EMPTY, _MOST_EMPTY = 0.02, 0.99
"""Shares of a picture in which all samples are zero: sensors have noise, and most of them a black level above zero."""
_SRGB = (2.4, 12.92)  # the curve's exponent and the slope of its beginning


def _sniff(head: bytes) -> bool:
    like_tiff = head.startswith(TIFF) and (head[8:10] == b"CR" or head[8:12] in _PHASE_ONE)
    return like_tiff or head.startswith(_SIGNATURES) or has_brand(head, b"crx ")


def is_raw(page: tifffile.TiffPage) -> bool:
    """Whether the first page of a TIFF file says that the file is a camera's raw one."""
    if page.photometric == _FILTERED and _MAKE in page.tags:  # PEF has its samples in the first picture
        return True
    if _DNG_VERSION in page.tags or (page.subfiletype & _PREVIEW and page.subifds):
        return True
    return bool(page.subifds) and any(below.aspage().photometric == _FILTERED for below in page.pages)


def decode(stream: BinaryIO, request: Request) -> Samples:
    """Develop a raw file: the camera's white balance, sRGB, 16 bits, upright, and no brightening.

    So the frames of a bracket keep the ratio of their exposures. A note says where a part of the picture is empty.

    Raises InputError without the library, DamagedError where image data are missing.
    """
    FORMAT.require_library(request.name, InputError)
    import rawpy

    stream.seek(0)
    with without_lines(_ITS_OWN), rawpy.imread(stream) as raw:
        sizes = raw.sizes
        request.check_size(max(sizes.raw_width, sizes.width), max(sizes.raw_height, sizes.height))
        check_data(stream)
        empty = empty_share(raw.raw_image_visible)
        if empty > _MOST_EMPTY:
            raise DamagedError(f"{request.name}: holds no picture, its samples are zero")
        data = raw.postprocess(output_bps=16, use_camera_wb=True, no_auto_bright=True, gamma=_SRGB)
        exif = _exif(stream, raw)
    notes = (
        (f"{request.name}: {empty:.0%} of its picture is zero, as where data are missing",) if empty > _EMPTY else ()
    )
    return Samples(np.asarray(data), 65535.0, depth=16, exif=exif, format=FORMAT.name, notes=notes)


def preview(stream: BinaryIO) -> BinaryIO:
    """The JPEG file that a raw file holds for display, which has the capture's EXIF. Raises what LibRaw raises."""
    import rawpy

    stream.seek(0)
    with without_lines(_ITS_OWN), rawpy.imread(stream) as raw:
        return io.BytesIO(raw.extract_thumb().data)


def _exif(stream: BinaryIO, raw: Any) -> bytes | None:
    """The camera's tags: where the file is laid out as TIFF, from there, else from the preview in it."""
    try:
        with parsing("EXIF"):
            stream.seek(0)
            signature = stream.read(4)
            stream.seek(0)
            if signature in TIFF:
                import tifffile

                with tifffile.TiffFile(stream) as file:
                    return read_tiff_exif(stream, file.pages.first)
            preview = raw.extract_thumb().data
            with open_pillow(io.BytesIO(preview), "JPEG") as image:
                block = image.info.get("exif")
                return block if isinstance(block, bytes) else None
    except InputError:  # no reason to refuse the pixels
        return None


FORMAT = Format(
    name="raw",
    title="a camera's raw file",
    suffixes=(
        ".dng", ".nef", ".nrw", ".arw", ".cr2", ".cr3", ".crw", ".orf", ".pef", ".raf", ".raw", ".rw2", ".srw", ".x3f",
        ".3fr", ".dcr", ".erf", ".fff", ".gpr", ".iiq", ".kdc", ".mef", ".mos", ".mrw", ".rwl", ".sr2", ".srf",
    ),
    sniff=_sniff,
    library=Library("rawpy", package="rawpy"),
    decode=decode,
    samples="developed to 16 bits, sRGB, by the camera's white balance",
)  # fmt: skip
