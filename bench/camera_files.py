"""Files as cameras write them, made by code: FLIR's and DJI's radiometric JPEG, a frame of thermal video, DNG, RW2.

The tests read them, and bench/trust.py mutates them.
"""

from __future__ import annotations

import io
import struct
from typing import Any

import imagecodecs
import numpy as np
import tifffile
from PIL import Image

WHITE = 4095
"""What a pixel of :func:`dng` can hold."""
PLANCK = {"R1": 17000.0, "B": 1428.0, "F": 1.0, "O": -300, "R2": 0.045}
"""Constants of the camera that :func:`flir` imitates: °C = B / ln(R1 / (R2 (count + O)) + F) − 273.15."""


def _jpeg(pixels: np.ndarray, make: str = "", model: str = "", zoom: float | str = 1) -> bytes:
    buffer, exif = io.BytesIO(), Image.Exif()
    if make:
        exif[0x010F], exif[0x0110] = make, model
        exif.get_ifd(0x8769)[0xA404] = zoom
    Image.fromarray(pixels).save(buffer, "JPEG", quality=95, subsampling=0, exif=exif)
    return buffer.getvalue()


def _with_segments(jpeg: bytes, parts: list[tuple[int, bytes]]) -> bytes:
    """A JPEG file with these segments behind its first one."""
    place = 4 + int.from_bytes(jpeg[4:6], "big")
    packed = b"".join(struct.pack(">BBH", 0xFF, marker, len(part) + 2) + part for marker, part in parts)
    return jpeg[:place] + packed + jpeg[place:]


def _flir_camera() -> bytes:
    """A record of the camera: emissivity 1, no distance, no window."""
    record = bytearray(900)
    struct.pack_into("<6f", record, 32, 1.0, 0.0, 293.15, 293.15, 293.15, 1.0)
    struct.pack_into("<f", record, 60, 0.5)
    struct.pack_into("<3f", record, 88, PLANCK["R1"], PLANCK["B"], PLANCK["F"])
    struct.pack_into("<5f", record, 112, 0.006569, 0.01262, -0.002276, -0.00667, 1.9)
    record[0xD4:0xDB] = b"FLIR T1"
    struct.pack_into("<if", record, 776, PLANCK["O"], PLANCK["R2"])
    return bytes(record)


def _flir_block(records: list[tuple[int, bytes]], order: str) -> bytes:
    block = bytearray(64 + 32 * len(records))
    block[:4] = b"FFF\0"
    struct.pack_into(order + "3I", block, 0x14, 100, 64, len(records))
    for place, (kind, record) in zip(range(64, len(block), 32), records, strict=True):
        struct.pack_into(order + "HHIIII", block, place, kind, 1, 100, 1, len(block), len(record))
        block += record
    return bytes(block)


def flir(
    counts: np.ndarray, photograph: np.ndarray | None, *, storing: str = "swapped", place: tuple[float, int, int]
    | None = (2.0, 3, -2), order: str = ">", photograph_as: str = "jpeg", zoom: float | str = 1, model: str = "FLIR T1",
) -> bytes:  # fmt: skip
    """A radiometric JPEG as FLIR's cameras write it.

    ``counts``: H×W uint16. ``photograph``: H×W×3 uint8 or None. ``storing``: "swapped", "png" or "plain" counts.
    ``place``: Real2IR and the offsets. ``zoom``: the camera's, which its preview shows and the counts do not.
    """
    stored = counts.byteswap() if storing == "swapped" else counts
    pixels = counts.astype("<u2").tobytes() if storing == "plain" else imagecodecs.png_encode(stored)
    records = [(1, struct.pack("<3H26x", 2, counts.shape[1], counts.shape[0]) + pixels), (32, _flir_camera())]
    if photograph is not None:
        luminance = np.asarray(Image.fromarray(photograph).convert("YCbCr"))
        stored = imagecodecs.png_encode(luminance) if photograph_as == "png" else _jpeg(photograph)
        records.append((14, struct.pack("<3H26x", 3, *photograph.shape[1::-1]) + stored))
    if place is not None:
        records.append((42, struct.pack("<fhh", *place) + bytes(16)))
    block = _flir_block(records, order)
    parts = [block[start : start + 60_000] for start in range(0, len(block), 60_000)]
    named = [b"FLIR\0\1" + bytes([number, len(parts) - 1]) + part for number, part in enumerate(parts)]
    preview = np.zeros((*counts.shape, 3), np.uint8)
    preview[..., 0] = counts >> 8
    return _with_segments(_jpeg(preview, "FLIR Systems AB", model, zoom), [(0xE1, part) for part in named])


def flir_frame(
    counts: np.ndarray, *, storing: str = "plain", place: tuple[float, int, int] | None = None
) -> bytes:  # fmt: skip
    """One frame of a thermal video of H×W uint16 counts; ``storing``: "plain", "png" or "jpeg-ls". ``place``: as for
    :func:`flir`."""
    encode = {"png": imagecodecs.png_encode, "jpeg-ls": imagecodecs.jpegls_encode}.get(storing)
    pixels = counts.astype("<u2").tobytes() if encode is None else bytes(encode(counts))
    header = struct.pack("<3H26x", 2, counts.shape[1], counts.shape[0])
    records = [(1, header + pixels), (32, _flir_camera())]
    if place is not None:
        records.append((42, struct.pack("<fhh", *place) + bytes(16)))
    return _flir_block(records, "<")


