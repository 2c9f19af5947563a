"""``align_pictures``: several pictures into the frame of one of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tita_cli.align.aligner import Aligner
from tita_cli.align.frame import Frame
from tita_cli.align.modes import Border, Mode
from tita_cli.align.placement import Placement
from tita_cli.align.rig import Rig
from tita_cli.errors import MismatchError, UsageError
from tita_cli.images.picture import Picture


@dataclass(frozen=True)
class Alignment:
    """Pictures of one size that show the same thing at the same pixel, in the order given.

    ``sources``: how each was placed. ``notes``: which of them could not be, one line each. ``frame``: what they share.
    """

    pictures: tuple[Picture, ...]
    sources: tuple[Placement, ...]
    notes: tuple[str, ...]
    frame: Frame


def align_pictures(
    pictures: Sequence[Picture],
    *,
    mode: Mode = "auto",
    reference: int = 0,
    border: Border = "crop",
    rig: Rig | None = None,
) -> Alignment:
    """Bring ``pictures`` into the frame of ``pictures[reference]``.

    ``mode``: see :class:`Aligner`; "none" changes nothing. ``border``: "crop" keeps the largest rectangle that all
    show, "fill" takes the reference's pixels where a source has none, "mask" also makes those transparent. ``rig``:
    known transforms, instead of an estimate. A picture that lies in the frame already keeps its pixels, bit by bit.

    Raises UsageError, and MismatchError where the pictures do not fit: in the mode "strict", or where an estimate is
    refused, or not asked for, between pictures of other sizes.
    """
    if not pictures:
        raise UsageError("there is no picture to align")
    aligner = Aligner(len(pictures), mode=mode, reference=reference, rig=rig)
    for index in aligner.order:
        aligner.look(index, pictures[index])
    frame = aligner.frame(border)
    base = pictures[reference]
    for picture, placement in zip(pictures, frame.placements, strict=True):
        if (mode == "none" or not placement.accepted) and placement.size != frame.size:
            said = f"{picture.name} is {picture.size} but {base.name} is {base.size}, and they do not align"
            raise MismatchError(said)
    placed = tuple(frame.masked(frame.place(index, picture, lambda: base)) for index, picture in enumerate(pictures))
    return Alignment(placed, frame.placements, tuple(aligner.notes), frame)
