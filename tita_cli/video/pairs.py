"""Which frame of one clip goes with which of the other: the nearest in time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction

from tita_cli.video.frame import Frame


@dataclass(slots=True)
class Unpaired:
    """What pairing left out. ``before``: frames of the first clip from before the other begins. ``goes_on``:
    whether it goes on after the other has ended. ``longest``: the longest pause of the other that was bridged."""

    before: int = 0
    goes_on: bool = False
    longest: Fraction = Fraction(0)


def nearest_pairs(
    first: Iterable[Frame], second: Iterable[Frame], *, interval: Fraction, offset: Fraction, unpaired: Unpaired
) -> Iterator[tuple[Frame, Frame]]:
    """Every frame of ``first`` and the frame of ``second`` that is nearest to it in time, the earlier of two as near.

    ``interval``: seconds between frames of ``second`` as a rule; ``offset``: seconds that are added to its time stamps.
    Where ``second`` has not begun, or has ended an interval ago, frames of ``first`` are left out.
    """
    others = iter(second)
    before: Frame | None = None
    after = next(others, None)
    for frame in first:
        time = frame.time - offset
        while after is not None and after.time <= time:
            if before is not None:
                unpaired.longest = max(unpaired.longest, after.time - before.time)
            before, after = after, next(others, None)
        if after is None:
            if before is None or time - before.time >= interval:
                unpaired.goes_on = True
                return
            yield frame, before
        elif before is None:
            if after.time - time > interval / 2:
                unpaired.before += 1
                continue
            yield frame, after
        else:
            yield frame, before if time - before.time <= after.time - time else after
