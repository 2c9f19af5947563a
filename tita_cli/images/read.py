"""Reading: any file that people have into a :class:`Picture`, or one line that says why not."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import BinaryIO

from tita_cli.errors import InputError
from tita_cli.images.picture import Picture
from tita_cli.images.samples import Samples

CheckSize = Callable[[int, int], None]

MAX_PIXELS = 2**28
"""The largest picture that is decoded unless the caller allows more: 268 megapixels, 3.2 GB as float RGB."""

_MAX_SIDE = 100_000
_MAX_PIPE = 2**32
_TIFF_SIGNATURES = (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")


def read_picture(
    source: str | os.PathLike[str] | BinaryIO, *, page: int | None = None, max_pixels: int | None = None
) -> Picture:
    """Read one picture, upright and as float.

    The format is told by the content, not by the extension. ``source`` may be a binary stream, a pipe included.
    ``page``: which picture of a file with several, from 0; None takes the first and says in ``notes`` that there are
    more. ``max_pixels`` (:data:`MAX_PIXELS` where None) is compared with the header before anything is decoded.

    :raises InputError: the file is missing, empty, truncated, damaged, larger than allowed, or not an image.
    """
    name = _name(source)
    with _opened(source, name) as stream:
        samples = _decode(stream, name, page, max_pixels or MAX_PIXELS)
    return samples.to_picture(name)


def _decode(stream: BinaryIO, name: str, page: int | None, max_pixels: int) -> Samples:
    from PIL import UnidentifiedImageError

    try:
        head = stream.read(32)
        stream.seek(0)
        if not head:
            raise InputError(f"{name}: is empty")
        return _decoder(head)(stream, name, page, partial(check_bounds, name=name, max_pixels=max_pixels))
    except (InputError, MemoryError):
        raise
    except UnidentifiedImageError as error:
        raise InputError(
            f"{name}: is not an image that tita reads",
            hint="it reads JPEG, PNG, TIFF, WebP, BMP, PNM, AVIF and more: see docs/reference/formats.md",
        ) from error
    except Exception as error:  # decoders raise whatever a damaged file makes them stumble over
        reason = " ".join(str(error).split())[:160] or type(error).__name__
        raise InputError(f"{name}: cannot be decoded, it is damaged or truncated ({reason})") from error


def _decoder(head: bytes) -> Callable[[BinaryIO, str, int | None, CheckSize], Samples]:
    """Which decoder the first bytes of a file ask for. Extensions lie too often to be asked."""
    from tita_cli.images import decode_light

    if head.startswith(_TIFF_SIGNATURES):
        from tita_cli.images.decode_tiff import decode_tiff

        return decode_tiff
    if head.startswith(decode_light.EXR_SIGNATURE):
        return lambda stream, name, _, check_size: decode_light.decode_exr(stream, name, check_size)
    if head.startswith(decode_light.RADIANCE_SIGNATURES):
        return lambda stream, _name, _, check_size: decode_light.decode_radiance(stream, check_size)
    if head.startswith(decode_light.PFM_SIGNATURES):
        return lambda stream, _name, _, check_size: decode_light.decode_pfm(stream, check_size)
    return _decode_raster


def _decode_raster(stream: BinaryIO, name: str, page: int | None, check_size: CheckSize) -> Samples:
    from tita_cli.images.decode_raster import decode_raster, open_raster

    with open_raster(stream) as image:
        check_size(image.width, image.height)
        frames = int(getattr(image, "n_frames", 1)) if page else 1
        if page and page >= frames:
            held = f"{frames} pages" if frames > 1 else "one page"
            raise InputError(f"{name}: has {held}, not page {page}", hint="--page counts from 0")
        if page:
            image.seek(page)
        return decode_raster(image, stream, name)


def check_bounds(width: int, height: int, name: str, max_pixels: int) -> None:
    """Refuse what the header announces before memory is spent on it.

    :raises InputError: no pixels at all, a side over 100,000, or more than ``max_pixels``.
    """
    if width < 1 or height < 1:
        raise InputError(f"{name}: has no pixels ({width}×{height})")
    if max(width, height) > _MAX_SIDE:
        raise InputError(f"{name}: {width}×{height} is absurd, a side may have {_MAX_SIDE} pixels at most")
    if width * height > max_pixels:
        raise InputError(
            f"{name}: {width}×{height} is {width * height / 1e6:.0f} megapixels, {max_pixels / 1e6:.0f} are allowed",
            hint="if the file is to be trusted and memory suffices, --max-pixels allows more",
        )


def _name(source: str | os.PathLike[str] | BinaryIO) -> str:
    if isinstance(source, (str, os.PathLike)):
        return os.fspath(source)
    name = getattr(source, "name", None)
    return name if isinstance(name, str) else "<stdin>"


@contextmanager
def _opened(source: str | os.PathLike[str] | BinaryIO, name: str) -> Iterator[BinaryIO]:
    """A seekable stream at its start."""
    if not isinstance(source, (str, os.PathLike)):
        yield source if source.seekable() else drained(source, name)
        return
    try:
        file = Path(source).open("rb")  # noqa: SIM115  closed below, where its own errors are told apart
    except FileNotFoundError as error:
        raise InputError(f"{name}: no such file") from error
    except IsADirectoryError as error:
        raise InputError(f"{name}: is a folder, not an image") from error
    except PermissionError as error:
        raise InputError(f"{name}: no permission to read it") from error
    except (OSError, ValueError) as error:
        raise InputError(f"{name}: cannot be opened ({getattr(error, 'strerror', None) or error})") from error
    with file:
        # A pipe such as /dev/stdin or <(command) has a name and cannot seek.
        yield file if file.seekable() else drained(file, name)


def drained(pipe: BinaryIO, name: str) -> io.BytesIO:
    """What comes out of a pipe, as a stream that can seek. Raises InputError where it does not end."""
    content = pipe.read(_MAX_PIPE + 1)
    if len(content) > _MAX_PIPE:
        raise InputError(f"{name}: more than {_MAX_PIPE >> 30} GiB came out of the pipe")
    return io.BytesIO(content)
