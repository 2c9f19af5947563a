"""A calibration: how the cameras of a fixed rig see one another, measured once and applied to all they take."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from tita_cli.align.geometry import Matrix, Size, inverse, is_sane, normalized, resizing
from tita_cli.errors import InputError, MismatchError, first_line
from tita_cli.files import parse_json, read_input

CalibrationLike: TypeAlias = "Calibration | str | os.PathLike[str] | Mapping[str, Any]"

_KIND, _VERSION = "calibration", 1
_MAX_BYTES = 1 << 24
_ASPECT = 0.01  # by which the shape of a picture may differ from what was calibrated


@dataclass(frozen=True)
class Calibration:
    """``sizes`` (width, height) and ``matrices`` of the sources, in the order in which they are always given; a matrix
    maps pixels of its source to pixels of source ``reference``. ``shots``: how many it was measured on. ``spread``: how
    far these differ from it at the corners, median, in pixels of the reference. ``name``: for messages.
    """

    sizes: tuple[Size, ...]
    matrices: tuple[Matrix, ...]
    reference: int = 0
    shots: int = 1
    spread: float = 0.0
    name: str = "calibration"

    @classmethod
    def of(cls, given: CalibrationLike) -> Calibration:
        """A calibration as it is, from its file, or from what the file holds. Raises InputError."""
        if isinstance(given, Calibration):
            return given
        return cls.from_dict(given) if isinstance(given, Mapping) else cls.read(given)

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Calibration:
        """Read a calibration file. Raises InputError where it cannot be read or is none."""
        name = os.fspath(path)
        try:
            document = parse_json(read_input(path, max_bytes=_MAX_BYTES))
        except ValueError as error:
            raise _damaged(name, f"not JSON: {first_line(error)}") from error
        return cls.from_dict(document, name=name)

    @classmethod
    def from_dict(cls, document: Any, *, name: str = "calibration") -> Calibration:
        """Raises InputError for anything but what ``as_dict`` gives."""
        if not isinstance(document, Mapping) or document.get("kind") != _KIND:
            raise _damaged(name, f'it lacks "kind": "{_KIND}"')
        if document.get("format") != _VERSION:
            raise _damaged(name, f"its format is {document.get('format')!r}, this tita reads {_VERSION}")
        try:
            sizes = tuple((int(width), int(height)) for width, height in (s["size"] for s in document["sources"]))
            matrices = tuple(np.array(s["matrix"], dtype=np.float64) for s in document["sources"])
            reference = int(document["reference"]) - 1
            found = cls(sizes, matrices, reference, int(document["shots"]), float(document["spread_px"]), name)
        except (LookupError, TypeError, ValueError, OverflowError, AttributeError) as error:
            raise _damaged(name, f"{type(error).__name__}: {error}") from error
        if not math.isfinite(found.spread):
            raise _damaged(name, f"spread_px is {found.spread}")
        if len(sizes) < 2 or not 0 <= reference < len(sizes):
            raise _damaged(name, f"{len(sizes)} sources, reference {reference + 1}")
        for number, (size, matrix) in enumerate(zip(sizes, matrices, strict=True), 1):
            if min(size) < 1 or matrix.shape != (3, 3) or not is_sane(matrix, size):
                raise _damaged(name, f"the matrix of source {number} does not map one picture to another")
        return found

    def as_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "kind": _KIND,
            "format": _VERSION,
            "reference": self.reference + 1,
            "sources": [
                {"size": list(size), "matrix": [[round(float(v), 12) for v in row] for row in matrix]}
                for size, matrix in zip(self.sizes, self.matrices, strict=True)
            ],
            "shots": self.shots,
            "spread_px": round(self.spread, 4),
        }

    def matrix(self, index: int, size: Size, reference: int, frame: Size) -> Matrix:
        """The matrix from source ``index``, of ``size`` now, to source ``reference``, whose size is ``frame`` now.

        Raises MismatchError where a size has another aspect ratio than in the calibration.
        """
        for place, now in ((index, size), (reference, frame)):
            then = self.sizes[place]
            if abs(now[0] * then[1] / (now[1] * then[0]) - 1.0) > _ASPECT:
                was, is_ = (f"{width}×{height}" for width, height in (then, now))
                raise MismatchError(
                    f"{self.name}: source {place + 1} was {was} in the calibration, this one is {is_}",
                    hint="give the sources in the order in which tita calibrate had them",
                )
        between = inverse(self.matrices[reference]) @ self.matrices[index]
        if index == reference:
            return np.eye(3)
        return normalized(resizing(self.sizes[reference], frame) @ between @ inverse(resizing(self.sizes[index], size)))

    def check(self, count: int) -> None:
        """Raises MismatchError where there are not as many sources as in the calibration."""
        if count != len(self.sizes):
            raise MismatchError(f"{self.name}: is of {len(self.sizes)} sources, {count} are given")


def _damaged(name: str, why: str) -> InputError:
    return InputError(f"{name}: not a calibration file: {why}", hint="tita calibrate writes such a file")
