"""Reading: any file that people have into a :class:`Picture`, or one line that says why not."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from tita_cli.errors import InputError
from tita_cli.images.picture import Picture
from tita_cli.images.samples import Samples

MAX_PIXELS = 2**28
"""The largest picture that is decoded unless the caller allows more: 268 megapixels, 3.2 GB as float RGB."""

_MAX_SIDE = 100_000
_MAX_PIPE = 2**32
_TIFF_SIGNATURES = (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")


def read_picture(
    source: str | os.PathLike[str] | BinaryIO, *, page: int | None = None, max_pixels: int = MAX_PIXELS
) -> Picture:
    """Read one picture, upright and as float.

    The format is told by the content, not by the extension. ``source`` may be a binary stream, a pipe included.
    ``page``: which picture of a file with several, from 0; None takes the first and says in ``notes`` that there are
    more. ``max_pixels`` is compared with the header before anything is decoded.

    :raises InputError: the file is missing, empty, truncated, damaged, larger than allowed, or not an image.
    """
    name = _name(source)
    with _opened(source, name) as stream:
        samples = _decode(stream, name, page, max_pixels)
    return samples.to_picture(name)


def _decode(stream: BinaryIO, name: str, page: int | None, max_pixels: int) -> Samples:
    from PIL import UnidentifiedImageError

    try:
        head = stream.read(32)
        stream.seek(0)
        if not head:
            raise InputError(f"{name}: is empty")
        if head.startswith(_TIFF_SIGNATURES):
            return _decode_tiff(stream, name, page, max_pixels)
        return _decode_raster(stream, name, page, max_pixels)
    except (InputError, MemoryError):
        raise
    except UnidentifiedImageError as error:
        raise InputError(
            f"{name}: is not an image that tita reads",
            hint="it reads JPEG, PNG, TIFF, WebP, BMP, PNM, AVIF and more: see docs/reference/formats.md",
        ) from error
    except Exception as error:  # decoders raise whatever a damaged file makes them stumble over
        raise InputError(f"{name}: cannot be decoded, it is damaged or truncated ({error})") from error


def _decode_raster(stream: BinaryIO, name: str, page: int | None, max_pixels: int) -> Samples:
    from tita_cli.images.decode_raster import decode_raster, open_raster

    with open_raster(stream) as image:
        check_bounds(image.width, image.height, name, max_pixels)
        if page:
            frames = getattr(image, "n_frames", 1)
            if page >= frames:
                raise no_such_page(name, page, frames)
            image.seek(page)
        return decode_raster(image, stream)


def _decode_tiff(stream: BinaryIO, name: str, page: int | None, max_pixels: int) -> Samples:
    from tita_cli.images.decode_tiff import decode_tiff

    return decode_tiff(stream, name, page, lambda width, height: check_bounds(width, height, name, max_pixels))


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


def no_such_page(name: str, page: int, count: int) -> InputError:
    """The error for a page that the file does not have."""
    held = "one page, page 0" if count == 1 else f"pages 0 to {count - 1}"
    return InputError(f"{name}: has {held}, not page {page}", hint="--page counts from 0")


def _name(source: str | os.PathLike[str] | BinaryIO) -> str:
    if isinstance(source, (str, os.PathLike)):
        return os.fspath(source)
    name = getattr(source, "name", None)
    return name if isinstance(name, str) else "<stdin>"


@contextmanager
def _opened(source: str | os.PathLike[str] | BinaryIO, name: str) -> Iterator[BinaryIO]:
    """A seekable stream at its start."""
    if not isinstance(source, (str, os.PathLike)):
        yield source if source.seekable() else _drained(source, name)
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
        yield file if file.seekable() else _drained(file, name)


def _drained(pipe: BinaryIO, name: str) -> BinaryIO:
    """What comes out of a pipe, as a stream that can seek."""
    content = pipe.read(_MAX_PIPE + 1)
    if len(content) > _MAX_PIPE:
        raise InputError(f"{name}: more than {_MAX_PIPE >> 30} GiB came out of the pipe")
    return io.BytesIO(content)
