"""Decoding through Pillow: JPEG, PNG, WebP, BMP, PNM, GIF, AVIF, and HEIC where its plug-in is installed."""

from __future__ import annotations

import threading
from importlib.util import find_spec
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
from PIL import Image, WebPImagePlugin, features  # noqa: F401  WebP registers itself when it is imported
from PIL.ImageFile import ImageFile

from tita_cli.images.samples import Samples

_FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "DIB", "PPM", "GIF")
_ORIENTATION = 0x0112
_opening = threading.Lock()


def open_raster(stream: BinaryIO) -> ImageFile:
    """Read the header only. The caller checks the size before :func:`decode_raster`.

    :raises PIL.UnidentifiedImageError: no format of ours.
    """
    formats = list(_FORMATS)
    if features.check("avif"):
        from PIL import AvifImagePlugin  # noqa: F401  registers itself

        formats.append("AVIF")
    if find_spec("pillow_heif") is not None:
        import pillow_heif

        pillow_heif.register_heif_opener()
        formats.append("HEIF")
    with _opening:
        # Pillow's own bound is a global of the process, lower than ours, and would warn on stderr.
        bound, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            return Image.open(stream, formats=formats)
        finally:
            Image.MAX_IMAGE_PIXELS = bound


def decode_raster(image: ImageFile, stream: BinaryIO) -> Samples:
    """Decode what :func:`open_raster` opened from ``stream``, in the depth that it has."""
    data, white = _deep_samples(image, stream) or (_flat_samples(image), 255.0)
    orientation = int(image.getexif().get(_ORIENTATION, 1))
    info = image.info
    return Samples(
        data if data.ndim == 3 else data[..., None], white, depth=16 if white > 255 else 8, orientation=orientation,
        exif=info.get("exif"), icc=info.get("icc_profile"), xmp=info.get("xmp"),
    )  # fmt: skip


def _deep_samples(image: ImageFile, stream: BinaryIO) -> tuple[npt.NDArray[Any], float] | None:
    """Samples of more than 8 bits and their white, through a library that keeps them; None for all other images."""
    layout = image.tile[0].args if image.tile else None
    if image.format == "PNG" and str(layout).endswith(";16B"):
        import imagecodecs

        return imagecodecs.png_decode(_content(stream)), 65535.0
    if image.format == "PPM" and image.mode == "RGB" and isinstance(layout, tuple) and layout[1] > 255:
        import cv2

        bgr: npt.NDArray[Any] | None = cv2.imdecode(np.frombuffer(_content(stream), np.uint8), cv2.IMREAD_UNCHANGED)
        if bgr is None:
            raise ValueError("its samples are cut short")
        return bgr[..., ::-1], float(layout[1])
    if image.mode.startswith("I"):  # grey PNM: Pillow has stretched it to 16 bits
        return np.asarray(image), 65535.0
    return None


def _content(stream: BinaryIO) -> bytes:
    stream.seek(0)
    return stream.read()


def _flat_samples(image: Image.Image) -> npt.NDArray[Any]:
    """The image as 8-bit grey or colour, with alpha where it has any."""
    return np.asarray(image.convert(_plain_mode(image)))


def _plain_mode(image: Image.Image) -> str:
    """The mode of "L", "LA", "RGB" and "RGBA" that holds what ``image`` holds."""
    transparent = image.has_transparency_data
    if image.mode in ("1", "L", "LA", "La") or (image.mode in ("P", "PA") and _has_grey_palette(image)):
        return "LA" if transparent else "L"
    return "RGBA" if transparent else "RGB"


def _has_grey_palette(image: Image.Image) -> bool:
    palette = np.asarray(image.getpalette("RGB")).reshape(-1, 3)
    return bool((palette == palette[:, :1]).all())
