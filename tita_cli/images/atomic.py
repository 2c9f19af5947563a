"""Output files that appear complete or not at all: written beside the target, then renamed onto it."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from tita_cli.errors import OutputError

_STORAGE_ERRORS = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EFBIG: "the file would be larger than is allowed here",
    errno.EIO: "the disk reports an error",
    errno.EROFS: "the file system is read-only",
}


def check_writable(path: str | os.PathLike[str], overwrite: bool) -> None:
    """Find out before any work whether ``path`` can become an output.

    :raises OutputError: it exists and may not be replaced, it is a folder, its folder is missing or not writable.
    """
    target = _resolve(path)
    if _is_stream(target):
        return
    try:
        if target.is_dir():
            raise OutputError(f"{path}: is a folder, not a file", hint="name a file inside it")
        if not target.parent.is_dir():
            raise OutputError(f"{path}: the folder {target.parent} does not exist", hint=f"mkdir -p {target.parent}")
        if target.exists() and not overwrite:
            raise OutputError(f"{path}: exists already", hint="--force replaces it")
    except OSError as error:
        raise _output_error(path, error) from error
    if not os.access(target.parent, os.W_OK | os.X_OK):
        raise OutputError(f"{path}: no permission to write in {target.parent}")


@contextmanager
def atomic_output(path: str | os.PathLike[str], *, overwrite: bool) -> Iterator[BinaryIO]:
    """Hand out a binary file, readable, writable and seekable, that becomes ``path`` when the block ends well.

    When the block raises anything, an interrupt included, the temporary file is removed and ``path`` is as it was.
    A pipe or device (``/dev/null``) is written to directly: it can be neither renamed onto nor overwritten.

    :raises OutputError: as :func:`check_writable`, and when writing fails, for example because the disk is full.
    """
    check_writable(path, overwrite)
    target = _resolve(path)
    if _is_stream(target):
        with _storage_errors(path), target.open("wb") as device:
            yield device
        return
    temporary = target.with_name(f".tita-{secrets.token_hex(6)}.part")
    try:
        with _storage_errors(path):
            with temporary.open("x+b") as file:
                yield file
            if target.exists():
                if not overwrite:  # somebody else made it while we worked
                    raise OutputError(f"{path}: exists already", hint="--force replaces it")
                shutil.copymode(target, temporary)
            temporary.replace(target)
    except BaseException:
        with suppress(FileNotFoundError):
            temporary.unlink()
        raise


@contextmanager
def _storage_errors(path: str | os.PathLike[str]) -> Iterator[None]:
    """Turn what the file system says about ``path`` into an OutputError; leave other failures of the block alone."""
    try:
        yield
    except OSError as error:
        ours = error.errno in _STORAGE_ERRORS or error.filename is not None
        if isinstance(error, BrokenPipeError) or not ours:
            raise
        raise _output_error(path, error) from error


def _output_error(path: str | os.PathLike[str], error: OSError) -> OutputError:
    reason = _STORAGE_ERRORS.get(error.errno or 0) or (error.strerror or type(error).__name__).lower()
    return OutputError(f"{path}: cannot be written: {reason}")


def _resolve(path: str | os.PathLike[str]) -> Path:
    """The file that a link stands for, so that replacing the file keeps the link."""
    if not os.fspath(path):
        raise OutputError("the output has an empty name")
    return Path(os.path.realpath(path))


def _is_stream(target: Path) -> bool:
    """Whether ``target`` is there and is neither a regular file nor a folder: a pipe, a terminal, a device."""
    try:
        return target.exists() and not target.is_file() and not target.is_dir()
    except OSError:
        return False
