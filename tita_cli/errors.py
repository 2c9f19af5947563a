"""The kinds of failure that tita reports, each with an exit code and usually a hint.

The core raises these; only ``tita_cli.cli`` turns them into a line on stderr and an exit code. The codes are part of
the interface and documented in ``docs/reference/exit-codes.md``.
"""

from __future__ import annotations

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
    INTERRUPTED = 130


class TitaError(Exception):
    """A failure that the user can understand and usually fix.

    ``message``: one line that names the file or value. ``hint``: an option or command that would help, or None.
    """

    exit_code: ExitCode = ExitCode.INTERNAL

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(TitaError):
    """Invalid options or arguments, or a combination of them."""

    exit_code = ExitCode.USAGE


class InputError(TitaError):
    """An input that cannot be read: missing, not an image, truncated, no permission, too large."""

    exit_code = ExitCode.UNREADABLE_INPUT


class OutputError(TitaError):
    """An output that cannot be written: it exists, no permission, disk full, unknown format."""

    exit_code = ExitCode.UNWRITABLE_OUTPUT


class MismatchError(TitaError):
    """Inputs that do not fit together: different sizes, alignment not possible, ambiguous pairing."""

    exit_code = ExitCode.MISMATCH


class ModelError(TitaError):
    """A model that is missing, damaged, of an unknown kind, unsafe or of the wrong shape."""

    exit_code = ExitCode.MODEL


class DeviceError(TitaError):
    """A requested device or back end that cannot be used, or that ran out of memory."""

    exit_code = ExitCode.DEVICE


def need(what: str, *packages: str) -> None:
    """Raise ``DeviceError`` unless ``packages``, which a plain installation lacks, are here; ``what`` needs them."""
    missing = [package for package in packages if find_spec(package) is None]
    if missing:
        names = " and ".join("PyTorch" if package == "torch" else package for package in missing)
        raise DeviceError(
            f"{what} needs {names}, not installed here",
            hint=f"pip install {' '.join(missing)} (docs/how-to/install.md has the smaller builds)",
        )


class TrainingError(TitaError):
    """A training run that cannot continue: bad configuration or data, a loss that is not finite."""

    exit_code = ExitCode.TRAINING


@contextmanager
def parsing(name: str) -> Iterator[None]:
    """Turn whatever a parser raises over the content of the file ``name`` into one :class:`InputError`.

    Parsers of foreign formats raise anything when a file is damaged. What tita raises itself passes, and so does
    ``MemoryError``, which may mean that the file is whole and the machine too small.
    """
    try:
        yield
    except (TitaError, MemoryError):
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.errno:  # the disk or the network, not the content
            raise InputError(f"{name}: cannot be read: {error.strerror}") from error
        raise InputError(f"{name}: is damaged or truncated ({_reason(error)})") from error


def _reason(error: Exception) -> str:
    """What ``error`` says, in one short line."""
    if isinstance(error, RecursionError):
        return "nested too deeply"
    text = " ".join(str(error).split())[:160]
    # The text of these is a key or a remark on Python's types, which says little without the name.
    if not text or isinstance(error, (LookupError, AttributeError, TypeError)):
        return f"{type(error).__name__}: {text}".rstrip(": ")
    return text


def first_line(error: Exception) -> str:
    """The first line of what a library says, whose messages are long."""
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
