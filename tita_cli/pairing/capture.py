"""What a camera records about an image: when it was taken, with which camera, at which exposure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Any, BinaryIO

from tita_cli.errors import InputError, parsing
from tita_cli.files import is_address, open_input
from tita_cli.pairing.plan import Leftover
from tita_cli.pairing.scan import ImageFile

# Tag numbers of Exif 2.32 (CIPA DC-008), and of the pointer to its own block.
EXIF_BLOCK = 0x8769
MAKE, MODEL, SERIAL = 0x010F, 0x0110, 0xA431
TAKEN, TAKEN_FRACTION = 0x9003, 0x9291
EXPOSURE_TIME, F_NUMBER, SENSITIVITY, BIAS = 0x829A, 0x829D, 0x8827, 0x9204


@dataclass(frozen=True, slots=True)
class Capture:
    """One image file with its capture data.

    ``seconds``: start of the exposure, seconds since 1970 by the camera's clock. ``duration``: of the exposure, in
    seconds, 0 if unknown. ``stops``: the exposure in stops, log2 of exposure time × sensitivity / f-number²; the
    exposure bias where these are not recorded; None if neither is.
    """

    image: ImageFile
    camera: tuple[str, ...]
    seconds: float
    duration: float
    stops: float | None


@dataclass(frozen=True, slots=True)
class Captures:
    """The captures of a folder, and the images without capture data."""

    items: tuple[Capture, ...]
    leftovers: tuple[Leftover, ...]


def read_captures(images: Iterable[ImageFile]) -> Captures:
    """The capture data of all ``images``; an image without any is left over."""
    items: list[Capture] = []
    leftovers: list[Leftover] = []
    for image, capture in _read_all(list(images)):
        if isinstance(capture, Capture):
            items.append(capture)
        else:
            leftovers.append(Leftover(image.path, capture))
    return Captures(tuple(items), tuple(leftovers))


def _read_all(images: list[ImageFile]) -> Iterator[tuple[ImageFile, Capture | str]]:
    """Each of ``images`` with its capture data, or the reason; those at addresses are asked for in parallel."""
    if not any(is_address(image.path) for image in images):
        yield from ((image, read_capture(image)) for image in images)
        return
    from tita_cli.files.remote import FETCHERS

    with ThreadPoolExecutor(FETCHERS, "tita-capture") as pool:
        yield from zip(images, pool.map(read_capture, images), strict=True)


def read_capture(image: ImageFile) -> Capture | str:
    """The capture data of ``image``, or the reason why there is none."""
    from tita_cli.images.formats.pillow import exif_of, open_pillow

    try:
        with (
            open_input(image.path, whole=False) as stream,
            parsing(str(image.path)),
            open_pillow(_with_exif(stream)) as opened,
        ):
            exif = exif_of(opened)
            block = exif.get_ifd(EXIF_BLOCK)
            size = opened.size
    except InputError:
        return "its EXIF data cannot be read"
    taken = _moment(block.get(TAKEN), block.get(TAKEN_FRACTION))
    if taken is None:
        return "it has no EXIF capture time"
    camera = (*(str(exif.get(tag, "")) for tag in (MAKE, MODEL)), str(block.get(SERIAL, "")), f"{size[0]}×{size[1]}")
    duration = _positive(block.get(EXPOSURE_TIME))
    return Capture(image, camera, taken, duration or 0.0, _stops(block))


def _with_exif(stream: BinaryIO) -> BinaryIO:
    """The file that Pillow can open for its EXIF: ``stream``, or the preview in a camera's raw file."""
    from tita_cli.images.formats import SNIFFED, camera_raw, heic, recognise

    head = stream.read(SNIFFED)
    entry = recognise(head)
    stream.seek(0)
    if entry is heic.FORMAT:
        entry.require_library("", InputError)
        heic.register()
    elif entry is camera_raw.FORMAT and not head.startswith(camera_raw.TIFF):
        entry.require_library("", InputError)
        return camera_raw.preview(stream)
    return stream


def _moment(taken: Any, fraction: Any) -> float | None:
    try:
        # Only differences count, so the camera's time zone does not matter.
        moment = datetime.strptime(str(taken).strip("\0 "), "%Y:%m:%d %H:%M:%S")
    except ValueError:
        return None
    digits = str(fraction or "").strip("\0 ")
    return (moment - datetime(1970, 1, 1)).total_seconds() + (float(f"0.{digits}") if digits.isdecimal() else 0.0)


def _stops(block: dict[int, Any]) -> float | None:
    time, aperture = _positive(block.get(EXPOSURE_TIME)), _positive(block.get(F_NUMBER))
    sensitivity = block.get(SENSITIVITY)
    if isinstance(sensitivity, tuple):
        sensitivity = sensitivity[0] if sensitivity else None
    if time is not None:
        # A lens without contacts reports no aperture; it does not change within a bracket.
        return math.log2(time * (_positive(sensitivity) or 100) / 100 / (aperture or 1) ** 2)
    try:
        return float(block[BIAS])
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return None


def _positive(value: Any) -> float | None:
    """A number above zero; None for one that is absent or invalid, such as 0/0."""
    try:
        number = float(value)
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    return number if number > 0 and math.isfinite(number) else None
