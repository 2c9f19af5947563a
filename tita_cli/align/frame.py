"""The frame that all sources of a fusion share, and how each is brought into it when it is read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from tita_cli.align.geometry import Size
from tita_cli.align.modes import Border
from tita_cli.align.placement import Placement
from tita_cli.align.warp import Area, Mask, common_area, covered, cropped, filled, warp
from tita_cli.errors import MismatchError
from tita_cli.images.picture import FloatArray, Picture


@dataclass(frozen=True)
class Frame:
    """The reference's frame, and the part of it that the result keeps.

    ``placements``: one for each source, in the order given. ``size``: of the reference (width, height). ``area``: what
    is kept, all of it unless ``border`` is "crop". ``seen``: H×W, where every source has pixels, inside ``area``; None
    where that is everywhere.
    """

    placements: tuple[Placement, ...]
    reference: int
    size: Size
    border: Border
    area: Area
    seen: Mask | None

    @classmethod
    def of(cls, placements: Sequence[Placement], reference: int, border: Border) -> Frame:
        """Find what the sources have in common. Raises MismatchError where that is nothing."""
        size = placements[reference].size
        seen: Mask | None = None
        for placement in placements:
            if not placement.accepted or (placement.is_still and placement.size == size):
                continue
            own = covered(placement.size, placement.matrix, size, flow=placement.flow)
            if not own.all():
                seen = own if seen is None else seen & own
        area = Area(0, 0, *size)
        if seen is not None and border == "crop":
            found = common_area(seen)
            if found is None:
                raise MismatchError(
                    f"{placements[reference].name}: no part of it is shown by every source",
                    hint="--border fill keeps the whole frame, --align none leaves the sources where they are",
                )
            area, seen = found, None
        return cls(tuple(placements), reference, size, border, area, seen)

    def place(self, index: int, picture: Picture, reference: Callable[[], Picture]) -> Picture:
        """Source ``index`` in this frame, resampled once where it moves, and not at all where it does not.

        ``reference``: gives the reference picture, whose pixels fill what the source lacks; called only where needed.
        """
        placement = self.placements[index]
        if placement.is_still:
            return cropped(picture, self.area)
        moved, valid = warp(picture, placement.matrix, self.size, flow=placement.flow)
        if self.border != "crop" and not valid.all():
            moved = filled(moved, reference(), valid)
        return cropped(moved, self.area)

    def masked(self, picture: Picture) -> Picture:
        """With the border "mask": ``picture``, a result in this frame, transparent where a source has no pixels."""
        if self.border != "mask" or self.seen is None:
            return picture
        return replace(picture, alpha=self.limited(picture.alpha))

    def limited(self, alpha: FloatArray | None) -> FloatArray:
        """``alpha`` (H×W, None for opaque), and nothing where a source has no pixels."""
        seen = np.ones((self.area.height, self.area.width), bool) if self.seen is None else self.seen
        return np.where(seen, np.float32(1.0) if alpha is None else alpha, np.float32(0.0)).astype(np.float32)
