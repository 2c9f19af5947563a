"""A file as libav writes to it: what goes wrong is kept for us, since libav only reports that something did."""

from __future__ import annotations

from typing import BinaryIO


class Sink:
    """Takes bytes in their order. After the first ``error`` nothing is written any more."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.error: Exception | None = None

    def write(self, data: bytes) -> int:
        """As a file; never raises."""
        if self.error is None:
            try:
                self._file.write(data)
            except Exception as error:
                self.error = error
        return len(data)

    def check(self) -> None:
        """Raise what went wrong."""
        if self.error is not None:
            raise self.error


class SeekableSink(Sink):
    """Takes bytes anywhere, and gives them back."""

    def seek(self, offset: int, whence: int = 0) -> int:
        """As a file."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """As a file."""
        return self._file.tell()

    def read(self, size: int = -1) -> bytes:
        """As a file."""
        return self._file.read(size)

    def seekable(self) -> bool:
        """As a file."""
        return True
