"""The marker segments of a JPEG file (ITU-T T.81, annex B), in which cameras keep what JPEG itself has no place for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

APP1, APP3 = 0xE1, 0xE3

_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # start of frame, of any of the coding processes
_ALONE = frozenset((0x01, *range(0xD0, 0xD9)))  # markers without a segment
_SCAN, _END = 0xDA, 0xD9


def frame_size(content: bytes) -> tuple[int, int] | None:
    """Width and height by the first frame header, found as libjpeg finds it; None where there is none.

    Whatever stands between segments is skipped, as libjpeg does.
    """
    place = 2
    while True:
        place = content.find(b"\xff", place)
        while place >= 0 and content[place + 1 : place + 2] == b"\xff":
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


def segments(stream: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Marker and content of the segments before the first scan of the file in ``stream``, as far as they are whole."""
    stream.seek(2)
    while True:
        mark = stream.read(2)
        if len(mark) < 2 or mark[0] != 0xFF or mark[1] in (_SCAN, _END):
            return
        if mark[1] == 0xFF:  # a fill byte
            stream.seek(-1, 1)
            continue
        if mark[1] in _ALONE:
            continue
        length = int.from_bytes(stream.read(2), "big") - 2
        content = stream.read(max(length, 0))
        if length < 0 or len(content) < length:
            return
        yield mark[1], content
