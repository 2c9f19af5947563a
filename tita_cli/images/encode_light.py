"""Encoding what Pillow has not or reduces to 8 bits: PNM, PFM, and the linear Radiance HDR and OpenEXR."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import numpy.typing as npt

from tita_cli.errors import OutputError
from tita_cli.images.picture import Metadata
from tita_cli.images.transfer import decode_srgb


def check_exr_library(name: str) -> None:
    """Find out whether OpenEXR can be written.

    :raises OutputError: its library is not installed.
    """
    from importlib.util import find_spec

    if find_spec("OpenEXR") is None:
        raise OutputError(
            f"{name}: the library for OpenEXR is not here", hint="pip install OpenEXR, or write .hdr or .tif"
        )


def encode_map(samples: npt.NDArray[Any], extension: str) -> bytes:
    """H×W×1 or H×W×3 samples as a portable map: ``.pgm`` and ``.ppm`` take integers, ``.pfm`` float32."""
    import cv2

    _, encoded = cv2.imencode(extension, samples[..., ::-1])  # OpenCV's order is B, G, R
    return encoded.tobytes()


def encode_radiance(samples: npt.NDArray[np.float32]) -> bytes:
    """H×W×3 display values as Radiance HDR: linear light, 8 bits of mantissa with a shared exponent."""
    import imagecodecs

    return bytes(imagecodecs.rgbe_encode(np.maximum(decode_srgb(samples), 0)))


def encode_exr(samples: npt.NDArray[np.float32], metadata: Metadata) -> bytes:
    """H×W×C display values (C = 1..4, alpha last for 2 and 4) as OpenEXR: linear light, 32-bit float, zip."""
    import OpenEXR

    channels = samples.shape[2]
    light = decode_srgb(samples)
    if channels in (2, 4):
        light[..., -1] = samples[..., -1]
        light[..., :-1] *= light[..., -1:]  # OpenEXR's colour is premultiplied
    planes = {f"RGB{'A' * (channels == 4)}": light} if channels > 2 else {"Y": np.ascontiguousarray(light[..., 0])}
    if channels == 2:
        planes["A"] = np.ascontiguousarray(light[..., 1])
    header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}
    if metadata.xmp:
        header["xmp"] = metadata.xmp.decode(errors="replace")
    buffer = io.BytesIO()
    with OpenEXR.File(header, planes) as file:
        file.write(buffer)
    return buffer.getvalue()
