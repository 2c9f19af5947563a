"""JPEG 2000: recognised, not read."""

from __future__ import annotations

from tita_cli.images.formats.format import Format, begins

FORMAT = Format(
    name="jp2",
    title="JPEG 2000",
    suffixes=(".jp2", ".j2k", ".jpf", ".jpx", ".j2c"),
    sniff=begins(b"\0\0\0\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51"),
    advice="convert it to TIFF first: opj_decompress -i IN.jp2 -o OUT.tif",
)
