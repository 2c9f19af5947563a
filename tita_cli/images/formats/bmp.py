"""BMP, as Windows wrote it, through Pillow."""

from __future__ import annotations

from typing import Any, BinaryIO

import numpy.typing as npt

from tita_cli.images.formats.format import Format, Request, begins
from tita_cli.images.formats.pillow import decode_pillow, pillow_bytes
from tita_cli.images.picture import Metadata
from tita_cli.images.samples import Samples


def _decode(stream: BinaryIO, request: Request) -> Samples:
    return decode_pillow(stream, request, "BMP")


def _encode(samples: npt.NDArray[Any], metadata: Metadata, quality: int | None, stream: BinaryIO) -> list[str]:
    stream.write(pillow_bytes(samples, "BMP"))
    return []


FORMAT = Format(
    name="bmp",
    title="BMP",
    suffixes=(".bmp",),
    sniff=begins(b"BM"),
    decode=_decode,
    samples="1 to 8 bits; grey, RGB, palette, alpha",
    encode=_encode,
    depths=(8,),
    alpha=False,
)
