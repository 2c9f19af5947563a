"""TIFF through tifffile: any integer or float depth, either byte order, BigTIFF, tiles, one page of many."""

from __future__ import annotations

import io
from math import prod
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
import numpy.typing as npt

from tita_cli.errors import InputError, parsing
from tita_cli.images.formats import camera_raw
from tita_cli.images.formats.format import ALL_METADATA, Format, Page, Request, begins, numbered
from tita_cli.images.formats.tiff_exif import add_folders, camera_tags, read_tiff_exif
from tita_cli.images.formats.tiff_segments import check_segments
from tita_cli.images.geo import GeoTags, read_geo
from tita_cli.images.picture import Metadata
from tita_cli.images.samples import Samples
from tita_cli.options import Depth

if TYPE_CHECKING:
    import tifffile

# TIFF 6.0: photometric interpretations, with the samples a pixel that are neither alpha nor extra.
_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB, _PALETTE, _SEPARATED, _YCBCR = 0, 1, 2, 3, 5, 6
_CHANNELS = {_WHITE_IS_ZERO: 1, _BLACK_IS_ZERO: 1, _RGB: 3, _PALETTE: 1, _SEPARATED: 4, _YCBCR: 3}
_SERIES = {"C": "channel", "T": "time"}  # axes along which pictures are of other things, or of another moment
_PREMULTIPLIED, _ALPHA = 1, 2  # kinds of extra samples
_MOST_EXTRAS = 4
_ORIENTATION, _XMP, _ICC, _NODATA = 274, 700, 34675, 42113
_PREVIEW, _MASK = 1, 4  # bits of the tag NewSubfileType
# What geographic programs write where they have no value, with a tag that says so or without; the second in floats.
_UNDEFINED, _LOWEST = -9999.0, -3.4e38
_DIGITS = 5e-6  # of a number that is written with six

_STRIP_BYTES = 1 << 18
_CLASSIC_BYTES = 2**32 - 2**25  # what offsets of 32 bits reach, less room for metadata


def _pages(stream: BinaryIO, request: Request) -> tuple[Page, ...]:
    """The pages of a file; previews, masks and those of another size than the first are not to be fused with it."""
    import tifffile

    with tifffile.TiffFile(stream) as file:
        if camera_raw.is_raw(file.pages.first):
            return numbered(1)
        pages, first = [], None
        for number, series in enumerate(_series(file)):
            page = file.pages[number].aspage()
            size = page.imagewidth, page.imagelength
            shown = not page.subfiletype & (_PREVIEW | _MASK)
            first = size if shown and first is None else first
            pages.append(Page(str(number + 1), size=size, fused=shown and size == first, series=series))
        return tuple(pages)


def _series(file: tifffile.TiffFile) -> list[str]:
    """The channel and the time of every page, where OME or ImageJ says that there are several."""
    count = len(file.pages)
    if not (file.is_ome or file.is_imagej):
        return [""] * count
    try:
        with parsing("its layout"):
            layout = file.series[0]
            axes = [(axis, length) for axis, length in zip(layout.axes, layout.shape, strict=True) if axis not in "YXS"]
    except InputError:  # no reason to refuse the pixels
        return [""] * count
    if prod(length for _, length in axes) != count:
        return [""] * count
    places = np.ndindex(*(length for _, length in axes))
    return [
        ", ".join(
            f"{_SERIES[axis]} {index + 1}"
            for index, (axis, length) in zip(place, axes, strict=True)
            if axis in _SERIES and length > 1
        )
        for place in places
    ]


def _decode(stream: BinaryIO, request: Request) -> Samples:
    import tifffile

    with tifffile.TiffFile(stream) as file:
        page = file.pages[request.index].aspage()
        if camera_raw.is_raw(page):
            return camera_raw.decode(stream, request)
        request.check_size(page.imagewidth, page.imagelength)
        if page.is_tiled:
            request.check_size(page.tilewidth, page.tilelength)
        _check_kind(page, request.name)
        check_segments(stream, page, request.name)
        return _decode_page(stream, page, request.name)


