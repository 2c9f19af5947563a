"""FLIR's sequences of thermal frames (SEQ, CSQ): blocks of records, each as in a radiometric JPEG."""

from __future__ import annotations

from typing import BinaryIO

from tita_cli.images.formats.flir import HEADER, SIGNATURE, byte_order, parse_records
from tita_cli.images.formats.format import Format, Page, Request, begins
from tita_cli.images.picture import Thermal
from tita_cli.images.samples import Samples

_CHUNK = 1 << 20
_LARGEST = 1 << 26  # bytes of one frame


def _starts(stream: BinaryIO) -> list[int]:
    """Where the frames begin."""
    found: list[int] = []
    place, kept = 0, b""
    while chunk := stream.read(_CHUNK):
        window, base = kept + chunk, place - len(kept)
        at = window.find(SIGNATURE)
        while 0 <= at <= len(window) - HEADER:
            if byte_order(window[at : at + HEADER]):
                found.append(base + at)
            at = window.find(SIGNATURE, at + 1)
        place += len(chunk)
        kept = window[1 - HEADER :]  # too little to hold a header
    return found


def _pages(stream: BinaryIO, request: Request) -> list[Page]:
    """The frames; each is of another moment, so they are not fused unless they are named."""
    count = max(1, len(_starts(stream)))
    return [Page(str(number), series=f"frame {number}") for number in range(1, count + 1)]


def _decode(stream: BinaryIO, request: Request) -> Samples:
    starts = _starts(stream)
    if request.index >= len(starts):
        raise ValueError("it has no frame")
    start = starts[request.index]
    end = starts[request.index + 1] if request.index + 1 < len(starts) else start + _LARGEST
    stream.seek(start)
    records = parse_records(stream.read(min(end - start, _LARGEST)))
    if records.size is None:
        raise ValueError("its frame has no counts")
    thermal = Thermal(records.model or "FLIR", records.celsius(), records.place())
    return Samples(records.counts(request)[..., None], 65535.0, depth=16, thermal=thermal)


FORMAT = Format(
    name="seq",
    title="FLIR's thermal video",
    suffixes=(".seq", ".csq"),
    sniff=begins(SIGNATURE),
    decode=_decode,
    samples="16-bit thermal counts, plain, PNG or JPEG-LS",
    pages=_pages,
)
