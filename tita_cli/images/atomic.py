"""Output files that appear complete or not at all: written beside the target, then renamed onto it."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, TypeAlias

from tita_cli.errors import STORAGE_ERRORS, OutputError, ReaderGoneError, UsageError
from tita_cli.files import Address, is_address, is_handed_over, split_page

AnyPath: TypeAlias = "str | os.PathLike[str]"


def check_writable(path: AnyPath, overwrite: bool, *, sources: Iterable[object] = ()) -> None:
    """Find out before any work whether ``path`` can become an output.

    ``sources``: what is read; those among them that are paths must not be the same file as ``path``, by whatever name.

    :raises UsageError: it is one of ``sources``.
    :raises OutputError: it exists and may not be replaced, it is a folder or a link that leads nowhere, its folder is
        missing or not writable.
    """
    if is_address(path):
        _check_address(Address(path), overwrite, sources)
        return
    target = _resolve(path)
    if _is_stream(target):
        return
    try:
        if target.is_dir():
            raise OutputError(f"{path}: is a folder, not a file", hint="name a file inside it")
        if not target.parent.is_dir():
            raise OutputError(f"{path}: the folder {target.parent} does not exist", hint=f"mkdir -p {target.parent}")
        if is_among(target, sources):
            raise UsageError(f"{path}: is one of the sources, which are never replaced", hint="name another file")
        if target.exists() and not overwrite:
            raise OutputError(f"{path}: exists already", hint="`overwrite` replaces it")
        if Path(path).is_symlink() and not target.exists():
            raise OutputError(
                f"{path}: is a link to {target}, which does not exist", hint="name that file, or remove it"
            )
    except OSError as error:
        raise _output_error(path, error) from error
    if not os.access(target.parent, os.W_OK | os.X_OK):
        raise OutputError(f"{path}: no permission to write in {target.parent}")


def _check_address(address: Address, overwrite: bool, sources: Iterable[object]) -> None:
    from tita_cli.files import remote

    remote.check_writable(address)
    if is_among(address, sources):
        raise UsageError(f"{address}: is one of the sources, which are never replaced", hint="name another file")
    if remote.is_there(address) and not overwrite:
        raise OutputError(f"{address}: exists already", hint="`overwrite` replaces it")


def make_folder(folder: Path) -> None:
    """Make ``folder`` and those above it, where they are not there; at an address it comes with its first file.

    Raises OutputError.
    """
    if is_address(folder):
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be made: {(error.strerror or '').lower()}") from error


def is_among(path: AnyPath, others: Iterable[object]) -> bool:
    """Whether ``path`` is one of the files that ``others`` name; what is no path is passed over."""
    own = identity(path)
    return any(own == identity(split_page(other)[0]) for other in others if isinstance(other, str | os.PathLike))


def identity(path: AnyPath) -> tuple[int, int] | str:
    """A file as the system tells it apart, whatever it is called: through links, other spellings, mounts.

    What is not there yet counts by its place.
    """
    try:
        found = os.stat(path)  # noqa: PTH116
    except (OSError, ValueError):
        return os.path.abspath(path)  # noqa: PTH100
    return (found.st_dev, found.st_ino) if found.st_ino else os.path.realpath(path)


@contextmanager
def atomic_output(path: AnyPath, *, overwrite: bool) -> Iterator[BinaryIO]:
    """Hand out a binary file, readable, writable and seekable, that becomes ``path`` when the block ends well.

    When the block raises anything, an interrupt included, the temporary file is removed and ``path`` is as it was.
    Contents are on the disk before the name is, so that not even a power failure leaves half a file. A pipe or device
    (``/dev/null``) is written to directly: it can be neither renamed onto nor overwritten. What goes to an address is
    written here and stored there as a whole.

    :raises OutputError: as :func:`check_writable`, and when writing fails, for example because the disk is full.
    """
    check_writable(path, overwrite)
    if is_address(path):
        from tita_cli.files import remote

        with remote.storing(Address(path)) as file:
            yield file
        return
    target = _resolve(path)
    if _is_stream(target):
        with _storage_errors(path), open(target, "wb", opener=_open_ready) as device:
            yield device
        return
    temporary = target.with_name(f".tita-{secrets.token_hex(6)}.part")
    try:
        with _storage_errors(path):
            with temporary.open("x+b") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            if target.exists():
                if not overwrite:  # somebody else made it while we worked
                    raise OutputError(f"{path}: exists already", hint="`overwrite` replaces it")
                shutil.copymode(target, temporary)
            temporary.replace(target)
            _sync_folder(target.parent)
    except BaseException:
        with suppress(FileNotFoundError):
            temporary.unlink()
        raise


def _sync_folder(folder: Path) -> None:
    """Put the new name on the disk as well, where the system can: not on Windows, nor on some network drives."""
    if os.name != "posix":
        return
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _open_ready(path: str, flags: int) -> int:
    """Open a pipe only where somebody reads from it, instead of waiting for that."""
    if not hasattr(os, "O_NONBLOCK"):
        return os.open(path, flags)
    descriptor = os.open(path, flags & ~(os.O_CREAT | os.O_TRUNC) | os.O_NONBLOCK)
    os.set_blocking(descriptor, True)
    return descriptor


@contextmanager
def _storage_errors(path: AnyPath) -> Iterator[None]:
    """Turn what the file system says about ``path`` into an OutputError; leave other failures of the block alone."""
    try:
        yield
    except BrokenPipeError as error:
        raise ReaderGoneError(f"{path}: its reader is gone") from error
    except OSError as error:
        if error.errno not in STORAGE_ERRORS and error.filename is None:
            raise
        raise _output_error(path, error) from error


def _output_error(path: AnyPath, error: OSError) -> OutputError:
    if error.errno == errno.ENXIO:
        return OutputError(f"{path}: is a pipe that nobody reads from")
    reason = STORAGE_ERRORS.get(error.errno or 0) or (error.strerror or type(error).__name__).lower()
    return OutputError(f"{path}: cannot be written: {reason}")


def _resolve(path: AnyPath) -> Path:
    """The file that a link stands for, so that replacing the file keeps the link."""
    if not os.fspath(path):
        raise OutputError("the output has an empty name")
    if is_handed_over(path):
        return Path(path)
    try:
        return Path(os.path.realpath(path))
    except ValueError as error:  # a NUL character
        raise OutputError(f"{os.fspath(path)!r}: cannot be the name of a file") from error


def _is_stream(target: Path) -> bool:
    """Whether ``target`` is there and is neither a regular file nor a folder: a pipe, a terminal, a device."""
    try:
        return target.exists() and not target.is_file() and not target.is_dir()
    except OSError:
        return False
