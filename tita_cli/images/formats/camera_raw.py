"""Raw files of cameras. Their first picture is a small preview, which must not pass for the photograph."""

from __future__ import annotations

from tita_cli.images.formats.format import Format, has_brand

# Makers' own signatures; DNG, NEF, ARW and PEF look like TIFF and are told apart by the TIFF decoder.
_SIGNATURES = (
    b"FUJIFILMCCD-RAW", b"IIRO", b"IIRS", b"MMOR", b"IIU\0", b"FOVb", b"\0MRM", b"II\x1a\0\0\0HEAPCCDR",
)  # fmt: skip


def _sniff(head: bytes) -> bool:
    canon = head[:4] == b"II*\0" and head[8:10] == b"CR"
    return canon or head.startswith(_SIGNATURES) or has_brand(head, b"crx ")


FORMAT = Format(
    name="raw",
    title="a camera's raw file",
    suffixes=(
        ".dng", ".nef", ".nrw", ".arw", ".cr2", ".cr3", ".crw", ".orf", ".pef", ".raf", ".raw", ".rw2", ".srw", ".x3f",
    ),
    sniff=_sniff,
    advice="develop it to 16-bit TIFF first, for example with darktable-cli or RawTherapee",
)  # fmt: skip
