"""The common frame of the sources of a fusion, and how each is brought into it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from tita_cli.align.geometry import Size
from tita_cli.align.modes import MODELS, Border
from tita_cli.align.placement import Placement
from tita_cli.align.resampling import Area
from tita_cli.align.warp import Mask, common_area, covered, cropped, filled, transparent, warp
from tita_cli.errors import MismatchError
from tita_cli.images.picture import Picture


@dataclass(frozen=True)
class Frame:
    """The reference's frame, and the part of it that the result keeps.

    ``placements``: one for each source, in the order given. ``size``: of the reference (width, height). ``border``:
    "crop" keeps the largest rectangle that all sources show, "fill" keeps the whole frame, "mask" also makes the
    places of the result transparent that not all of them show. ``area``: what is kept, all of it unless ``border`` is
    "crop". ``seen``: H×W, where every source has pixels, inside ``area``; None where that is everywhere. ``notes``:
    which sources could not be aligned, one line each.
    """

    placements: tuple[Placement, ...]
    reference: int
    size: Size
    border: Border
    area: Area
    seen: Mask | None
    notes: tuple[str, ...] = ()

    @property
    def left_out(self) -> tuple[int, ...]:
        """The sources that a fusion is to do without: those not aligned, where at least two others are."""
        refused = tuple(index for index, placement in enumerate(self.placements) if not placement.accepted)
        return refused if len(self.placements) - len(refused) >= 2 else ()

    @property
    def summary(self) -> str | None:
        """What alignment did, in one line: model, residual and crop; None where nothing moved."""
        moved = [placement for placement in self.placements if placement.accepted and not placement.is_still]
        if not moved:
            return None
        base, model = self.placements[self.reference], max((one.model for one in moved), key=MODELS.index)
        known = [one.residual for one in moved if one.residual is not None]
        residual = f", residual {np.median(known):.2f} px" if known else ""
        share = self.area.width * self.area.height / (self.size[0] * self.size[1])
        aligned = sum(placement.accepted for placement in self.placements) - 1
        return (
            f"{aligned} of {len(self.placements) - 1} aligned to {base.name}: {model}{residual}, "
            f"{share:.1%} of the frame kept"
        )

    @classmethod
    def of(cls, placements: Sequence[Placement], reference: int, border: Border, notes: tuple[str, ...] = ()) -> Frame:
        """Find the part that all sources show. Raises MismatchError where there is none."""
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
                    f"{placements[reference].name}: no part of it is shown by all sources",
                    hint="`border` fill keeps the whole frame, `align` none leaves the sources where they are",
                )
            area, seen = found, None
        return cls(tuple(placements), reference, size, border, area, seen, notes)

    def place(self, index: int, picture: Picture, reference: Callable[[], Picture] | None = None) -> Picture:
        """Source ``index`` in this frame: resampled once where it moves, its own pixels where it does not.

        ``reference``: gives the reference picture, which fills what the source does not show; called only where needed.
        Without one, the source is transparent there.
        """
        placement = self.placements[index]
        if placement.is_still:
            return cropped(picture, self.area)
        moved = warp(picture, placement.matrix, self.size, flow=placement.flow, area=self.area)
        if self.border == "crop":
            return moved
        valid = covered((picture.width, picture.height), placement.matrix, self.size, flow=placement.flow)
        if valid.all():
            return moved
        return transparent(moved, ~valid) if reference is None else filled(moved, reference(), valid)

    def masked(self, picture: Picture) -> Picture:
        """``picture``, a result in this frame; with the border "mask", transparent where a source has no pixels."""
        if self.border != "mask" or self.seen is None:
            return picture
        opaque = np.float32(1.0) if picture.alpha is None else picture.alpha
        return replace(picture, alpha=np.where(self.seen, opaque, np.float32(0.0)).astype(np.float32))


def check_sizes(placements: Sequence[Placement], reference: int, *, looked: bool = True) -> None:
    """Raise MismatchError where a source that is not aligned has another size than the reference.

    ``looked``: whether an alignment was tried at all; for the message.
    """
    base = placements[reference]
    for other in placements:
        if other.size != base.size and not other.accepted:
            (w, h), (base_w, base_h) = other.size, base.size
            raise MismatchError(
                f"{other.name} is {w}×{h} but {base.name} is {base_w}×{base_h}"
                + (", and they could not be aligned" if looked else ""),
                hint=_way_out(other.size, base.size, looked=looked),
            )


def _way_out(size: Size, base: Size, *, looked: bool) -> str:
    """What to do about two pictures of other sizes that are not aligned."""
    one, two = (math.log(width / height) for width, height in (size, base))
    if abs(one) > 0.1 and abs(one + two) < 0.1:  # upright and lying, of one shape
        return "one of them may be turned by 90°: turn it back first" + (
            "" if looked else ", or leave out `align` none"
        )
    if not looked:
        return "`resize` brings all sources to the reference's size"
    return (
        "`align_from` applies a motion that tita calibrate found from other pairs of these cameras; `resize` brings "
        "both to one size, where they show the same"
    )
