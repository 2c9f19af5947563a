"""``align_pictures``: several pictures in memory into the frame of one of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tita_cli.align.calibration import Calibration
from tita_cli.align.frame import Frame, check_sizes
from tita_cli.align.modes import Border, Mode
from tita_cli.align.placement import Placement
from tita_cli.align.stack import find_frame
from tita_cli.errors import UsageError
from tita_cli.images.picture import Picture


@dataclass(frozen=True)
class Aligned:
    """Pictures of one size that show the same place at the same pixel, in the order given, and the frame they share."""

    pictures: tuple[Picture, ...]
    frame: Frame

    @property
    def placements(self) -> tuple[Placement, ...]:
        """How each picture was placed."""
        return self.frame.placements

    @property
    def notes(self) -> tuple[str, ...]:
        """Which pictures could not be aligned, one line each."""
        return self.frame.notes


def align_pictures(
    pictures: Sequence[Picture],
    *,
    mode: Mode = "auto",
    reference: int = 0,
    border: Border = "crop",
    calibration: Calibration | None = None,
) -> Aligned:
    """Bring ``pictures`` into the frame of ``pictures[reference]``: :func:`find_frame`, then each into that frame.

    A picture that lies in the frame already keeps its pixels, bit by bit. Raises UsageError, and MismatchError where
    the pictures do not fit: as ``find_frame`` does, and where an estimate between pictures of unequal sizes is not
    accepted.
    """
    if not pictures:
        raise UsageError("there is no picture to align")
    frame = find_frame(
        len(pictures), pictures.__getitem__, mode=mode, reference=reference, border=border, calibration=calibration
    )
    check_sizes(frame.placements, reference)
    base = pictures[reference]
    placed = tuple(frame.masked(frame.place(index, picture, lambda: base)) for index, picture in enumerate(pictures))
    return Aligned(placed, frame)
