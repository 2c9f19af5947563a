"""Pictures that the lenses of one camera took at a time, as DJI names them.

``DJI_20240105143007_0001_T`` goes with ``DJI_20240105143007_0001_W``; and ``DJI_0002_THRM``, or a name a second later,
with ``DJI_0001_WIDE``: each lens may count on, and write a second after another.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TypeAlias

from tita_cli.pairing.plan import Group, Leftover, Plan, make_plan
from tita_cli.pairing.roles import Roles, Slot
from tita_cli.pairing.scan import ImageFile

THERMAL: Slot = ("t", "thrm")
# The wide lens shows what the thermal one does; the zoom lens rarely.
PHOTOGRAPHS: tuple[Slot, ...] = (("w", "wide"), ("v", "visible"), ("z", "zoom"))

_NAME = re.compile(r"(.*?)((?:19|20)\d{12})?_?(\d{3,6})_([A-Za-z]+)((?:_.*)?)", re.DOTALL)
_COUNTED = 3  # a camera has up to four lenses, which count one after the other

Clock: TypeAlias = Callable[[ImageFile], "float | None"]


@dataclass(frozen=True, slots=True)
class _Shot:
    """``series``: what all names of a flight share. ``seconds``: by the name or by EXIF, None where neither tells."""

    image: ImageFile
    series: tuple[str, str, str]
    number: int
    seconds: float | None
    name: str


def pair_lenses(images: Sequence[ImageFile], roles: Roles | None, clock: Clock, *, gap: float) -> Plan:
    """Pictures of other lenses whose numbers and times are next to one another.

    ``roles``: the lenses that the user names, in their order; else the thermal one, and of the others the first that
    goes with it. ``clock``: gives the time of the capture in seconds by EXIF, asked where a name has none. ``gap``: the
    most seconds between the pictures of a group.
    """
    slots = [_slot(words) for words in roles.slots] if roles is not None else None
    if slots is not None and None in slots:
        return Plan("lenses", ())
    shots: dict[Slot, list[_Shot]] = defaultdict(list)
    known: set[Path] = set()
    for image in images:
        read = _read(image, clock)
        if read is not None:
            shots[read[0]].append(read[1])
            known.add(image.path)
    groups: list[Group] = []
    taken: set[_Shot] = set()
    for wanted in [slots] if slots is not None else [[photograph, THERMAL] for photograph in PHOTOGRAPHS]:
        found = [[shot for shot in shots[slot or ()] if shot not in taken] for slot in wanted]
        for members in _matched(found, gap):
            taken.update(members)
            why = f"names of one camera: {' + '.join('/'.join(slot or ()) for slot in wanted)}"
            groups.append(Group(members[0].name, tuple(shot.image.path for shot in members), why))
    paths = {source for group in groups for source in group.sources}
    reason = f"no one picture of another lens is nearest to it, within {gap:g} s and {_COUNTED} numbers"
    left = [
        Leftover(image.path, reason if image.path in known else "its name tells no lens")
        for image in images
        if image.path not in paths
    ]
    return make_plan("lenses", groups, left)


def _slot(words: Iterable[str]) -> Slot | None:
    """The lens that one of ``words`` names."""
    return next((slot for slot in (THERMAL, *PHOTOGRAPHS) if set(words) & set(slot)), None)


def _read(image: ImageFile, clock: Clock) -> tuple[Slot, _Shot] | None:
    match = _NAME.fullmatch(image.stem)
    slot = None if match is None else _slot([match[4].casefold()])
    if match is None or slot is None:
        return None
    before, stamp, number, _, after = match.groups()
    name = str(image.folder / f"{image.stem[: match.end(3)]}{after}")
    seconds = clock(image) if stamp is None else _seconds(stamp)
    return slot, _Shot(image, (str(image.folder), before, after), int(number), seconds, name)


def _seconds(stamp: str) -> float | None:
    try:
        return (datetime.strptime(stamp, "%Y%m%d%H%M%S") - datetime(1970, 1, 1)).total_seconds()
    except ValueError:
        return None


def _matched(lenses: Sequence[list[_Shot]], gap: float) -> list[tuple[_Shot, ...]]:
    """One shot of each lens, each the nearest of its lens to the first one, and the first one the nearest to it."""
    first, *others = lenses
    partners = [_mutual(first, other, gap) for other in others]
    matched = [shot for shot in first if all(shot in found for found in partners)]
    return [(shot, *(found[shot] for found in partners)) for shot in matched]


def _mutual(ones: list[_Shot], others: list[_Shot], gap: float) -> dict[_Shot, _Shot]:
    forth = {one: _nearest(one, others, gap) for one in ones}
    back = {other: _nearest(other, ones, gap) for other in others}
    return {one: other for one, other in forth.items() if other is not None and back[other] is one}


def _nearest(shot: _Shot, others: list[_Shot], gap: float) -> _Shot | None:
    """The shot that is nearest in time and number; None where there is none, or two are equally near."""
    distances = [_distance(shot, other, gap) for other in others]
    near = [distance for distance in distances if distance is not None]
    if not near or near.count(min(near)) > 1:
        return None
    return others[distances.index(min(near))]


def _distance(one: _Shot, other: _Shot, gap: float) -> tuple[float, int] | None:
    """Seconds and numbers apart; None where that is too far."""
    numbers = abs(one.number - other.number)
    if one.series != other.series or numbers > _COUNTED:
        return None
    if one.seconds is None or other.seconds is None:
        return (0.0, numbers) if numbers <= 1 else None
    seconds = abs(one.seconds - other.seconds)
    return (seconds, numbers) if seconds <= gap else None
