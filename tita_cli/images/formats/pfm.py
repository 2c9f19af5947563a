"""PFM, the portable float map: a text header, then rows of float32 from the bottom up; values as they are."""

from __future__ import annotations

import re
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from tita_cli.images.formats.format import Format, Request, begins
from tita_cli.images.picture import Metadata
from tita_cli.images.samples import Samples

_HEADER = re.compile(rb"P([Ff])\s+(\d{1,9})\s+(\d{1,9})\s+(-?[\d.eE+-]{1,40})\s")


def _decode(stream: BinaryIO, request: Request) -> Samples:
    content = stream.read()
    header = _HEADER.match(content)
    if header is None:
        raise ValueError("its header is cut short")
    width, height, channels = int(header[2]), int(header[3]), 3 if header[1] == b"F" else 1
    request.check_size(width, height)
    count = width * height * channels
    if len(content) - header.end() < 4 * count:
        raise ValueError("its samples are cut short")
    order = "<f4" if float(header[4]) < 0 else ">f4"  # the sign of the scale says which
    data = np.frombuffer(content, order, count, header.end()).reshape(height, width, channels)[::-1]
    return Samples(data, 1.0, depth=32)


def _encode(samples: npt.NDArray[Any], metadata: Metadata, quality: int | None, stream: BinaryIO) -> list[str]:
    height, width, channels = samples.shape
    stream.write(b"P%s\n%d %d\n-1\n" % (b"F" if channels == 3 else b"f", width, height))
    stream.write(samples[::-1].astype("<f4").tobytes())
    return []


FORMAT = Format(
    name="pfm",
    title="PFM",
    suffixes=(".pfm",),
    sniff=begins(b"PF\n", b"Pf\n", b"PF\r", b"Pf\r", b"PF ", b"Pf "),
    decode=_decode,
    samples="32-bit float; grey, RGB",
    encode=_encode,
    depths=(32,),
    alpha=False,
)
