"""Decoding TIFF through tifffile: any integer or float depth, either byte order, BigTIFF, tiles, one page of many."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
import tifffile

from tita_cli.errors import InputError
from tita_cli.images.picture import Depth
from tita_cli.images.samples import Samples

_GREY = (tifffile.PHOTOMETRIC.MINISBLACK, tifffile.PHOTOMETRIC.MINISWHITE)
_COLOR = (tifffile.PHOTOMETRIC.RGB, tifffile.PHOTOMETRIC.YCBCR)
_ALPHA = (tifffile.EXTRASAMPLE.ASSOCALPHA, tifffile.EXTRASAMPLE.UNASSALPHA)


def decode_tiff(stream: BinaryIO, name: str, page: int | None, check_size: Callable[[int, int], None]) -> Samples:
    """Decode page ``page`` (from 0; None: the first, with a note where there are more).

    ``check_size(width, height)`` is called before anything is decoded.

    :raises InputError: no such page, or samples of a kind that is no picture.
    """
    with tifffile.TiffFile(stream) as file:
        if page is not None and page >= len(file.pages):
            raise InputError(f"{name}: has {len(file.pages)} pages, not page {page}", hint="--page counts from 0")
        chosen = file.pages[page or 0].aspage()
        check_size(chosen.imagewidth, chosen.imagelength)
        notes: tuple[str, ...] = ()
        if page is None and len(file.pages) > 1:
            notes = (f"{name}: has {len(file.pages)} pages, page 0 is read (--page chooses another)",)
        return _decode_page(chosen, name, notes)


def _decode_page(page: tifffile.TiffPage, name: str, notes: tuple[str, ...]) -> Samples:
    data = _channels_last(page, name)
    black, white, depth = _range(page, data.dtype)
    extras = page.extrasamples
    colors = data.shape[2] - len(extras)
    premultiplied = False
    if page.photometric == tifffile.PHOTOMETRIC.PALETTE:
        data, white, depth = _looked_up(page, data), 65535.0, 16
    elif not (page.photometric in _GREY and colors == 1) and not (page.photometric in _COLOR and colors == 3):
        kind = getattr(page.photometric, "name", str(page.photometric)).lower()
        raise InputError(
            f"{name}: a TIFF page of kind {kind} with {data.shape[2]} samples a pixel is no grey or colour picture",
            hint="develop the raw file first" if kind == "cfa" else "export it as grey or RGB",
        )
    elif extras:
        with_alpha = extras[0] in _ALPHA
        data = data[..., : colors + with_alpha]
        premultiplied = extras[0] == tifffile.EXTRASAMPLE.ASSOCALPHA
        if not with_alpha or len(extras) > 1:
            notes += (f"{name}: samples beyond colour and alpha are ignored",)
    if page.photometric == tifffile.PHOTOMETRIC.MINISWHITE:
        black, white = white, black
    return Samples(
        data, white, black, depth, premultiplied=premultiplied,
        orientation=_tag(page, 274) or 1, icc=_tag(page, 34675), xmp=_tag(page, 700), notes=notes,
    )  # fmt: skip


def _channels_last(page: tifffile.TiffPage, name: str) -> npt.NDArray[Any]:
    """The page's samples as H×W×C."""
    if page.axes not in ("YX", "YXS", "SYX"):
        raise InputError(f"{name}: a TIFF volume ({page.axes}) is no picture", hint="export one plane of it")
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


def _looked_up(page: tifffile.TiffPage, data: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Palette indices as the 16-bit colours of the page's own table, grey where all of them are."""
    table = np.asarray(page.colormap)
    if (table == table[:1]).all():
        table = table[:1]
    return np.moveaxis(table[:, data[..., 0]], 0, -1)


def _tag(page: tifffile.TiffPage, code: int) -> Any:
    tag = page.tags.get(code)
    return None if tag is None else tag.value
