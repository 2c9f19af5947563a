"""Exposure brackets and focus stacks, found by capture time and exposure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import TypeAlias

from tita_cli.errors import MismatchError
from tita_cli.images.naming import natural
from tita_cli.pairing.capture import Capture, Captures
from tita_cli.pairing.plan import Group, Leftover, Plan, listing, make_plan

Burst: TypeAlias = list[Capture]
# Cameras step by a third of a stop, and round the times they record: 1/100 s may read 0.0099.
SAME_STOPS = 1 / 6


def pair_exposures(captures: Captures, *, gap: float, size: int | None = None) -> Plan:
    """Exposure brackets: images of one camera in one folder, at most ``gap`` seconds apart, of different exposures.

    A burst may hold several brackets if each has the same exposures. ``size``: images per bracket, where known. A
    bracket is sorted from the brightest to the darkest; the middle exposure is the reference. Raises MismatchError
    where a burst cannot be divided into brackets unambiguously.
    """
    bursts, leftovers = _bursts(captures, gap), list(captures.leftovers)
    groups: list[Group] = []
    for burst in bursts:
        reason = _why_no_bracket(burst)
        if reason is not None:
            leftovers.extend(Leftover(capture.image.path, reason) for capture in burst)
            continue
        groups.extend(_bracket(bracket) for bracket in _cut(burst, size))
    return make_plan("exposure", groups, leftovers)


def pair_bursts(captures: Captures, *, gap: float, size: int | None = None) -> Plan:
    """Focus stacks: images of one camera in one folder, at most ``gap`` seconds apart, all of the same exposure.

    Raises MismatchError where the length of a burst is not a multiple of ``size``.
    """
    bursts, leftovers = _bursts(captures, gap), list(captures.leftovers)
    groups: list[Group] = []
    for burst in bursts:
        paths = tuple(capture.image.path for capture in burst)
        if len(burst) == 1:
            leftovers.append(Leftover(paths[0], f"no other image within {gap:g} s"))
        elif not _all_alike(burst):
            leftovers.extend(Leftover(path, "the exposures of its burst differ: see `by` exposure") for path in paths)
        else:
            groups.extend(_stack(chunk) for chunk in _chunks(burst, size or len(burst)))
    return make_plan("burst", groups, leftovers)


def _bursts(captures: Captures, gap: float) -> list[Burst]:
    cameras: dict[tuple[PurePosixPath, tuple[str, ...]], Burst] = defaultdict(list)
    for capture in captures.items:
        cameras[capture.image.folder, capture.camera].append(capture)
    return [burst for _, taken in sorted(cameras.items()) for burst in _split(taken, gap)]


def _split(taken: Burst, gap: float) -> Iterator[Burst]:
    """Split where more than ``gap`` seconds pass between the end of one exposure and the start of the next.

    Many cameras record whole seconds; within one, file names give the order.
    """
    taken.sort(key=lambda capture: (capture.seconds, natural(capture.image.stem), capture.image.path))
    burst: Burst = []
    for capture in taken:
        if burst and capture.seconds - (burst[-1].seconds + burst[-1].duration) > gap:
            yield burst
            burst = []
        burst.append(capture)
    if burst:
        yield burst


def _why_no_bracket(burst: Burst) -> str | None:
    if len(burst) == 1:
        return "no other image close enough in time"
    if any(capture.stops is None for capture in burst):
        return "its burst has no exposure data"
    if _all_alike(burst):
        return "all images of its burst have the same exposure: see `by` burst"
    return None


def _alike(first: Capture, second: Capture) -> bool:
    return first.stops is None or second.stops is None or abs(first.stops - second.stops) < SAME_STOPS


def _all_alike(burst: Burst) -> bool:
    return all(_alike(capture, burst[0]) for capture in burst)


def _cut(burst: Burst, size: int | None) -> list[Burst]:
    """Divide a burst into brackets that all have the same exposures, each of them once."""
    repeat = next(
        (i for i, capture in enumerate(burst) if any(_alike(capture, other) for other in burst[:i])), len(burst)
    )
    length = size or repeat
    if len(burst) % length == 0:
        brackets = [burst[start : start + length] for start in range(0, len(burst), length)]
        if repeat >= length > 1 and all(_same_exposures(bracket, brackets[0]) for bracket in brackets):
            return brackets
    exposures = ", ".join(f"{capture.image.path.name} {capture.stops:+.1f}" for capture in burst[:12])
    more = f" and {len(burst) - 12} more" if len(burst) > 12 else ""
    raise MismatchError(
        f"{burst[0].image.path.parent}: a burst is not a whole number of brackets"
        f"{f' of {size}' if size else ''} (stops): {exposures}{more}",
        hint="a smaller `gap` may separate them, `stack` N says how many images a bracket has; or give a manifest",
    )


def _same_exposures(first: Burst, second: Burst) -> bool:
    pairs = zip(sorted(first, key=_brightness), sorted(second, key=_brightness), strict=True)
    return all(_alike(one, other) for one, other in pairs)


def _brightness(capture: Capture) -> float:
    return capture.stops or 0.0


def _bracket(burst: Burst) -> Group:
    ordered = sorted(burst, key=lambda capture: (-_brightness(capture), capture.image.path))
    reference = (len(ordered) - 1) // 2
    span = _brightness(ordered[0]) - _brightness(ordered[-1])
    why = f"{len(ordered)} exposures over {span:.1f} stops, one camera, one burst"
    return Group(_name(ordered[reference]), tuple(capture.image.path for capture in ordered), why, reference)


def _stack(burst: Burst) -> Group:
    why = f"{len(burst)} images of one exposure, one camera, one burst"
    return Group(_name(burst[0]), tuple(capture.image.path for capture in burst), why)


def _name(capture: Capture) -> str:
    return str(capture.image.folder / capture.image.stem)


def _chunks(burst: Burst, size: int) -> list[Burst]:
    if len(burst) % size:
        raise MismatchError(
            f"a burst of {len(burst)} images cannot be divided into stacks of {size}: "
            f"{listing([burst[0].image.path, burst[-1].image.path])}",
            hint="give another `stack` or `gap`, or a manifest",
        )
    return [burst[start : start + size] for start in range(0, len(burst), size)]
