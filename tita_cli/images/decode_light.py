"""Decoding what holds floats: Radiance HDR and OpenEXR, which are scene-linear, and PFM."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from tita_cli.errors import InputError
from tita_cli.images.samples import Samples

RADIANCE_SIGNATURES = (b"#?RADIANCE", b"#?RGBE")
EXR_SIGNATURE = b"\x76\x2f\x31\x01"
PFM_SIGNATURES = (b"PF\n", b"Pf\n")

# Enough for the longest header that cameras and renderers write; a header beyond it is damage.
_HEADER_BYTES = 1 << 16
_RADIANCE_SIZE = re.compile(rb"\n\n-Y (\d{1,9}) \+X (\d{1,9})\n")
_PFM_SIZE = re.compile(rb"P[Ff]\s+(\d{1,9})\s+(\d{1,9})\s")

CheckSize = Callable[[int, int], None]


def decode_radiance(stream: BinaryIO, check_size: CheckSize) -> Samples:
    """A Radiance picture (.hdr), three channels of linear light."""
    import imagecodecs

    content = stream.read()
    size = _RADIANCE_SIZE.search(content, 0, _HEADER_BYTES)
    if size is None:
        raise ValueError("it states no size, or is stored in an unusual direction")
    check_size(int(size[2]), int(size[1]))
    return Samples(imagecodecs.rgbe_decode(content), "hdr", 1.0, depth=32, linear=True)


def decode_pfm(stream: BinaryIO, check_size: CheckSize) -> Samples:
    """A portable float map, grey or colour, values as they are."""
    import cv2

    content = stream.read()
    size = _PFM_SIZE.match(content, 0, _HEADER_BYTES)
    if size is None:
        raise ValueError("it states no size")
    check_size(int(size[1]), int(size[2]))
    data: npt.NDArray[Any] | None = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    if data is None:
        raise ValueError("its samples are cut short")
    return Samples(data[..., None] if data.ndim == 2 else data[..., ::-1], "pfm", 1.0, depth=32)


def decode_exr(stream: BinaryIO, name: str, check_size: CheckSize) -> Samples:
    """An OpenEXR picture: the first part's RGB, RGBA, or Y channel, linear light.

    :raises InputError: the library is not installed, or there are no such channels.
    """
    try:
        import OpenEXR
    except ImportError as error:
        raise InputError(f"{name}: is OpenEXR, whose library is not here", hint="pip install OpenEXR") from error
    with OpenEXR.File(stream, header_only=True) as file:
        header = file.header()
        low, high = header["dataWindow"]
        check_size(int(high[0]) - int(low[0]) + 1, int(high[1]) - int(low[1]) + 1)
    stream.seek(0)
    with OpenEXR.File(stream) as file:
        channels = {key: channel.pixels for key, channel in file.channels().items()}
    color = next((channels[key] for key in ("RGBA", "RGB", "Y") if key in channels), None)
    if color is None:
        found = ", ".join(sorted(channels)) or "none"
        raise InputError(f"{name}: has no channels R, G, B or Y (it has {found})", hint="export a flat RGB picture")
    if color.ndim == 2:
        color = np.stack([color, channels["A"]], axis=2) if "A" in channels else color[..., None]
    xmp = header.get("xmp")
    return Samples(
        color, "exr", 1.0, depth=32, premultiplied=True, linear=True, xmp=xmp.encode() if isinstance(xmp, str) else None
    )
