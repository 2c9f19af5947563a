"""FLIR's sequences of thermal frames (SEQ, CSQ): recognised, not read."""

from __future__ import annotations

from tita_cli.images.formats.format import Format, begins

FORMAT = Format(
    name="seq",
    title="FLIR's thermal video",
    suffixes=(".seq", ".csq"),
    sniff=begins(b"FFF\0"),
    advice="export single frames, as radiometric JPEG or 16-bit TIFF, with the camera maker's program",
)
