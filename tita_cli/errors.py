"""The kinds of failure that tita reports, each with its exit code and a hint that names the way out.

The core raises these; only ``tita_cli.cli`` turns them into a line on stderr and an exit code. The codes are
interface, promised in ``docs/reference/exit-codes.md``.
"""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """What the process returns."""

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
    """A failure that the user can understand and usually mend.

    ``message`` is one line that names the file or value at fault; ``hint``, where there is one, names the option or
    command that would help.
    """

    exit_code: ExitCode = ExitCode.INTERNAL

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(TitaError):
    """Options or arguments that make no sense together."""

    exit_code = ExitCode.USAGE


class InputError(TitaError):
    """An input that cannot be read: missing, no image, truncated, not permitted, absurdly large."""

    exit_code = ExitCode.UNREADABLE_INPUT


class OutputError(TitaError):
    """An output that cannot be written: it exists, no permission, disk full, unknown format."""

    exit_code = ExitCode.UNWRITABLE_OUTPUT


class MismatchError(TitaError):
    """Inputs that do not fit together: other sizes, not alignable, ambiguous pairing."""

    exit_code = ExitCode.MISMATCH


class ModelError(TitaError):
    """A model that is missing, damaged, foreign, unsafe or of the wrong shape."""

    exit_code = ExitCode.MODEL


class DeviceError(TitaError):
    """A device or back end that was asked for and cannot be used, or that ran out of memory."""

    exit_code = ExitCode.DEVICE


class TrainingError(TitaError):
    """A training run that cannot go on: bad configuration or data, a loss that is no number."""

    exit_code = ExitCode.TRAINING