def dji(counts: np.ndarray, *, scale: int = 1, make: str = "DJI") -> bytes:
    """A JPEG of DJI's with H×W uint16 counts and a coloured preview ``scale`` times as large."""
    content = counts.astype("<u2").tobytes()
    parts = [(0xE3, content[start : start + 65_000]) for start in range(0, len(content), 65_000)]
    preview = np.kron(counts >> 8, np.ones((scale, scale), np.uint8)).astype(np.uint8)
    return _with_segments(_jpeg(np.stack([preview, preview // 2, 255 - preview], 2), make, "M3T"), parts)


def dng(exposure: float = 1.0, flip: int = 1, *, packed: bool = False) -> bytes:
    """A DNG of 60×80 pixels, left half grey and right half red, behind a preview of 6×8.

    ``packed``: in four tiles of lossless JPEG.
    """
    colors = np.full((60, 80, 3), 0.25)
    colors[:, 40:] = (0.5, 0.05, 0.05)
    mosaic = np.empty((60, 80))
    for (y, x), channel in zip(((0, 0), (0, 1), (1, 0), (1, 1)), (0, 1, 1, 2), strict=True):
        mosaic[y::2, x::2] = colors[y::2, x::2, channel]
    one = [value for row in np.eye(3, dtype=int) for entry in row for value in (int(entry), 1)]
    first: list[tuple[Any, ...]] = [
        (50706, "B", 4, (1, 4, 0, 0), True), (50707, "B", 4, (1, 1, 0, 0), True), (50708, "s", 0, "Maker One", True),
        (50721, "2i", 9, one, True), (50728, "2I", 3, [1, 1] * 3, True), (50778, "H", 1, 21, True),
        (271, "s", 0, "Maker", True), (272, "s", 0, "One", True), (274, "H", 1, flip, True),
    ]  # fmt: skip
    second: list[tuple[Any, ...]] = [
        (33421, "H", 2, (2, 2), True), (33422, "B", 4, (0, 1, 1, 2), True), (50717, "H", 1, WHITE, True),
        (50714, "H", 1, 0, True),
    ]  # fmt: skip
    buffer = io.BytesIO()
    with tifffile.TiffWriter(buffer) as file:
        preview = np.zeros((6, 8, 3), np.uint8)
        file.write(preview, photometric="rgb", subfiletype=1, subifds=1, extratags=first, metadata=None)
        samples = np.clip(mosaic * exposure * WHITE, 0, WHITE).astype(np.uint16)
        if not packed:
            file.write(samples, photometric=32803, extratags=second, metadata=None)
            return buffer.getvalue()
        edges = [(top, left) for top in (0, 32) for left in (0, 48)]
        padded = np.pad(samples, ((0, 4), (0, 16)), "edge")
        tiles = [imagecodecs.ljpeg_encode(padded[y : y + 32, x : x + 48].copy(), bitspersample=12) for y, x in edges]
        file.write(
            iter(tiles), shape=samples.shape, dtype=np.uint16, tile=(32, 48), compression=7, photometric=32803,
            extratags=second, metadata=None,
        )  # fmt: skip
    return buffer.getvalue()


def rw2(share: float = 1.0, *, way: int = 5) -> bytes:
    """An RW2 of Panasonic's of 160×200 samples of noise, of which only ``share`` is in the file.

    ``way``: of packing, 4 or 5; LibRaw takes any bytes for samples of the latter.
    """
    height, width, place = 160, 200, 1024
    entries: list[tuple[int, int, int, int | bytes]] = [
        (1, 7, 4, b"0300"), (2, 3, 1, width), (3, 3, 1, height), (4, 3, 1, 0), (5, 3, 1, 0), (6, 3, 1, height),
        (7, 3, 1, width), (9, 3, 1, 4), (10, 3, 1, 12), (14, 3, 1, 4095), (15, 3, 1, 4095), (16, 3, 1, 4095),
        (36, 3, 1, 500), (37, 3, 1, 263), (38, 3, 1, 438), (45, 3, 1, way), (271, 2, 10, b"Panasonic\0"),
        (272, 2, 8, b"DMC-LX3\0"), (273, 4, 1, 2**32 - 1), (279, 4, 1, 2 * width * height), (280, 4, 1, place),
    ]  # fmt: skip
    directory, long = struct.pack("<H", len(entries)), b""
    behind = 8 + 2 + 12 * len(entries) + 4
    for tag, kind, length, value in entries:
        field = struct.pack("<I", value) if isinstance(value, int) else value
        if len(field) > 4:
            field, long = struct.pack("<I", behind + len(long)), long + field
        directory += struct.pack("<HHI", tag, kind, length) + field
    samples = np.random.default_rng(0).integers(0, 256, width * height // (10 if way == 5 else 14) * 16, np.uint8)
    header = (b"IIU\0" + struct.pack("<I", 8) + directory + bytes(4) + long).ljust(place, b"\0")
    return header + samples.tobytes()[: int(share * samples.size)]