def _check_kind(page: tifffile.TiffPage, name: str) -> None:
    channels, extras = _CHANNELS.get(page.photometric, 0), len(page.extrasamples)
    flat = page.axes in ("YX", "YXS", "SYX") and extras <= _MOST_EXTRAS
    known = page.dtype is not None and page.dtype.kind in "biuf"
    if channels and flat and known and page.samplesperpixel == channels + extras:
        return
    kind = getattr(page.photometric, "name", str(page.photometric)).lower()
    raise InputError(
        f"{name}: a TIFF page of kind {kind}, {page.dtype} and axes {page.axes} is no grey or colour picture",
        hint="export it as grey or RGB",
    )


def _decode_page(stream: BinaryIO, page: tifffile.TiffPage, name: str) -> Samples:
    data, channels = _channels_last(page), _CHANNELS[page.photometric]
    if data.ndim != 3 or data.shape[2] < channels:  # a damaged tag can promise axes that the data does not have
        raise ValueError("it has fewer samples than it states")
    black, white, depth = _range(page, data.dtype)
    icc, xmp = _block(page, _ICC), _block(page, _XMP)
    kind = int(page.extrasamples[0]) if page.extrasamples else 0
    has_alpha = kind in (_PREMULTIPLIED, _ALPHA)
    notes: tuple[str, ...] = ()
    if len(page.extrasamples) > has_alpha:
        notes += (f"{name}: samples beyond colour and alpha are ignored",)
    color, alpha = data[..., :channels], data[..., channels : channels + has_alpha]
    missing, found = _missing(page, color, name)
    notes += found
    if page.photometric == _WHITE_IS_ZERO:
        color = ~color if color.dtype == np.bool_ else color.dtype.type(black + white) - color
    elif page.photometric == _PALETTE:
        color, white, depth = _looked_up(page, color)
        alpha = alpha[..., :0]  # an index beside an alpha: no program writes that
    elif page.photometric == _SEPARATED:
        from tita_cli.images.profile import cmyk_to_rgb

        alpha = alpha.astype(np.uint16) * (65535 // int(white))
        color, faithful = cmyk_to_rgb(color, icc)
        white, icc = 65535.0, None
        if not faithful:
            notes += (f"{name}: is CMYK without a usable profile, its colours are approximate",)
    geo, geo_notes = _geo(page, name)
    notes += geo_notes
    return Samples(
        np.concatenate([color, alpha], axis=2) if has_alpha else color, white, black, depth,
        missing=missing, premultiplied=kind == _PREMULTIPLIED, orientation=_orientation(page),
        exif=read_tiff_exif(stream, page), icc=icc, xmp=xmp, geo=geo, notes=notes,
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
        limits = np.iinfo(kind)  # float32 tells neighbours of more than 16 bits apart near 0 only
        return float(limits.min) if depth < 32 else 0.0, float(limits.max), depth
    return 0.0, float(2**bits - 1), depth


def _missing(
    page: tifffile.TiffPage, color: npt.NDArray[Any], name: str
) -> tuple[npt.NDArray[np.bool_] | None, tuple[str, ...]]:
    """Where the page states to have no value, H×W, and a note on it; None where it has values everywhere."""
    tag = page.tags.get(_NODATA)
    try:
        stated = [] if tag is None else [float(tag.value)]
    except (TypeError, ValueError):
        stated = []
    if not stated and color.dtype.kind in "if":
        stated = [_UNDEFINED]
    found = [(value, _equal(color, value)) for value in stated]
    if color.dtype.kind == "f" and color.dtype.itemsize > 2:  # half floats do not go that far
        found.append((_LOWEST, (color <= _LOWEST) & np.isfinite(color)))
    places = {value: where for value, where in ((value, same.all(axis=2)) for value, same in found) if where.any()}
    if not places:
        return None, ()
    missing = np.logical_or.reduce(list(places.values()))
    value = next(iter(places))
    return missing, (f"{name}: {value:g} means no value, it counts as transparent",)


def _equal(color: npt.NDArray[Any], value: float) -> npt.NDArray[np.bool_]:
    """Where samples are ``value``; floats that are it to the digits that programs write into the tag."""
    if color.dtype.kind != "f" or not np.isfinite(value):
        return np.asarray(color == value)
    bound = float(np.finfo(color.dtype).max)
    value = min(max(value, -bound), bound)
    with np.errstate(over="ignore", invalid="ignore"):
        return np.asarray(np.abs(color - color.dtype.type(value)) <= _DIGITS * abs(value))


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


def _orientation(page: tifffile.TiffPage) -> int:
    tag = page.tags.get(_ORIENTATION)
    return int(tag.value) if tag is not None and isinstance(tag.value, int) else 1


def _geo(page: tifffile.TiffPage, name: str) -> tuple[GeoTags | None, tuple[str, ...]]:
    """Where the page lies on the map, and a note where that cannot be kept."""
    geo, damaged = read_geo(page.tags)
    if damaged:
        return None, (f"{name}: its GeoTIFF tags are damaged, they are left out",)
    if geo is not None and _orientation(page) != 1:
        return None, (f"{name}: its GeoTIFF tags are left out, for it is turned upright",)
    return geo, ()


def _block(page: tifffile.TiffPage, code: int) -> bytes | None:
    """A tag that should hold bytes; None where there is none, or one of another type."""
    tag = page.tags.get(code)
    return tag.value if tag is not None and isinstance(tag.value, bytes) else None


def _encode(samples: npt.NDArray[Any], metadata: Metadata, quality: int | None, stream: BinaryIO) -> list[str]:
    """8 and 16-bit integers and 32-bit float, deflated, without loss."""
    # Folders are added and tags patched behind the writer's back, so a pipe gets the finished file.
    if not (stream.seekable() and stream.readable()):
        file = io.BytesIO()
        notes = _write(samples, metadata, file)
        stream.write(file.getbuffer())
        return notes
    return _write(samples, metadata, stream)


def _write(samples: npt.NDArray[Any], metadata: Metadata, stream: BinaryIO) -> list[str]:
    import tifffile

    height, _, channels = samples.shape
    exif, notes = camera_tags(metadata.exif)
    tags = [*exif.tags, *(metadata.geo.as_tags() if metadata.geo else ())]
    if metadata.xmp:
        tags.append((_XMP, "B", len(metadata.xmp), metadata.xmp, True))
    if metadata.geo and channels in (2, 4) and samples.dtype.kind == "f":
        # GDAL takes alpha of 8 and 16 bits as a mask, but not of floats: those say by NaN where there is no value.
        tags.append((_NODATA, "s", 0, "nan", True))
        samples = samples.copy()
        samples[samples[..., -1] == 0, :-1] = np.nan
    with tifffile.TiffWriter(stream, byteorder="<", bigtiff=samples.nbytes > _CLASSIC_BYTES) as file:
        file.write(
            samples if channels > 1 else samples[..., 0],
            photometric="rgb" if channels > 2 else "minisblack",
            planarconfig="contig" if channels > 1 else None,
            extrasamples=["unassalpha"] if channels in (2, 4) else None,
            compression="adobe_deflate",
            predictor=True,
            rowsperstrip=max(1, min(height, _STRIP_BYTES // samples[:1].nbytes)),
            iccprofile=metadata.icc,
            extratags=tags,
            software=False,
            metadata=None,
        )
    if metadata.exif and not notes:
        add_folders(exif.folders, stream)
    return notes


FORMAT = Format(
    name="tiff",
    title="TIFF",
    suffixes=(".tif", ".tiff"),
    sniff=begins(b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"),
    decode=_decode,
    samples="1 to 32-bit integers, 16 to 64-bit float; grey (either polarity), RGB, YCbCr, palette, CMYK, alpha of "
    "both kinds; strips, tiles, planes, either byte order, BigTIFF",
    pages=_pages,
    encode=_encode,
    depths=(8, 16, 32),
    metadata=ALL_METADATA | {"geo"},
)
