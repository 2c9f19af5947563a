"""OpenEXR: scene-linear float with premultiplied alpha, through the library of the format's own makers."""

from __future__ import annotations

import io
import re
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from tita_cli.errors import InputError
from tita_cli.images.chatter import without_lines
from tita_cli.images.formats.format import Format, Library, Request, begins
from tita_cli.images.picture import Metadata
from tita_cli.images.samples import Samples
from tita_cli.images.transfer import decode_srgb

_ITS_OWN = re.compile(r".*\(EXR_ERR_|Warning: Exception raised reading pixel data")
"""What the library prints about damaged files, beside raising an exception."""


def _decode(stream: BinaryIO, request: Request) -> Samples:
    """The first part's RGB, RGBA, or Y channel."""
    with without_lines(_ITS_OWN):
        return _read(stream, request)


def _read(stream: BinaryIO, request: Request) -> Samples:
    import OpenEXR

    with OpenEXR.File(stream, header_only=True) as file:
        header = file.header()
        for part in file.parts:  # the library decodes all of them, with all of their channels
            _check_part(part.header, request)
    stream.seek(0)
    with OpenEXR.File(stream) as file:
        channels = {key: channel.pixels for key, channel in file.channels().items()}
    color = next((channels[key] for key in ("RGBA", "RGB", "Y") if key in channels), None)
    if color is None:
        found = ", ".join(sorted(channels)) or "none"
        raise InputError(f"{request.name}: has no channels R, G, B or Y (it has {found})", hint="export a flat picture")
    if color.ndim == 2:
        color = np.stack([color, channels["A"]], axis=2) if "A" in channels else color[..., None]
    xmp = header.get("xmp")
    xmp = xmp.encode() if isinstance(xmp, str) else None
    return Samples(color, 1.0, depth=32, premultiplied=True, linear=True, xmp=xmp)


def _check_part(header: dict[str, Any], request: Request) -> None:
    low, high = header["dataWindow"]
    layers = -(-len(header.get("channels", ())) // 4)
    request.check_size(int(high[0]) - int(low[0]) + 1, int(high[1]) - int(low[1]) + 1, max(1, layers))


def _encode(samples: npt.NDArray[Any], metadata: Metadata, quality: int | None, stream: BinaryIO) -> list[str]:
    """32-bit float, zip."""
    import OpenEXR

    channels = samples.shape[2]
    light = decode_srgb(samples)
    if channels in (2, 4):
        light[..., -1] = samples[..., -1]
        light[..., :-1] *= light[..., -1:]
    planes = {f"RGB{'A' * (channels == 4)}": light} if channels > 2 else {"Y": np.ascontiguousarray(light[..., 0])}
    if channels == 2:
        planes["A"] = np.ascontiguousarray(light[..., 1])
    header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}
    if metadata.xmp:
        header["xmp"] = metadata.xmp.decode(errors="replace")
    buffer = io.BytesIO()
    with OpenEXR.File(header, planes) as file:
        file.write(buffer)
    stream.write(buffer.getvalue())
    return []


FORMAT = Format(
    name="exr",
    title="OpenEXR",
    suffixes=(".exr",),
    sniff=begins(b"\x76\x2f\x31\x01"),
    library=Library("OpenEXR", package="OpenEXR"),
    decode=_decode,
    samples="float; grey, RGB, alpha, linear light",
    encode=_encode,
    depths=(32,),
    metadata=frozenset({"xmp"}),
)
