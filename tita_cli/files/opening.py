"""Opening regular files and pipes that were handed to us, and nothing that could make us wait for ever."""

from __future__ import annotations

import io
import json
import math
import os
import re
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

from tita_cli.errors import RESOURCES, DeviceError, InputError, first_line
from tita_cli.files.address import Address, is_address, path_of
from tita_cli.files.mistyped import meant

_MAX_PIPE = 2**32
_PART = 1 << 20
_MAX_TOML = 1 << 20
# The parser's memory grows with the square of a key's parts.
_LONG_KEY = re.compile(r"""(?<![\w"'-])(?:[\w"'-]+\s*\.\s*){64}""")

# stack.tif@3, stack.tif@2-5, FLIR0123.jpg@thermal. Unlike brackets, no shell gives an @ there a meaning.
_NAMED_PAGE = re.compile(r"(.+)@(\d+(?:-\d+)?|[a-z]+)", re.DOTALL)

# Names of descriptors that this process was started with: /dev/stdin, or what a shell puts in place of <(command).
_HANDED_OVER = re.compile(r"/dev/(stdin|fd/\d+)|/proc/(self|\d+)/fd/\d+")


@contextmanager
def open_input(path: str | os.PathLike[str], *, whole: bool = True) -> Iterator[BinaryIO]:
    """Open a regular file, here or at an address, or a pipe that this process was handed, as a seekable stream.

    It is at its start. A named pipe, a device, a socket or a folder is refused without waiting for it. ``whole``: what
    is at an address is fetched, as is best unless only a small part will be read.

    :raises InputError: it is missing, not permitted, or none of these.
    """
    if is_address(path):
        from tita_cli.files import remote

        with remote.opened(Address(path), whole=whole) as file:
            yield file
        return
    name = os.fspath(path)
    with _opened(name) as file:
        yield file if file.seekable() else drained(file, name)


def read_input(path: str | os.PathLike[str], *, max_bytes: int) -> bytes:
    """The whole content of a file or pipe as :func:`open_input` opens it.

    :raises InputError: as :func:`open_input`; it cannot be read, or has more than ``max_bytes``.
    """
    with open_input(path) as file:
        content = b"".join(_parts(file, os.fspath(path), max_bytes + 1))
    if len(content) > max_bytes:
        raise InputError(f"{os.fspath(path)}: has more than {max_bytes >> 20} MiB")
    return content


def parse_json(text: str | bytes) -> Any:
    """What a JSON document holds, where it is one that every reader agrees on.

    :raises ValueError: it is none, is nested too deeply, or has a number that is not finite.
    """
    try:
        return json.loads(text, parse_constant=_refuse_constant, parse_float=_finite)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def read_toml(path: str | os.PathLike[str]) -> dict[str, Any]:
    """What a TOML file holds.

    :raises InputError: it cannot be read, or is no TOML.
    """
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib

    content = read_input(path, max_bytes=_MAX_TOML)
    try:
        text = content.decode()
        if _LONG_KEY.search(text):
            raise ValueError("a key of more than 64 parts")
        return tomllib.loads(text)
    except RecursionError:
        raise InputError(f"{os.fspath(path)}: not TOML: nested too deeply") from None
    except ValueError as error:  # of TOML, and of UTF-8
        raise InputError(f"{os.fspath(path)}: not TOML: {first_line(error)}") from error


def _refuse_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is no number of JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text[:20]} is beyond all numbers")
    return number


def drained(pipe: BinaryIO, name: str) -> io.BytesIO:
    """What comes out of a pipe, as a stream that can seek.

    :raises InputError: it is more than 4 GiB, or a device, which may never end.
    """
    content = io.BytesIO()
    for part in _parts(pipe, name, _MAX_PIPE + 1):
        if not content.tell() and _is_device(pipe):
            raise InputError(f"{name}: is a device, not a file")
        content.write(part)
    if content.tell() > _MAX_PIPE:
        raise InputError(f"{name}: more than {_MAX_PIPE >> 30} GiB came out of the pipe")
    content.seek(0)
    return content


def _is_device(pipe: BinaryIO) -> bool:
    try:
        kind = os.fstat(pipe.fileno()).st_mode
    except (OSError, ValueError, AttributeError):  # a stream of Python's without a descriptor
        return False
    return stat.S_ISCHR(kind) and not pipe.isatty()


def _parts(file: BinaryIO, name: str, most: int) -> Iterator[bytes]:
    """Up to ``most`` bytes. In parts: ``read`` takes the memory for all that it is asked for."""
    try:
        while most > 0 and (part := file.read(min(most, _PART))):
            most -= len(part)
            yield part
    except OSError as error:
        raise InputError(f"{name}: cannot be read: {error.strerror}") from error


def split_page(path: str | os.PathLike[str]) -> tuple[str, str | None]:
    """The file that ``path`` names, and which of its pictures: ``stack.tif@3`` is ``stack.tif`` and ``3``.

    None where it names no picture, or where a file of that very name exists.
    """
    name = os.fspath(path)
    match = _NAMED_PAGE.fullmatch(name)
    if match is None or os.path.lexists(name) or match[1].endswith("://"):
        return name, None
    return match[1], match[2]


def file_of(path: str | os.PathLike[str]) -> Path:
    """The file in which the picture lies that ``path`` names."""
    return path_of(split_page(path)[0])


def names_several(path: str | os.PathLike[str]) -> bool:
    """Whether ``path`` names a range of pictures: ``stack.tif@2-5``."""
    return "-" in (split_page(path)[1] or "")


def is_handed_over(path: str | os.PathLike[str]) -> bool:
    """Whether ``path`` names a descriptor of this process, such as ``/dev/stdin`` or a shell's ``<(command)``."""
    return _HANDED_OVER.fullmatch(os.fspath(path)) is not None


class _Reader(io.BufferedReader):
    """A file that takes memory for what there is, where a decoder asks for as many bytes as a damaged header states."""

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > _PART and self.seekable():
            size = min(size, max(0, os.fstat(self.fileno()).st_size - self.tell()))
        return super().read(size)


def _opened(name: str) -> BinaryIO:
    handed_over = is_handed_over(name)
    # A named pipe that nobody writes to would otherwise block the opening itself.
    more = 0 if handed_over else getattr(os, "O_NONBLOCK", 0)
    try:
        file = _Reader(io.FileIO(name, opener=lambda path, flags: os.open(path, flags | more)))
    except FileNotFoundError as error:
        raise InputError(f"{name}: no such file", hint=meant(name)) from error
    except IsADirectoryError as error:
        raise InputError(f"{name}: is a folder, not a file") from error
    except PermissionError as error:
        raise InputError(f"{name}: no permission to read it") from error
    except (OSError, ValueError) as error:
        if isinstance(error, OSError) and error.errno in RESOURCES:
            raise DeviceError(f"{name}: cannot be opened now: {error.strerror}") from error
        raise InputError(f"{name}: cannot be opened ({getattr(error, 'strerror', None) or error})") from error
    kind = stat.S_IFMT(os.fstat(file.fileno()).st_mode)
    if kind == stat.S_IFREG or (handed_over and kind in (stat.S_IFIFO, stat.S_IFSOCK)):
        return file
    file.close()
    if kind == stat.S_IFIFO:
        raise InputError(f"{name}: is a named pipe, not a file", hint="cat it into -, which reads stdin")
    raise InputError(f"{name}: is a device, not a file")
