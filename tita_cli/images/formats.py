"""The formats that pictures are written to: what each can hold, and which one a file name asks for."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import PurePath

from tita_cli.errors import OutputError, UsageError
from tita_cli.images.picture import Depth

_UNLIMITED = 2**31 - 1
_ALL_METADATA = frozenset({"exif", "icc", "xmp"})


@dataclass(frozen=True, slots=True)
class Format:
    """What a format can hold.

    ``depths``: bits a sample, rising; 32 is float. ``grey``, ``alpha``: whether it has one-channel pictures, and
    transparency. ``metadata``: which blocks fit; the provenance goes with ``xmp``. ``lossy``: samples come back only
    nearly as written. ``max_side``: its limit for width and height.
    """

    name: str
    title: str
    extensions: tuple[str, ...]
    depths: tuple[Depth, ...]
    grey: bool = True
    alpha: bool = True
    metadata: frozenset[str] = frozenset()
    lossy: bool = False
    max_side: int = _UNLIMITED


FORMATS = {
    entry.name: entry
    for entry in (
        Format("png", "PNG", (".png",), (8, 16), metadata=_ALL_METADATA),
        Format("tiff", "TIFF", (".tif", ".tiff"), (8, 16, 32), metadata=_ALL_METADATA),
        Format(
            "jpeg", "JPEG", (".jpg", ".jpeg", ".jpe"), (8,),
            alpha=False, metadata=_ALL_METADATA, lossy=True, max_side=65_500,
        ),
        Format("webp", "WebP", (".webp",), (8,), grey=False, metadata=_ALL_METADATA, max_side=16_383),
        Format("avif", "AVIF", (".avif",), (8,), grey=False, metadata=_ALL_METADATA, lossy=True, max_side=65_535),
        Format("bmp", "BMP", (".bmp",), (8,), alpha=False),
        Format("pnm", "PNM", (".ppm", ".pgm", ".pnm"), (8, 16), alpha=False),
        Format("pfm", "PFM", (".pfm",), (32,), alpha=False),
        Format("hdr", "Radiance HDR", (".hdr",), (32,), grey=False, alpha=False, lossy=True),
        Format("exr", "OpenEXR", (".exr",), (32,), metadata=frozenset({"xmp"})),
    )
}  # fmt: skip


def parse_depth(text: str) -> Depth:
    """``8``, ``16`` or ``32``, and ``32f`` as photographers write it.

    :raises UsageError: something else.
    """
    depths: dict[str, Depth] = {"8": 8, "16": 16, "32": 32, "32f": 32}
    if text not in depths:
        raise UsageError(f"--depth {text}: not known", hint="one of 8, 16, 32")
    return depths[text]


def choose_format(target: str | os.PathLike[str] | None, format_name: str | None = None) -> Format:
    """The format that ``format_name`` names, or else the extension of ``target``; a stream (None) gets PNG.

    :raises OutputError: neither names a format that tita writes.
    """
    if format_name is not None:
        wanted = format_name.lower().lstrip(".")
        for entry in FORMATS.values():
            if wanted == entry.name or f".{wanted}" in entry.extensions:
                return entry
        raise OutputError(f"unknown format {format_name!r}", hint=f"one of {', '.join(FORMATS)}")
    if target is None:
        return FORMATS["png"]
    extension = PurePath(os.fspath(target)).suffix.lower()
    for entry in FORMATS.values():
        if extension in entry.extensions:
            return entry
    known = " ".join(entry.extensions[0] for entry in FORMATS.values())
    reason = f"the extension {extension} is no format that tita writes" if extension else "has no extension"
    raise OutputError(f"{target}: {reason}", hint=f"one of {known}, or --format NAME")


def choose_depth(entry: Format, wanted: Depth, *, demanded: bool, name: str) -> Depth:
    """The least depth of ``entry`` that holds ``wanted`` bits, or its deepest where none does.

    :raises OutputError: the depth is ``demanded`` by the user and the format has no such depth.
    """
    if demanded and wanted not in entry.depths:
        others = ", ".join(other.title for other in FORMATS.values() if wanted in other.depths)
        held = " or ".join(str(depth) for depth in entry.depths)
        raise OutputError(f"{name}: {entry.title} holds {held} bits a sample, not {wanted}", hint=f"{others} can")
    return next((depth for depth in entry.depths if depth >= wanted), entry.depths[-1])
