"""EXIF and XMP blocks, patched where they stand.

A block is edited in place and never rebuilt: a rebuilt one loses what its maker hid behind absolute offsets (maker
notes above all). Layout: TIFF 6.0, section 2; EXIF 3.0, section 4.6.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator

EXIF_PREFIX = b"Exif\x00\x00"

_ORIENTATION, _EXIF_FOLDER, _PIXEL_WIDTH, _PIXEL_HEIGHT = 0x0112, 0x8769, 0xA002, 0xA003
_IMAGE_WIDTH, _IMAGE_HEIGHT, _FOCAL_LENGTH = 0x0100, 0x0101, 0xA405
_MODEL = 0x0110
_ASCII, _SHORT, _LONG = 2, 3, 4
_XMP_ORIENTATION = re.compile(rb"(tiff:Orientation(?:\s*=\s*[\"']|\s*>\s*))[2-8]")


def find_orientation(block: bytes | None) -> int:
    """The orientation that an EXIF block states, 1..8; 1 where there is none, or it is damaged."""
    if block is None:
        return 1
    bare = bytearray(block.removeprefix(EXIF_PREFIX))
    try:
        order = _byte_order(bare)
        first = int(struct.unpack_from(order + "I", bare, 4)[0])
        for tag, kind, place in _entries(bare, order, first):
            if tag == _ORIENTATION and kind == _SHORT:
                return int(struct.unpack_from(order + "H", bare, place)[0])
    except struct.error:
        pass
    return 1


def find_focal_length(block: bytes | None) -> int | None:
    """The focal length in mm that an EXIF block states for film of 35 mm; None where it states none."""
    bare = bytearray((block or b"").removeprefix(EXIF_PREFIX))
    try:
        for order, tag, kind, place in _all_entries(bare):
            if tag == _FOCAL_LENGTH and kind == _SHORT:
                return int(struct.unpack_from(order + "H", bare, place)[0]) or None
    except struct.error:
        pass
    return None


def find_model(block: bytes | None) -> str:
    """The camera's model that an EXIF block states; empty where it states none."""
    bare = bytearray((block or b"").removeprefix(EXIF_PREFIX))
    try:
        for order, tag, kind, place in _all_entries(bare):
            if tag == _MODEL and kind == _ASCII:
                (length,) = struct.unpack_from(order + "I", bare, place - 4)
                start = place if length <= 4 else int(struct.unpack_from(order + "I", bare, place)[0])
                return bytes(bare[start : start + length]).partition(b"\0")[0].decode("ascii", "replace").strip()
    except struct.error:
        pass
    return ""


def upright_exif(block: bytes | None) -> bytes | None:
    """``block`` as a bare TIFF structure whose orientation says upright, and whose thumbnail is unlinked.

    The thumbnail shows a source, and shows it as the camera was held.
    """
    if block is None:
        return None
    patched = bytearray(block.removeprefix(EXIF_PREFIX))
    try:
        order = _byte_order(patched)
        first = int(struct.unpack_from(order + "I", patched, 4)[0])
        entries = list(_entries(patched, order, first))
        for tag, kind, place in entries:
            if tag == _ORIENTATION and kind == _SHORT:
                struct.pack_into(order + "H", patched, place, 1)
        struct.pack_into(order + "I", patched, first + 2 + 12 * len(entries), 0)
    except struct.error:  # damaged: nobody reads an orientation out of it either
        return bytes(patched)
    return bytes(patched)


def sized_exif(block: bytes, width: int, height: int) -> bytes:
    """``block`` with the width and height that it states, where it states them, set to the picture's."""
    sizes = {_IMAGE_WIDTH: width, _PIXEL_WIDTH: width, _IMAGE_HEIGHT: height, _PIXEL_HEIGHT: height}
    patched = bytearray(block)
    try:
        for order, tag, kind, place in _all_entries(patched):
            if tag in sizes and kind in (_SHORT, _LONG):
                struct.pack_into(order + ("H" if kind == _SHORT else "I"), patched, place, sizes[tag])
    except struct.error:
        return block
    return bytes(patched)


def upright_xmp(packet: bytes | None) -> bytes | None:
    """``packet`` with its copy of the orientation, where it has one, saying upright."""
    return None if packet is None else _XMP_ORIENTATION.sub(rb"\g<1>1", packet)


def _byte_order(block: bytearray) -> str:
    order = {b"II": "<", b"MM": ">"}.get(bytes(block[:2]))
    if order is None:
        raise struct.error("no TIFF structure")
    return order


def _all_entries(block: bytearray) -> Iterator[tuple[str, int, int, int]]:
    """The byte order, and the tag, type and place of the value of every entry of the first folder and EXIF's own."""
    order = _byte_order(block)
    folders = [int(struct.unpack_from(order + "I", block, 4)[0])]
    for folder in folders:  # grows by EXIF's own folder, which the first one points to
        for tag, kind, place in _entries(block, order, folder):
            yield order, tag, kind, place
            if tag == _EXIF_FOLDER and len(folders) == 1:
                folders.append(int(struct.unpack_from(order + "I", block, place)[0]))


def _entries(block: bytearray, order: str, folder: int) -> Iterator[tuple[int, int, int]]:
    """The tag, type and place of the value of every entry of one folder (IFD)."""
    (count,) = struct.unpack_from(order + "H", block, folder)
    for index in range(count):
        entry = folder + 2 + 12 * index
        tag, kind = struct.unpack_from(order + "HH", block, entry)
        yield tag, kind, entry + 8
