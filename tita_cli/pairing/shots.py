"""Exposure brackets and focus bursts, by what the camera wrote down."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import TypeAlias

from tita_cli.errors import MismatchError
from tita_cli.pairing.capture import Roll, Shot
from tita_cli.pairing.plan import Group, Leftover, Plan, listing, make_plan
from tita_cli.pairing.scan import natural

Burst: TypeAlias = list[Shot]
# Cameras step by a third of a stop, and write times rounded: 1/50 s after 1/100 s may read 0.02 and 0.0099.
SAME_STOPS = 1 / 6


def pair_exposures(roll: Roll, *, gap: float, size: int | None = None) -> Plan:
    """Exposure brackets: shots of one camera in one folder, at most ``gap`` seconds apart, each with another exposure.

    A burst may hold several brackets if they repeat the same exposures. ``size``: shots a bracket, where known. Sorted
    from bright to dark; the middle exposure is the reference. Raises MismatchError where a burst can be cut in more
    than one way.
    """
    bursts, leftovers = _bursts(roll, gap), list(roll.leftovers)
    groups: list[Group] = []
    for burst in bursts:
        reason = _no_bracket(burst)
        if reason is not None:
            leftovers.extend(Leftover(shot.image.path, reason) for shot in burst)
            continue
        groups.extend(_bracket(bracket) for bracket in _cut(burst, size))
    return make_plan("exposure", groups, leftovers)


def pair_bursts(roll: Roll, *, gap: float, size: int | None = None) -> Plan:
    """Focus stacks: shots of one camera in one folder, at most ``gap`` seconds apart, all with the same exposure.

    Raises MismatchError where a burst is no multiple of ``size``.
    """
    bursts, leftovers = _bursts(roll, gap), list(roll.leftovers)
    groups: list[Group] = []
    for burst in bursts:
        paths = tuple(shot.image.path for shot in burst)
        if len(burst) == 1:
            leftovers.append(Leftover(paths[0], f"no other shot within {gap:g} s"))
        elif not _all_alike(burst):
            leftovers.extend(Leftover(path, "the exposures of its burst differ: see --by exposure") for path in paths)
        else:
            groups.extend(_stack(chunk) for chunk in _chunks(burst, size or len(burst)))
    return make_plan("burst", groups, leftovers)


def _bursts(roll: Roll, gap: float) -> list[Burst]:
    cameras: dict[tuple[PurePosixPath, tuple[str, ...]], Burst] = defaultdict(list)
    for shot in roll.shots:
        cameras[shot.image.folder, shot.camera].append(shot)
    return [burst for _, shots in sorted(cameras.items()) for burst in _split(shots, gap)]


def _split(shots: Burst, gap: float) -> Iterator[Burst]:
    """Cut where the shutter stayed closed for longer than ``gap``.

    Many cameras write whole seconds: names, which count up, order the shots within one.
    """
    shots.sort(key=lambda shot: (shot.seconds, natural(shot.image.stem), shot.image.path))
    burst: Burst = []
    for shot in shots:
        if burst and shot.seconds - (burst[-1].seconds + burst[-1].duration) > gap:
            yield burst
            burst = []
        burst.append(shot)
    if burst:
        yield burst


def _no_bracket(burst: Burst) -> str | None:
    if len(burst) == 1:
        return "no other shot close enough in time"
    if any(shot.stops is None for shot in burst):
        return "its burst lacks exposure data"
    if _all_alike(burst):
        return "all shots of its burst have the same exposure: see --by burst"
    return None


def _alike(first: Shot, second: Shot) -> bool:
    return first.stops is None or second.stops is None or abs(first.stops - second.stops) < SAME_STOPS


def _all_alike(burst: Burst) -> bool:
    return all(_alike(shot, burst[0]) for shot in burst)


def _cut(burst: Burst, size: int | None) -> list[Burst]:
    """Cut a burst into brackets that all hold the same exposures, each once."""
    repeat = next((i for i, shot in enumerate(burst) if any(_alike(shot, other) for other in burst[:i])), len(burst))
    length = size or repeat
    if len(burst) % length == 0:
        brackets = [burst[start : start + length] for start in range(0, len(burst), length)]
        if repeat >= length > 1 and all(_same_exposures(bracket, brackets[0]) for bracket in brackets):
            return brackets
    shots = ", ".join(f"{shot.image.path.name} {shot.stops:+.1f}" for shot in burst[:12])
    more = f" and {len(burst) - 12} more" if len(burst) > 12 else ""
    raise MismatchError(
        f"{burst[0].image.path.parent}: shots taken together that are no whole number of brackets"
        f"{f' of {size}' if size else ''} (stops): {shots}{more}",
        hint="a smaller --gap may tell them apart, --stack N says how many shots a bracket has; or give a manifest",
    )


def _same_exposures(first: Burst, second: Burst) -> bool:
    pairs = zip(sorted(first, key=_brightness), sorted(second, key=_brightness), strict=True)
    return all(_alike(one, other) for one, other in pairs)


def _brightness(shot: Shot) -> float:
    return shot.stops or 0.0


def _bracket(shots: Burst) -> Group:
    ordered = sorted(shots, key=lambda shot: (-_brightness(shot), shot.image.path))
    reference = (len(ordered) - 1) // 2
    span = _brightness(ordered[0]) - _brightness(ordered[-1])
    why = f"{len(ordered)} exposures over {span:.1f} stops, one camera, one burst"
    return Group(_name(ordered[reference]), tuple(shot.image.path for shot in ordered), why, reference)


def _stack(shots: Burst) -> Group:
    why = f"{len(shots)} shots of one exposure, one camera, one burst"
    return Group(_name(shots[0]), tuple(shot.image.path for shot in shots), why)


def _name(shot: Shot) -> str:
    return str(shot.image.folder / shot.image.stem)


def _chunks(burst: Burst, size: int) -> list[Burst]:
    if len(burst) % size:
        raise MismatchError(
            f"{len(burst)} shots taken together cannot be cut into stacks of {size}: "
            f"{listing([burst[0].image.path, burst[-1].image.path])}",
            hint="give another --stack or --gap, or a manifest",
        )
    return [burst[start : start + size] for start in range(0, len(burst), size)]
