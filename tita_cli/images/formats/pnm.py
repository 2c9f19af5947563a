"""PNM (PBM, PGM, PPM), binary and plain: http://netpbm.sourceforge.net/doc/pnm.html."""

from __future__ import annotations

import re
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from tita_cli.images.formats.format import Format, Request
from tita_cli.images.picture import Metadata
from tita_cli.images.samples import Samples

_TOKEN = re.compile(rb"(?:\s|#[^\n\r]*[\n\r])*([0-9]{1,9})")
_COMMENT = re.compile(rb"#[^\n\r]*")


def _decode(stream: BinaryIO, request: Request) -> Samples:
    content = stream.read()
    kind = content[1] - ord("0")  # 1..3 are plain, 4..6 binary: bits, grey, colour
    width, place = _number(content, 2)
    height, place = _number(content, place)
    bits = kind in (1, 4)
    white, place = (1, place) if bits else _number(content, place)
    if not 1 <= white <= 65535:
        raise ValueError(f"its largest value is {white}")
    request.check_size(width, height)
    channels = 3 if kind in (3, 6) else 1
    count = width * height * channels
    if kind < 4:
        data = _plain(content[place:], count, white)
    elif bits:
        rows = _binary(content, place + 1, np.dtype("u1"), height * -(-width // 8)).reshape(height, -1)
        data = np.unpackbits(rows, axis=1, count=width)
    else:
        data = _binary(content, place + 1, np.dtype("u1" if white < 256 else ">u2"), count)
    if bits:
        data = 1 - data  # 1 is black
    deep = white > 255
    data = data.reshape(height, width, channels).astype(np.uint16 if deep else np.uint8, copy=False)
    return Samples(data, float(white), depth=16 if deep else 8)


def _number(content: bytes, place: int) -> tuple[int, int]:
    """The number in the header at ``place``, and where it ends."""
    found = _TOKEN.match(content, place)
    if found is None:
        raise ValueError("its header is cut short")
    return int(found[1]), found.end()


def _plain(text: bytes, count: int, white: int) -> npt.NDArray[Any]:
    text = _COMMENT.sub(b"", text)
    values: npt.NDArray[Any]
    if white == 1:  # bits need no space between them
        values = np.frombuffer(text.translate(None, b" \t\n\v\f\r")[:count], np.uint8) - ord("0")
    else:
        values = np.fromstring(text.decode("ascii"), np.int64, sep=" ")[:count]
    if len(values) < count:
        raise ValueError("its samples are cut short")
    if values.min() < 0 or values.max() > white:
        raise ValueError(f"it has a sample outside of 0 to {white}")
    return values


def _binary(content: bytes, place: int, kind: np.dtype[Any], count: int) -> npt.NDArray[Any]:
    if len(content) - place < count * kind.itemsize:
        raise ValueError("its samples are cut short")
    return np.frombuffer(content, kind, count, place)


def _encode(samples: npt.NDArray[Any], metadata: Metadata, quality: int | None, stream: BinaryIO) -> list[str]:
    height, width, channels = samples.shape
    white = np.iinfo(samples.dtype).max
    stream.write(b"P%d\n%d %d\n%d\n" % (6 if channels == 3 else 5, width, height, white))
    stream.write(samples.astype(samples.dtype.newbyteorder(">"), copy=False).tobytes())
    return []


FORMAT = Format(
    name="pnm",
    title="PNM",
    suffixes=(".ppm", ".pgm", ".pnm"),
    read_suffixes=(".pbm",),
    sniff=lambda head: head[:1] == b"P" and head[1:2] in b"123456" and head[2:3].isspace(),
    decode=_decode,
    samples="1 to 16 bits; grey, RGB",
    encode=_encode,
    depths=(8, 16),
    alpha=False,
)
