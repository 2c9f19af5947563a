"""Decoding through Pillow: JPEG, PNG, WebP, BMP, PNM, GIF, AVIF, and HEIC where its plug-in is installed."""

from __future__ import annotations

import threading
from importlib.util import find_spec
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
from PIL import AvifImagePlugin, Image, WebPImagePlugin  # noqa: F401  plug-ins register on import
from PIL.ImageFile import ImageFile

from tita_cli.images.profile import cmyk_to_rgb, profile_space
from tita_cli.images.samples import Samples

# Pillow's names and ours. No format that starts another program (EPS) or that only Windows wrote.
_FORMATS = {
    "JPEG": "jpeg", "MPO": "jpeg", "PNG": "png", "WEBP": "webp", "BMP": "bmp", "DIB": "bmp", "PPM": "pnm",
    "GIF": "gif", "AVIF": "avif", "HEIF": "heic",
}  # fmt: skip
_ORIENTATION = 0x0112
_opening = threading.Lock()


def open_raster(stream: BinaryIO) -> ImageFile:
    """Read the header only. The caller checks the size before :func:`decode_raster`.

    :raises PIL.UnidentifiedImageError: no format of ours.
    """
    if find_spec("pillow_heif") is not None:
        import pillow_heif

        pillow_heif.register_heif_opener()
    with _opening:
        # Pillow's own bound is a global of the process, lower than ours, and would warn on stderr.
        bound, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            Image.preinit()
            return Image.open(stream, formats=[name for name in _FORMATS if name in Image.OPEN])
        finally:
            Image.MAX_IMAGE_PIXELS = bound


def decode_raster(image: ImageFile, stream: BinaryIO, name: str) -> Samples:
    """Decode what :func:`open_raster` opened from ``stream``, in the depth that it has."""
    info, notes = image.info, []
    icc = info.get("icc_profile")
    if image.mode == "CMYK":
        if profile_space(icc) != "CMYK":
            notes.append(f"{name}: is CMYK without a profile, its colours are approximate")
        data, white, deep, icc = cmyk_to_rgb(np.asarray(image), icc), 65535.0, False, None
    else:
        samples = _deep_samples(image, stream)
        deep = samples is not None
        data, white = samples or (np.asarray(image.convert(_plain_mode(image))), 255.0)
    return Samples(
        data if data.ndim == 3 else data[..., None], _FORMATS[str(image.format)], white, depth=16 if deep else 8,
        orientation=int(image.getexif().get(_ORIENTATION, 1)),
        exif=info.get("exif"), icc=icc, xmp=info.get("xmp"), notes=tuple(notes),
    )  # fmt: skip


def _deep_samples(image: ImageFile, stream: BinaryIO) -> tuple[npt.NDArray[Any], float] | None:
    """Samples of more than 8 bits and their white, through a library that keeps them; None for all other images."""
    layout = image.tile[0].args if image.tile else None
    if image.format == "PNG" and str(layout).endswith(";16B"):
        import imagecodecs

        return imagecodecs.png_decode(_content(stream)), 65535.0
    if image.format == "PPM" and (image.mode == "I" or (isinstance(layout, tuple) and layout[1] > 255)):
        import cv2

        data: npt.NDArray[Any] | None = cv2.imdecode(np.frombuffer(_content(stream), np.uint8), cv2.IMREAD_UNCHANGED)
        if data is None:
            raise ValueError("its samples are cut short")
        white = float(layout[1]) if isinstance(layout, tuple) else 65535.0
        return data if data.ndim == 2 else data[..., ::-1], white
    return None


def _content(stream: BinaryIO) -> bytes:
    stream.seek(0)
    return stream.read()


def _plain_mode(image: Image.Image) -> str:
    """The mode of "L", "LA", "RGB" and "RGBA" that holds what ``image`` holds."""
    transparent = image.has_transparency_data
    if image.mode in ("1", "L", "LA", "La") or (image.mode in ("P", "PA") and _has_grey_palette(image)):
        return "LA" if transparent else "L"
    return "RGBA" if transparent else "RGB"


def _has_grey_palette(image: Image.Image) -> bool:
    palette = np.asarray(image.getpalette("RGB")).reshape(-1, 3)
    return bool((palette == palette[:, :1]).all())
