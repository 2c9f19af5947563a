"""EXIF in TIFF files, where it is no block of its own but tags among the file's tags."""

from __future__ import annotations

from typing import Any, BinaryIO

import tifffile
from PIL import Image
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from tita_cli.images.metadata import EXIF_PREFIX

_EXIF, _GPS = 0x8769, 0x8825
_DESCRIPTION = 270
# Make, Model, Software, DateTime, Artist, Copyright; the rest of a page's tags describes how its samples are stored.
_ABOUT = (_DESCRIPTION, 271, 272, 305, 306, 315, 33432)
# Descriptions in which programs store the layout of the file itself: untrue of any other file.
_LAYOUT_NOTES = ('{"shape"', "ImageJ=", "<?xml", "<OME")


def read_tiff_exif(stream: BinaryIO, page: tifffile.TiffPage) -> bytes | None:
    """The camera's tags of ``page`` as an EXIF block, as other formats have it."""
    found = Image.Exif()
    found.endian, found.bigtiff = page.parent.byteorder, page.parent.is_bigtiff
    found.load_from_fp(stream, page.offset)
    kept = Image.Exif()
    kept.endian = "<"
    for code in _ABOUT:
        if code in found and not str(found[code]).startswith(_LAYOUT_NOTES):
            kept[code] = found[code]
    for folder in (_EXIF, _GPS):
        entries = found.get_ifd(folder)
        if entries:
            kept.get_ifd(folder).update(entries)
            kept[folder] = kept.get_ifd(folder)
    return kept.tobytes().removeprefix(EXIF_PREFIX) if len(kept) else None


def about_tags(exif: bytes) -> list[tuple[int, str, int, Any, bool]]:
    """tifffile's ``extratags`` for an EXIF block, with a place for each folder that :func:`append_folders` fills."""
    block = _loaded(exif)
    tags: list[tuple[int, str, int, Any, bool]] = []
    for code in _ABOUT:
        if isinstance(block.get(code), str):
            tags.append((code, "s", 0, block[code].encode("utf-8", "replace") + b"\0", True))
    tags += [(folder, "I", 1, 0, True) for folder in (_EXIF, _GPS) if block.get_ifd(folder)]
    return tags


def append_folders(exif: bytes, stream: BinaryIO) -> None:
    """Write the EXIF and GPS folders behind the little-endian TIFF file in ``stream`` and enter their places in it."""
    block = _loaded(exif)
    with tifffile.TiffFile(stream, mode="r+b") as file:
        for code in (_EXIF, _GPS):
            tag = file.pages[0].aspage().tags.get(code)
            if tag is None:
                continue
            folder = ImageFileDirectory_v2(b"II*\0\0\0\0\0", group=code)
            for key, value in block.get_ifd(code).items():
                folder[key] = value
            place = stream.seek(0, 2)
            place += stream.write(b"\0" * (place % 2))  # folders begin at even offsets
            stream.write(folder.tobytes(place))
            tag.overwrite(place)


def _loaded(exif: bytes) -> Image.Exif:
    block = Image.Exif()
    block.load(exif)
    return block
