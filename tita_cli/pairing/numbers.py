"""Stacks of numbered images: ``room_1``, ``room_2``, ``room_3``; and folders that hold one stack each."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath
from typing import TypeAlias

from tita_cli.errors import MismatchError
from tita_cli.images.naming import natural
from tita_cli.pairing.plan import Group, Leftover, Plan, listing, make_plan
from tita_cli.pairing.scan import ImageFile
from tita_cli.pairing.words import SEPARATORS

Run: TypeAlias = list[tuple[int, ImageFile]]
LAST_NUMBER = re.compile(r"^(.*?)([0-9]+)([^0-9]*)$", re.DOTALL)


def pair_numbers(images: Sequence[ImageFile], size: int | None = None) -> Plan:
    """Images of one folder whose names differ only in the last number, which counts up without gaps.

    With ``size``, every run of consecutive numbers is divided into stacks of that many images. Raises MismatchError
    where a number occurs twice, where there is a gap and no ``size``, or where a run is longer than ``size`` and not a
    multiple of it.
    """
    stacks: dict[tuple[PurePosixPath, str, str], Run] = defaultdict(list)
    leftovers: list[Leftover] = []
    for image in images:
        match = LAST_NUMBER.match(image.stem)
        if match is None:
            leftovers.append(Leftover(image.path, "its name has no number"))
        else:
            before, number, after = match.groups()
            stacks[image.folder, before, after].append((int(number), image))
    groups: list[Group] = []
    for (folder, before, after), members in sorted(stacks.items()):
        runs = list(_runs(sorted(members, key=lambda member: (member[0], member[1].path))))
        if size is None and len(runs) > 1:
            raise MismatchError(
                f"{folder / (before + '…' + after)}: the numbers have gaps: {_spans(runs)}",
                hint="`stack` N divides each run into stacks of N, `by` scenes takes each folder as one; or a manifest",
            )
        for run in runs:
            stem = (before + after).rstrip(SEPARATORS)
            _cut(run, size, str(folder / stem), groups, leftovers)
    return make_plan("numbers", groups, leftovers)


def pair_scenes(images: Sequence[ImageFile]) -> Plan:
    """Every folder that holds images directly is one stack, in the order of the names."""
    folders: dict[PurePosixPath, list[ImageFile]] = defaultdict(list)
    for image in images:
        folders[image.folder].append(image)
    groups: list[Group] = []
    leftovers: list[Leftover] = []
    for folder, members in folders.items():
        if len(members) < 2:
            leftovers.append(Leftover(members[0].path, "is the only image in its folder"))
            continue
        members.sort(key=lambda image: (natural(image.stem), image.path))
        groups.append(Group(str(folder), tuple(image.path for image in members), "all images of one folder"))
    return make_plan("scenes", groups, leftovers)


def _runs(members: Run) -> Iterator[Run]:
    """Split sorted members wherever the number increases by more than one."""
    run: Run = []
    for number, image in members:
        if run and number == run[-1][0]:
            raise MismatchError(
                f"two images have the same number: {listing([run[-1][1].path, image.path])}",
                hint="move one of them elsewhere, or give a manifest",
            )
        if run and number != run[-1][0] + 1:
            yield run
            run = []
        run.append((number, image))
    yield run


def _cut(run: Run, size: int | None, name: str, groups: list[Group], leftovers: list[Leftover]) -> None:
    paths = [image.path for _, image in run]
    if size is None:
        if len(paths) == 1:
            leftovers.append(Leftover(paths[0], "no other image belongs to its series of numbers"))
        else:
            groups.append(Group(name, tuple(paths), "numbered without gaps"))
        return
    if len(paths) < size:
        leftovers.extend(
            Leftover(path, f"in a run of {len(paths)} images, fewer than `stack` {size}") for path in paths
        )
        return
    if len(paths) % size:
        raise MismatchError(
            f"a run of {len(paths)} images cannot be divided into stacks of {size}: {paths[0]} … {paths[-1]}",
            hint="give another `stack`, or a manifest",
        )
    for start in range(0, len(paths), size):
        first = run[start][1]
        stack = tuple(paths[start : start + size])
        groups.append(Group(str(first.folder / first.stem), stack, f"{size} consecutive numbers"))


def _spans(runs: Sequence[Run], most: int = 6) -> str:
    spans = [str(run[0][0]) if len(run) == 1 else f"{run[0][0]}–{run[-1][0]}" for run in runs]
    return ", ".join(spans[:most]) + (" …" if len(spans) > most else "")
