"""The kinds of failure that tita reports, each with an exit code and usually a hint.

The core raises these; only ``tita_cli.cli`` turns them into a line on stderr and an exit code. The codes are part of
the interface and documented in ``docs/reference/exit-codes.md``.
"""

from __future__ import annotations

import errno
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum
from importlib.util import find_spec


class ExitCode(IntEnum):
    """Exit codes of the process."""

    OK = 0
    SOME_FAILED = 1
    USAGE = 2
    UNREADABLE_INPUT = 3
    UNWRITABLE_OUTPUT = 4
    MISMATCH = 5
    MODEL = 6
    DEVICE = 7
    TRAINING = 8
    INTERNAL = 70
    HUNG_UP = 129
    INTERRUPTED = 130
    TERMINATED = 143


class TitaError(Exception):
    """A failure that the user can understand and usually fix.

    ``message``: one line that names the file or value. ``hint``: an option or command that would help, or None.
    Options stand in both as Python names them, in backquotes; the command line shows flags. From Python 3.11 on, the
    hint is a note of the exception, too, so that a traceback and a notebook show it.
    """

    exit_code: ExitCode = ExitCode.INTERNAL

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        if hint is not None and sys.version_info >= (3, 11):
            self.add_note(f"hint: {hint}")


class UsageError(TitaError):
    """Invalid options or arguments, or a combination of them."""

    exit_code = ExitCode.USAGE


class InputError(TitaError):
    """An input that cannot be read: missing, not an image, truncated, no permission, too large."""

    exit_code = ExitCode.UNREADABLE_INPUT


class UnreachableError(InputError):
    """An address whose server refuses or does not answer, which says nothing about the file."""


class ChangedError(InputError):
    """A file that another program changed while it was read, which says nothing about its content now."""


class DamagedError(InputError):
    """A file whose content is not what it should be: truncated, overwritten, or of no kind that tita reads."""


class OutputError(TitaError):
    """An output that cannot be written: it exists, no permission, disk full, unknown format."""

    exit_code = ExitCode.UNWRITABLE_OUTPUT


class ReaderGoneError(OutputError):
    """The reader of a pipe closed it. Nothing to tell anybody: it wanted no more."""


class MismatchError(TitaError):
    """Inputs that do not fit together: different sizes, alignment not possible, ambiguous pairing."""

    exit_code = ExitCode.MISMATCH


class ModelError(TitaError):
    """A model that is missing, damaged, of an unknown kind, unsafe or of the wrong shape."""

    exit_code = ExitCode.MODEL


class DeviceError(TitaError):
    """A requested device or back end that cannot be used, or that ran out of memory."""

    exit_code = ExitCode.DEVICE


def is_installed(*packages: str) -> bool:
    """Whether all of ``packages``, which a plain installation lacks, are here."""
    return all(find_spec(package) is not None for package in packages)


def need(what: str, *packages: str) -> None:
    """Raise ``DeviceError`` unless ``packages``, which a plain installation lacks, are here; ``what`` needs them."""
    missing = [package for package in packages if not is_installed(package)]
    if missing:
        names = " and ".join("PyTorch" if package == "torch" else package for package in missing)
        raise DeviceError(f"{what} needs {names}, not installed here", hint=how_to_install(*missing))


def how_to_install(*packages: str) -> str:
    """The command that installs ``packages``, and beside PyTorch where its smaller build is."""
    smaller = " (docs/how-to/install.md has the smaller build for the CPU)" if "torch" in packages else ""
    return f"pip install {' '.join(packages)}{smaller}"


class TrainingError(TitaError):
    """A training run that cannot continue: bad configuration or data, a loss that is not finite."""

    exit_code = ExitCode.TRAINING


@contextmanager
def parsing(name: str, kind: type[TitaError] = DamagedError, *, hint: str | None = None) -> Iterator[None]:
    """Turn whatever a parser raises over the content of the file ``name`` into one error of ``kind``.

    A file that the system does not give, or whose library does not load, is an ``InputError``, or of ``kind`` where
    that is another.

    Parsers of foreign formats raise anything when a file is damaged. What tita raises itself passes, and so does
    ``MemoryError``, which may mean that the file is whole and the machine too small.
    """
    try:
        yield
    except (TitaError, MemoryError):
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.errno:  # the disk or the network, not the content
            unread = InputError if kind is DamagedError else kind
            raise unread(f"{name}: cannot be read: {error.strerror}") from error
        if isinstance(error, ImportError):  # the installation, not the content
            unread = InputError if kind is DamagedError else kind
            said = f"{name}: cannot be read, a library that it needs does not load: {first_line(error)}"
            raise unread(said, hint="reinstall that library") from error
        raise kind(f"{name}: is damaged or truncated ({_reason(error)})", hint=hint) from error


def explained(error: BaseException) -> TitaError | None:
    """What an exception says about the machine it happened on, as an error of ours; None for a bug.

    For what nothing nearer to the cause has explained: no memory, no descriptors, a full disk, a broken installation.
    """
    if isinstance(error, TitaError):
        return error
    if is_short_of_memory(error):
        return DeviceError("out of memory", hint="close other programs, fuse smaller images, or set `memory`")
    if isinstance(error, ImportError):
        return DeviceError(f"the installation is damaged: {first_line(error)}", hint="reinstall tita and its packages")
    if isinstance(error, OSError) and error.errno:
        said = f"{error.filename}: {error.strerror}" if error.filename else f"the system reports: {error.strerror}"
        if error.errno in STORAGE_ERRORS:
            return OutputError(f"{error.filename or 'a file'}: cannot be written: {STORAGE_ERRORS[error.errno]}")
        return (InputError if error.filename and error.errno not in RESOURCES else DeviceError)(said)
    return None


def is_short_of_memory(error: BaseException) -> bool:
    """Whether ``error``, of whatever library, says that there was not enough memory."""
    return isinstance(error, MemoryError) or _OUT_OF_MEMORY.search(str(error)) is not None


STORAGE_ERRORS = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EFBIG: "the file would be larger than is allowed here",
    errno.EIO: "the disk reports an error",
    errno.EROFS: "the file system is read-only",
}
"""What the system reports where something cannot be stored, in words."""

RESOURCES = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN})
"""What the system reports where it is short of something, which says nothing about the file."""

_OUT_OF_MEMORY = re.compile(
    r"(out of|insufficient|not enough|cannot allocate|can't allocate|fail\w* to allocate) ?(memory|host memory|\d)"
    r"|bad.?alloc|unable to allocate|failed to map segment|failed to allocate|can't start new thread",
    re.IGNORECASE,
)
"""As NumPy, OpenCV, PyTorch, ONNX Runtime and the interpreter say it."""


def _reason(error: Exception) -> str:
    """What ``error`` says, in one short line."""
    if isinstance(error, RecursionError):
        return "nested too deeply"
    said = error.args[0] if error.args and isinstance(error.args[0], bytes) else str(error)  # LibRaw's are bytes
    text = " ".join((said.decode(errors="replace") if isinstance(said, bytes) else said).split())[:160]
    # The text of these is a key or a remark on Python's types, which says little without the name.
    if not text or isinstance(error, (LookupError, AttributeError, TypeError)):
        return f"{type(error).__name__}: {text}".rstrip(": ")
    return text


def first_line(error: BaseException) -> str:
    """The first line of what a library says, whose messages are long."""
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
