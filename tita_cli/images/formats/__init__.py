"""The registry of file formats, which reading, writing, folder scans, training, hints and the documentation go by.

A new format is a file beside this one that declares a :class:`Format`, and its line in the list below.
"""

from __future__ import annotations

import os
from pathlib import PurePath
from typing import TYPE_CHECKING

from tita_cli.errors import OutputError
from tita_cli.images.formats import (
    avif,
    bmp,
    camera_raw,
    exr,
    gif,
    heic,
    jpeg,
    jpeg2000,
    jpegxl,
    pfm,
    png,
    pnm,
    radiance,
    thermal_video,
    tiff,
    webp,
)  # fmt: skip
from tita_cli.images.formats.format import SNIFFED, Format, Request

if TYPE_CHECKING:
    from tita_cli.options import Depth

__all__ = [
    "FORMATS", "READ", "SNIFFED", "WRITTEN", "Format", "Request",
    "choose_depth", "choose_format", "format_of_suffix", "readable_suffixes", "recognise",
]  # fmt: skip

# In the order of the documentation; a format whose sniffer is stricter stands before one that it could be taken for.
FORMATS: dict[str, Format] = {
    entry.name: entry
    for entry in (
        png.FORMAT, camera_raw.FORMAT, tiff.FORMAT, jpeg.FORMAT, webp.FORMAT, avif.FORMAT, heic.FORMAT, bmp.FORMAT,
        gif.FORMAT, pnm.FORMAT, pfm.FORMAT, radiance.FORMAT, exr.FORMAT, jpeg2000.FORMAT, jpegxl.FORMAT,
        thermal_video.FORMAT,
    )
}  # fmt: skip
READ = tuple(entry for entry in FORMATS.values() if entry.decode is not None)
WRITTEN = tuple(entry for entry in FORMATS.values() if entry.encode is not None)


def recognise(head: bytes) -> Format | None:
    """The format of a file that begins with ``head``, its first :data:`SNIFFED` bytes; None for one not known."""
    return next((entry for entry in FORMATS.values() if entry.sniff(head)), None)


def format_of_suffix(path: str | os.PathLike[str]) -> Format | None:
    """The format that the suffix of ``path`` stands for, in either case; None where it is none of ours."""
    suffix = PurePath(path).suffix.lower()
    return next((entry for entry in FORMATS.values() if suffix in (*entry.suffixes, *entry.read_suffixes)), None)


def readable_suffixes() -> frozenset[str]:
    """The suffixes, lower case with their dot, of files that tita reads, some of them given a library."""
    return frozenset(suffix for entry in READ for suffix in (*entry.suffixes, *entry.read_suffixes))


def choose_format(target: str | os.PathLike[str] | None, format_name: str | None = None) -> Format:
    """The format that ``format_name`` names, or else the suffix of ``target``; a stream (None) gets PNG.

    :raises OutputError: neither names a format that tita writes.
    """
    if format_name is not None:
        wanted = format_name.lower().lstrip(".")
        for entry in WRITTEN:
            if wanted == entry.name or f".{wanted}" in entry.suffixes:
                return entry
        raise OutputError(
            f"unknown format {format_name!r}", hint=f"one of {', '.join(entry.name for entry in WRITTEN)}"
        )
    if target is None:
        return png.FORMAT
    named = format_of_suffix(target)
    suffix = PurePath(target).suffix.lower()
    if named is not None and named.encode is not None and suffix in named.suffixes:
        return named
    known = " ".join(entry.suffixes[0] for entry in WRITTEN)
    reason = f"the suffix {suffix} is no format that tita writes" if suffix else "has no suffix"
    raise OutputError(f"{os.fspath(target)}: {reason}", hint=f"one of {known}, or `format` NAME")


def choose_depth(entry: Format, wanted: Depth, *, demanded: bool, name: str) -> Depth:
    """The least depth of ``entry`` that holds ``wanted`` bits, or its deepest where none does.

    :raises OutputError: the depth is ``demanded`` by the user and the format has no such depth.
    """
    if demanded and wanted not in entry.depths:
        others = ", ".join(other.title for other in WRITTEN if wanted in other.depths)
        held = " or ".join(str(depth) for depth in entry.depths)
        raise OutputError(f"{name}: {entry.title} holds {held} bits a sample, not {wanted}", hint=f"{others} can")
    return next((depth for depth in entry.depths if depth >= wanted), entry.depths[-1])
