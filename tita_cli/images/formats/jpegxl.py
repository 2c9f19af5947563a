"""JPEG XL: recognised, not read."""

from __future__ import annotations

from tita_cli.images.formats.format import Format, begins

FORMAT = Format(
    name="jxl",
    title="JPEG XL",
    suffixes=(".jxl",),
    sniff=begins(b"\xff\x0a", b"\0\0\0\x0cJXL \r\n\x87\n"),
    advice="djxl converts it to PNG",
)
