"""FLIR's FFF records, in JPEG files and thermal video: counts, photograph, and how the two lie.

Layout: ExifTool's tables (Image::ExifTool::FLIR). Temperatures are computed by flyr.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tita_cli.errors import InputError, parsing
from tita_cli.images.formats.format import Request
from tita_cli.images.formats.jpeg_segments import APP1, segments
from tita_cli.images.formats.png import SIGNATURE as PNG
from tita_cli.images.formats.png import stated_size as png_size
from tita_cli.images.picture import FloatArray, PictureInPicture

SIGNATURE = b"FFF\0"
SEGMENT = b"FLIR\0"
_JPEG, _JPEG_LS_FRAME = b"\xff\xd8\xff", 0xF7  # the beginning, and the marker of the frame header
_SEGMENT_HEADER = 8  # the name, 0x01, the number of the segment and that of the last one
HEADER, _ENTRY = 0x40, 0x20  # bytes of the file's header and of an entry of its directory
_MOST_RECORDS = 1024
_COUNTS, _PHOTOGRAPH, _CAMERA, _PICTURE_IN_PICTURE = 1, 14, 32, 42  # types of records
_MODEL = 0xD4  # where the camera's model stands in its record, 32 bytes
_PIXELS = 0x20  # where the pixels begin in a record of counts or of a photograph


@dataclass(frozen=True, slots=True)
class Records:
    """The records of one FFF block, by their type."""

    found: dict[int, bytes]

    @property
    def size(self) -> tuple[int, int] | None:
        """Width and height of the counts; None where the block has none."""
        record = self.found.get(_COUNTS)
        return None if record is None else _stated_size(record)[:2]

    @property
    def photograph(self) -> bytes | None:
        """The photograph, a JPEG or PNG file."""
        record = self.found.get(_PHOTOGRAPH)
        return None if record is None else record[_PIXELS:]

    def counts(self, request: Request) -> npt.NDArray[np.uint16]:
        """The counts, H×W. Raises InputError and ValueError as decoders do."""
        record = self.found[_COUNTS]
        width, height, order = _stated_size(record)
        request.check_size(width, height)
        pixels = record[_PIXELS:]
        if pixels.startswith(PNG):
            counts = _png_counts(pixels, width, height)
        elif pixels.startswith(_JPEG):
            counts = _jpeg_ls_counts(pixels, width, height)
        else:
            counts = np.frombuffer(pixels, order + "u2", width * height).reshape(height, width)
        return np.ascontiguousarray(counts, np.uint16)

    def celsius(self) -> FloatArray | None:
        """The temperature of each of the 65,536 counts, in °C; None where the block does not tell, or is damaged."""
        record = self.found.get(_CAMERA)
        if record is None:
            return None
        from flyr.thermal import parse_camera_info
        from flyr.thermogram import FlyrThermogram

        counts = np.arange(1 << 16, dtype=np.uint16).reshape(256, 256)
        try:
            with parsing("FLIR"), np.errstate(all="ignore"):
                how = parse_camera_info(io.BytesIO(record), (0, _CAMERA, 0, len(record)))
                celsius = np.asarray(FlyrThermogram(counts, how).celsius, np.float32).reshape(-1)
        except InputError:
            return None
        known = celsius[np.isfinite(celsius)]
        return celsius if known.size and bool((np.diff(known) >= 0).all()) else None

    def place(self, zoom: float = 1.0) -> PictureInPicture | None:
        """How the counts lie in the camera's photograph; None where it is not stated.

        ``zoom``: by which the camera magnified the middle of its infrared picture. The record is about what it showed,
        while the counts are those of the whole sensor.
        """
        record, size = self.found.get(_PICTURE_IN_PICTURE), self.size
        if record is None or size is None or len(record) < 8:
            return None
        ratio, right, down = struct.unpack_from("<fhh", record)
        return PictureInPicture(ratio / zoom, (right, down), size) if 0.05 < ratio < 50 else None

    @property
    def model(self) -> str:
        """The camera's model; empty where it is not stated."""
        stated = self.found.get(_CAMERA, b"")[_MODEL : _MODEL + 32].partition(b"\0")[0]
        return stated.decode("ascii").strip() if stated.isascii() and stated.decode("ascii").isprintable() else ""


def joined(parts: Iterable[tuple[int, bytes]]) -> bytes | None:
    """The FFF block that a JPEG file's segments hold, in the order of their numbers; None for none."""
    found: dict[int, bytes] = {}
    for marker, content in parts:
        if marker == APP1 and content.startswith(SEGMENT) and len(content) > _SEGMENT_HEADER:
            found.setdefault(content[6], content[_SEGMENT_HEADER:])
    return b"".join(found[number] for number in sorted(found)) if found else None


def parse_records(block: bytes) -> Records:
    """The records of an FFF block. Raises ValueError for a damaged one."""
    order = byte_order(block)
    if order is None:
        raise ValueError("not a block of FLIR's records")
    place, count = struct.unpack_from(order + "II", block, 0x18)
    if count > _MOST_RECORDS or place + count * _ENTRY > len(block):
        raise ValueError("the directory of FLIR's records is cut off")
    found: dict[int, bytes] = {}
    for entry in range(place, place + count * _ENTRY, _ENTRY):
        (kind,) = struct.unpack_from(order + "H", block, entry)
        start, length = struct.unpack_from(order + "II", block, entry + 12)
        if kind and start + length <= len(block):
            found.setdefault(kind, block[start : start + length])
    return Records(found)


def byte_order(block: bytes) -> str | None:
    """The order in which the version of a block reads as one that exists; None where ``block`` begins no records."""
    if not block.startswith(SIGNATURE) or len(block) < HEADER:
        return None
    return next((order for order in "><" if 100 <= struct.unpack_from(order + "I", block, 0x14)[0] < 200), None)


def _stated_size(record: bytes) -> tuple[int, int, str]:
    """Width, height and byte order by the header of a record of counts, which begins with a 2."""
    order = next((order for order in "<>" if struct.unpack_from(order + "H", record)[0] == 2), None)
    if order is None or len(record) < _PIXELS:
        raise ValueError("FLIR's counts have no header")
    width, height = struct.unpack_from(order + "HH", record, 2)
    return width, height, order


def _png_counts(pixels: bytes, width: int, height: int) -> npt.NDArray[Any]:
    """Counts out of a PNG file, in which most cameras swap the bytes; of the two orders the smoother one is right."""
    import imagecodecs

    if png_size(pixels) != (width, height):
        raise ValueError("FLIR's counts state two sizes")
    counts = imagecodecs.png_decode(pixels)
    if counts.dtype != np.uint16 or counts.shape != (height, width):
        raise ValueError("FLIR's counts are no 16-bit grey picture")
    return min(counts.byteswap(), counts, key=_roughness)


def _jpeg_ls_counts(pixels: bytes, width: int, height: int) -> npt.NDArray[Any]:
    """Counts out of JPEG-LS (ITU-T T.87), whose frame header states the size as JPEG's does."""
    import imagecodecs

    frame = next((content for marker, content in segments(io.BytesIO(pixels)) if marker == _JPEG_LS_FRAME), b"")
    if struct.unpack_from(">xHH", frame) != (height, width):
        raise ValueError("FLIR's counts state two sizes")
    counts = np.asarray(imagecodecs.jpegls_decode(pixels))
    if counts.shape != (height, width):
        raise ValueError("FLIR's counts are no grey picture")
    return counts


def _roughness(counts: npt.NDArray[np.uint16]) -> float:
    return float(np.abs(np.diff(counts.astype(np.float32), axis=1)).mean()) if counts.shape[1] > 1 else 0.0
