"""Radiance HDR: scene-linear RGB, 8 bits of mantissa with a shared exponent (imagecodecs)."""

from __future__ import annotations

import re
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from tita_cli.images.formats.format import Format, Request, begins
from tita_cli.images.picture import Metadata
from tita_cli.images.samples import Samples
from tita_cli.images.transfer import decode_srgb

# Enough for the longest header that cameras and renderers write; a header beyond it is damage.
_HEADER_BYTES = 1 << 16
_SIZE = re.compile(rb"\n\n-Y\s+(\d{1,9})\s+\+X\s+(\d{1,9})\s*\n")


def _decode(stream: BinaryIO, request: Request) -> Samples:
    import imagecodecs

    content = stream.read()
    size = _SIZE.match(content, content.find(b"\n\n", 0, _HEADER_BYTES))
    if size is None:
        raise ValueError("it states no size, or is stored in an unusual direction")
    height, width = int(size[1]), int(size[2])
    request.check_size(width, height)
    # The decoder is given the memory that this size needs, and refuses content of another size.
    light = np.empty((height, width, 3), np.float32)
    imagecodecs.rgbe_decode(content, out=light)
    return Samples(light, 1.0, depth=32, linear=True)


def _encode(samples: npt.NDArray[Any], metadata: Metadata, quality: int | None, stream: BinaryIO) -> list[str]:
    import imagecodecs

    stream.write(imagecodecs.rgbe_encode(np.maximum(decode_srgb(samples), 0)))
    return []


FORMAT = Format(
    name="hdr",
    title="Radiance HDR",
    suffixes=(".hdr",),
    read_suffixes=(".pic",),
    sniff=begins(b"#?RADIANCE", b"#?RGBE"),
    decode=_decode,
    samples="float; RGB, linear light",
    encode=_encode,
    depths=(32,),
    grey=False,
    alpha=False,
    loss=0.5,
)
