"""Writing: a :class:`Picture` into a file, rounded once, complete or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from tita_cli.errors import OutputError
from tita_cli.images.atomic import atomic_output, check_writable
from tita_cli.images.formats import Format, choose_depth, choose_format
from tita_cli.images.metadata import sized_exif
from tita_cli.images.picture import Metadata, Picture
from tita_cli.images.profile import profile_space
from tita_cli.images.provenance import add_provenance
from tita_cli.images.quantize import quantize
from tita_cli.options import Depth, Writing

_WITH_QUALITY = ("jpeg", "avif", "webp")


@dataclass(frozen=True, slots=True)
class Written:
    """What became of a picture: where, as which format, with how many bits a sample, and what it could not keep."""

    name: str
    format: str
    depth: Depth
    notes: tuple[str, ...]


def check_output(
    target: str | os.PathLike[str] | None,
    *,
    format: str | None = None,
    depth: Depth | None = None,
    overwrite: bool = False,
    sources: Iterable[object] = (),
) -> None:
    """Refuse before any work what :func:`write_picture` would refuse after it; None is a stream.

    :raises UsageError: it is one of ``sources``, which are never replaced.
    :raises OutputError: as :func:`write_picture`, as far as that can be known without a picture.
    """
    name = "<stdout>" if target is None else os.fspath(target)
    entry = choose_format(target, format)
    choose_depth(entry, depth or 8, demanded=depth is not None, name=name)
    entry.require_library(name, OutputError)
    if target is not None:
        check_writable(target, overwrite, sources=sources)


def write_picture(
    picture: Picture,
    target: str | os.PathLike[str] | BinaryIO,
    *,
    format: str | None = None,
    depth: Depth | None = None,
    quality: int | None = None,
    overwrite: bool = False,
) -> Written:
    """Write ``picture`` to a file or a binary stream; the same picture gives the same bytes.

    ``format``: by the suffix where None, PNG for a stream. ``depth``: the picture's own where None, or the nearest
    that the format has. ``quality``: 1..100 for JPEG (95) and AVIF (90), and makes WebP lossy. Values outside 0..1 are
    clipped, except by float formats. What the format cannot hold is left out and named in the result's ``notes``.

    :raises OutputError: an unknown format, a ``depth`` that it does not have, a picture larger than it allows, or a
        file that cannot be written.
    :raises OptionError: a ``quality`` that is none.
    """
    Writing(quality=quality)  # checks it
    path = target if isinstance(target, (str, os.PathLike)) else None
    name = "<stdout>" if path is None else os.fspath(path)
    entry = choose_format(path, format)
    used = choose_depth(entry, depth or picture.depth, demanded=depth is not None, name=name)
    entry.require_library(name, OutputError)
    notes, picture = _losses(picture, entry, used), picture.with_depth(used)
    if max(picture.width, picture.height) > entry.max_side:
        raise OutputError(f"{name}: {picture.size} is more than {entry.title} holds, {entry.max_side} pixels a side")
    encode = entry.encode
    if quality is not None and entry.name not in _WITH_QUALITY:
        notes.append(f"{entry.title} has no quality to choose, `quality` changes nothing")
    if encode is None:
        raise OutputError(f"{name}: tita does not write {entry.title}")
    if isinstance(target, (str, os.PathLike)):
        with atomic_output(target, overwrite=overwrite) as file:
            notes += encode(*_fitted(picture, entry, used), quality, file)
    else:
        notes += encode(*_fitted(picture, entry, used), quality, target)
    return Written(name, entry.name, used, tuple(f"{name}: {note}" for note in notes))


def _losses(picture: Picture, entry: Format, used: Depth) -> list[str]:
    """One line for everything of the picture that the format cannot hold."""
    notes = []
    if used < picture.depth:
        notes.append(f"{entry.title} holds {used} bits a sample, the picture has {picture.depth}")
    if picture.shown is not None and used < 32:
        low, high = picture.shown
        notes.append(f"{entry.title} holds no values beyond 0 to 1, {low:g} to {high:g} become black to white")
    if picture.alpha is not None and not entry.alpha and (picture.alpha < 1).any():
        notes.append(f"{entry.title} holds no transparency, the picture is laid over black")
    metadata = picture.metadata
    blocks: list[tuple[str, str, object]] = [
        ("exif", "EXIF", metadata.exif),
        ("icc", "ICC profile", metadata.icc),
        ("geo", "place on the map (GeoTIFF)", metadata.geo),
        ("xmp", "XMP" if metadata.xmp else "provenance", metadata.xmp or metadata.provenance),
    ]
    lost = [title for kind, title, block in blocks if block and kind not in entry.metadata]
    if lost:
        notes.append(f"{entry.title} holds no {', '.join(lost)}: left out")
    return notes


def _fitted(picture: Picture, entry: Format, depth: Depth) -> tuple[npt.NDArray[Any], Metadata]:
    """What ``entry`` holds of ``picture``: its samples, and blocks that are true of them."""
    own, held = picture.metadata, entry.metadata
    xmp = add_provenance(own.xmp, own.provenance) if own.provenance else own.xmp
    exif = sized_exif(own.exif, picture.width, picture.height) if own.exif else None
    space = "RGB" if picture.is_color or not entry.grey else "GRAY"
    return _samples(picture, entry, depth), Metadata(
        exif=exif if "exif" in held else None,
        # A profile for other samples than these would be refused by readers, or worse, be believed.
        icc=own.icc if "icc" in held and own.icc and profile_space(own.icc) == space else None,
        xmp=xmp if "xmp" in held else None,
        geo=own.geo if "geo" in held else None,
    )


def _samples(picture: Picture, entry: Format, depth: Depth) -> npt.NDArray[Any]:
    """H×W×C samples of ``depth`` as ``entry`` takes them, alpha last."""
    color = quantize(picture.pixels, depth)
    if picture.alpha is not None and not entry.alpha:
        color = quantize(picture.pixels * picture.alpha[..., None], depth)
    if not entry.grey and not picture.is_color:
        color = np.repeat(color, 3, axis=2)
    if picture.alpha is None or not entry.alpha:
        return color
    return np.concatenate([color, quantize(picture.alpha[..., None], depth)], axis=2)
