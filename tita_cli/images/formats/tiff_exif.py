"""EXIF in TIFF files, where it is no block of its own but tags among the file's tags."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, BinaryIO

from tita_cli.errors import InputError, parsing
from tita_cli.images.formats.pillow import DAMAGED_EXIF, parse_exif
from tita_cli.images.metadata import EXIF_PREFIX

if TYPE_CHECKING:
    import tifffile

_EXIF, _GPS = 0x8769, 0x8825
_LONG, _LONG8 = 4, 16
_DESCRIPTION = 270
# Make, Model, Software, DateTime, Artist, Copyright; the rest of a page's tags describes how its samples are stored.
_ABOUT = (_DESCRIPTION, 271, 272, 305, 306, 315, 33432)
# Descriptions in which programs store the layout of the file itself: untrue of any other file.
_LAYOUT_NOTES = ('{"shape"', "ImageJ=", "<?xml", "<OME")


@dataclass(frozen=True, slots=True)
class CameraTags:
    """What an EXIF block says: ``tags`` as tifffile's ``extratags``, and the values of its ``folders`` by their tag."""

    tags: tuple[tuple[int, str, int, Any, bool], ...] = ()
    folders: Mapping[int, Mapping[int, Any]] = field(default_factory=dict)


def read_tiff_exif(stream: BinaryIO, page: tifffile.TiffPage) -> bytes | None:
    """The camera's tags of ``page`` as an EXIF block, as other formats have it; None for none, or damaged ones."""
    from PIL import Image

    kept = Image.Exif()
    kept.endian = "<"
    try:
        with parsing("EXIF"):
            found = Image.Exif()
            found.endian, found.bigtiff = page.parent.byteorder, page.parent.is_bigtiff
            found.load_from_fp(stream, page.offset)
            for code in _ABOUT:
                if code in found and not str(found[code]).startswith(_LAYOUT_NOTES):
                    kept[code] = found[code]
            for folder in (_EXIF, _GPS):
                entries = found.get_ifd(folder)
                if entries:
                    kept.get_ifd(folder).update(entries)
                    kept[folder] = kept.get_ifd(folder)
            return kept.tobytes().removeprefix(EXIF_PREFIX) if len(kept) else None
    except InputError:  # no reason to refuse the pixels
        return None


def camera_tags(exif: bytes | None) -> tuple[CameraTags, list[str]]:
    """What of an EXIF block goes into a TIFF file, and a line where it is damaged and nothing does."""
    from PIL.TiffImagePlugin import ImageFileDirectory_v2

    if exif is None:
        return CameraTags(), []
    try:
        block = parse_exif(exif)
        with parsing("EXIF"):
            texts = [(code, block.get(code)) for code in _ABOUT]
            tags = [(code, "s", 0, text.encode("utf-8", "replace"), True) for code, text in texts if type(text) is str]
            folders = {code: dict(block.get_ifd(code)) for code in (_EXIF, _GPS)}
            for code, values in folders.items():
                folder = ImageFileDirectory_v2(group=code)
                for key, value in values.items():
                    folder[key] = value
                folder.tobytes(0)  # what cannot be written is found now
    except InputError:
        return CameraTags(), [DAMAGED_EXIF]
    return CameraTags(tuple(tags), folders), []


def add_folders(folders: Mapping[int, Mapping[int, Any]], stream: BinaryIO) -> None:
    """Give the one page of the little-endian TIFF file in ``stream`` EXIF and GPS folders of these values.

    tifffile writes no nested folders. So they go behind the file, and behind them a copy of the page's own folder with
    an entry for each, which the file's header is pointed to; what the old entries point to stays where it is.
    """
    import tifffile
    from PIL.TiffImagePlugin import ImageFileDirectory_v2

    stream.seek(0)
    with tifffile.TiffFile(stream) as file:
        layout = file.tiff
        entries = _entries(stream, layout, file.pages.first.offset)
    big = layout.is_bigtiff
    start, long = (b"II+\0" + b"\0" * 12, _LONG8) if big else (b"II*\0" + b"\0" * 4, _LONG)
    for code, values in folders.items():
        if values:
            folder = ImageFileDirectory_v2(start, group=code)
            for key, value in values.items():
                folder[key] = value
            place = _even_end(stream)
            stream.write(folder.tobytes(place))
            entries[code] = struct.pack("<HHQQ" if big else "<HHII", code, long, 1, place)
    place = _even_end(stream)
    stream.write(struct.pack(layout.tagnoformat, len(entries)) + b"".join(entries[code] for code in sorted(entries)))
    stream.write(b"\0" * layout.offsetsize)
    stream.seek(8 if big else 4)
    stream.write(struct.pack(layout.offsetformat, place))


def _entries(stream: BinaryIO, layout: tifffile.TiffFormat, place: int) -> dict[int, bytes]:
    """The raw entries of the folder at ``place``, by tag."""
    stream.seek(place)
    (count,) = struct.unpack(layout.tagnoformat, stream.read(layout.tagnosize))
    entries = [stream.read(layout.tagsize) for _ in range(count)]
    return {int.from_bytes(entry[:2], "little"): entry for entry in entries}


def _even_end(stream: BinaryIO) -> int:
    """The end of the file, where the next folder may begin."""
    place = stream.seek(0, 2)
    return place + stream.write(b"\0" * (place % 2))
