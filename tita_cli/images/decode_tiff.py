"""Decoding TIFF through tifffile: any integer or float depth, either byte order, BigTIFF, tiles, one page of many."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
import tifffile
from tifffile import EXTRASAMPLE, PHOTOMETRIC

from tita_cli.errors import InputError
from tita_cli.images.picture import Depth
from tita_cli.images.profile import cmyk_to_rgb, profile_space
from tita_cli.images.samples import Samples
from tita_cli.images.tiff_exif import read_tiff_exif

# Samples a pixel, alpha apart, by what they mean.
_CHANNELS = {
    PHOTOMETRIC.MINISBLACK: 1,
    PHOTOMETRIC.MINISWHITE: 1,
    PHOTOMETRIC.PALETTE: 1,
    PHOTOMETRIC.RGB: 3,
    PHOTOMETRIC.YCBCR: 3,
    PHOTOMETRIC.SEPARATED: 4,
}
_MOST_EXTRAS = 4
_ORIENTATION, _XMP, _ICC = 274, 700, 34675


def decode_tiff(stream: BinaryIO, name: str, page: int | None, check_size: Callable[[int, int], None]) -> Samples:
    """Decode page ``page`` (from 0; None: the first, with a note where there are more).

    ``check_size(width, height)`` is called before anything is decoded.

    :raises InputError: no such page, or samples of a kind that is no picture.
    """
    with tifffile.TiffFile(stream) as file:
        count = len(file.pages)
        if page is not None and page >= count:
            raise InputError(
                f"{name}: has {count} page{'s' * (count > 1)}, not page {page}", hint="--page counts from 0"
            )
        chosen = file.pages[page or 0].aspage()
        check_size(chosen.imagewidth, chosen.imagelength)
        if chosen.is_tiled:
            check_size(chosen.tilewidth, chosen.tilelength)
        samples = replace(_decode_page(chosen, name), exif=read_tiff_exif(stream, chosen), xmp=_tag(chosen, _XMP))
        if page is None and count > 1:
            note = f"{name}: has {count} pages, page 0 is read (--page chooses another)"
            samples = replace(samples, notes=(*samples.notes, note))
        return samples


def _decode_page(page: tifffile.TiffPage, name: str) -> Samples:
    photometric, extras = page.photometric, page.extrasamples
    channels = _CHANNELS.get(photometric, 0)
    flat = page.axes in ("YX", "YXS", "SYX") and len(extras) <= _MOST_EXTRAS
    if not flat or page.samplesperpixel != channels + len(extras):
        kind = getattr(photometric, "name", str(photometric)).lower()
        raise InputError(
            f"{name}: a TIFF page of kind {kind} and axes {page.axes} is no grey or colour picture",
            hint="develop the raw file first" if kind == "cfa" else "export it as grey or RGB",
        )
    data = _channels_last(page)
    if data.ndim != 3 or data.shape[2] < channels:  # a damaged tag can promise axes that the data does not have
        raise InputError(f"{name}: cannot be decoded, it is damaged or truncated")
    black, white, depth = _range(page, data.dtype)
    icc, notes = _tag(page, _ICC), []
    has_alpha = bool(extras) and extras[0] in (EXTRASAMPLE.ASSOCALPHA, EXTRASAMPLE.UNASSALPHA)
    if len(extras) > has_alpha:
        notes.append(f"{name}: samples beyond colour and alpha are ignored")
    color, alpha = data[..., :channels], data[..., channels : channels + has_alpha]
    if photometric == PHOTOMETRIC.MINISWHITE:
        color = color.dtype.type(black + white) - color
    elif photometric == PHOTOMETRIC.PALETTE:
        color, white, depth = _looked_up(page, color)
        alpha = alpha[..., :0]  # an index beside an alpha: no program writes that
    elif photometric == PHOTOMETRIC.SEPARATED:
        if profile_space(icc) != "CMYK":
            notes.append(f"{name}: is CMYK without a profile, its colours are approximate")
        alpha = alpha.astype(np.uint16) * (65535 // int(white))
        color, white, icc = cmyk_to_rgb(color, icc), 65535.0, None
    return Samples(
        np.concatenate([color, alpha], axis=2) if has_alpha else color, "tiff", white, black, depth,
        premultiplied=has_alpha and extras[0] == EXTRASAMPLE.ASSOCALPHA,
        orientation=_tag(page, _ORIENTATION) or 1, icc=icc, notes=tuple(notes),
    )  # fmt: skip


def _channels_last(page: tifffile.TiffPage) -> npt.NDArray[Any]:
    """The page's samples as H×W×C."""
    data: npt.NDArray[Any] = page.asarray()
    if page.axes == "SYX":
        return np.moveaxis(data, 0, -1)
    return data if data.ndim == 3 else data[..., None]


def _range(page: tifffile.TiffPage, kind: np.dtype[Any]) -> tuple[float, float, Depth]:
    """The samples that mean 0 and 1, and the depth as we count it."""
    if kind.kind == "f":
        return 0.0, 1.0, 32
    bits = int(page.bitspersample)
    depth: Depth = 8 if bits <= 8 else 16 if bits <= 16 else 32
    if kind.kind == "i":
        limits = np.iinfo(kind)
        return float(limits.min), float(limits.max), depth
    return 0.0, float(2**bits - 1), depth


def _looked_up(page: tifffile.TiffPage, indices: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], float, Depth]:
    """The colours of the page's own table, grey where all of them are, with their white and depth."""
    table = np.asarray(page.colormap)
    if (table == table[:1]).all():
        table = table[:1]
    # The table has 16 bits; nearly all of them hold 8-bit colours, repeated or shifted.
    repeated, shifted = not (table % 257).any(), not (table % 256).any()
    if repeated or shifted:
        table = (table // (257 if repeated else 256)).astype(np.uint8)
    colors = np.moveaxis(table[:, indices[..., 0]], 0, -1)
    return (colors, 255.0, 8) if repeated or shifted else (colors, 65535.0, 16)


def _tag(page: tifffile.TiffPage, code: int) -> Any:
    tag = page.tags.get(code)
    return None if tag is None else tag.value
