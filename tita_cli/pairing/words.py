"""Pairs distinguished by a word in the name of a folder (``vis/x``, ``ir/x``) or of a file (``x_vis``, ``x_ir``)."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import TypeAlias

from tita_cli.errors import MismatchError
from tita_cli.pairing.plan import Group, Leftover, Plan, listing, make_plan
from tita_cli.pairing.roles import FAMILIES, Roles
from tita_cli.pairing.scan import ImageFile

SEPARATORS = " _.-+~()[]"


@dataclass(frozen=True, slots=True)
class Reading:
    """One way to read an image's path: which source it is, and what it shares with the other sources.

    ``role``: index of the source. ``word``: the word that says so. ``key``: the path without the word (in a file's name
    a NUL takes its place). ``name``: the same, as a name for the result.
    """

    role: int
    word: str
    key: str
    name: str


Reader: TypeAlias = Callable[[ImageFile, Roles], list[Reading]]


def pair_folders(images: Sequence[ImageFile], roles: Roles) -> Plan:
    """Parallel folders: the same path below folders named with the words.

    Raises MismatchError where a group could be made in more than one way.
    """
    return _pair("folders", images, roles, read_folder)


def pair_names(images: Sequence[ImageFile], roles: Roles) -> Plan:
    """Words in the file's name, at its beginning, end or between separators; all else must be equal.

    Raises MismatchError where a group could be made in more than one way.
    """
    return _pair("names", images, roles, read_name)


def present_roles(images: Sequence[ImageFile], rule: str) -> list[Roles]:
    """The families of words of which two or more occur together in some group, each reduced to the words that do.

    ``rule``: ``folders`` or ``names``. A stray ``plan_c`` must not make ``x_a`` and ``x_b`` lack an ``x_c``.
    """
    read = read_folder if rule == "folders" else read_name
    found: list[Roles] = []
    for family in FAMILIES:
        meetings: dict[str, set[tuple[int, str]]] = defaultdict(set)
        for image in images:
            for reading in read(image, Roles(family)):
                meetings[reading.key].add((reading.role, reading.word))
        met = {pair for pairs in meetings.values() if len({role for role, _ in pairs}) > 1 for pair in pairs}
        slots = [tuple(word for word in slot if (role, word) in met) for role, slot in enumerate(family)]
        if met:
            found.append(Roles(tuple(slot for slot in slots if slot)))
    return found


def read_folder(image: ImageFile, roles: Roles) -> list[Reading]:
    """A reading for every folder on the image's path that is named with one of the words.

    ``vis/x_vis.png`` counts as ``vis/x.png``: many data sets state the source twice.
    """
    parts = image.folder.parts
    readings: list[Reading] = []
    for index, part in enumerate(parts):
        role = roles.find(part)
        if role is None:
            continue
        own = Roles((roles.slots[role],), roles.named)
        stems = [reading.name for reading in read_stem(image.stem, own) if reading.name]
        rest = PurePosixPath(*parts[:index], *parts[index + 1 :], stems[0] if len(stems) == 1 else image.stem)
        readings.append(Reading(role, part.casefold(), str(rest), str(rest)))
    return readings


def read_name(image: ImageFile, roles: Roles) -> list[Reading]:
    """A reading for every word in the image's stem."""
    folder = image.folder
    return [
        replace(reading, key=str(folder / reading.key), name=str(folder / reading.name))
        for reading in read_stem(image.stem, roles)
    ]


def read_stem(stem: str, roles: Roles) -> list[Reading]:
    """A reading for every occurrence of a word in ``stem`` between separators, ends, or (if long enough) digits."""
    readings: list[Reading] = []
    for role, slot in enumerate(roles.slots):
        for word in slot:
            for match in re.finditer(f"(?i:{re.escape(word)})", stem):
                before, after = stem[: match.start()], stem[match.end() :]
                digits = roles.named or len(word) > 1
                if _edge(before[-1:], word[0], digits) and _edge(after[:1], word[-1], digits):
                    readings.append(Reading(role, word, f"{before}\0{after}", _join(before, after)))
    return readings


def _edge(neighbour: str, own: str, digits: bool) -> bool:
    """Whether a word may end here: ``own`` is its outermost character, ``neighbour`` the one beyond."""
    if not neighbour or neighbour in SEPARATORS or own in SEPARATORS:
        return True
    return digits and neighbour.isdigit() and not own.isdigit()


def _join(before: str, after: str) -> str:
    """The name without the word, joined with one of the separators around it."""
    left, right = before.rstrip(SEPARATORS), after.lstrip(SEPARATORS)
    if not left or not right:
        return left + right
    return left + (before[len(left) :] or after[: len(after) - len(right)]) + right


def _pair(rule: str, images: Sequence[ImageFile], roles: Roles, read: Reader) -> Plan:
    table: dict[str, dict[int, list[ImageFile]]] = defaultdict(lambda: defaultdict(list))
    names: dict[str, str] = {}
    readings = {image: read(image, roles) for image in images}
    for image, found in readings.items():
        for reading in found:
            row = table[reading.key][reading.role]
            if image not in row:  # vis/vis/x has two readings
                row.append(image)
            names[reading.key] = reading.name
    complete = {key: row for key, row in table.items() if len(row) == len(roles.slots)}
    _refuse_ambiguity(complete, names, roles)
    groups = [
        Group(names[key], tuple(row[role][0].path for role in range(len(roles.slots))), _why(rule, roles))
        for key, row in complete.items()
    ]
    taken = {source for group in groups for source in group.sources}
    leftovers = [
        Leftover(image.path, _reason(found, table, roles, rule))
        for image, found in readings.items()
        if image.path not in taken
    ]
    return make_plan(rule, groups, leftovers)


def _refuse_ambiguity(complete: dict[str, dict[int, list[ImageFile]]], names: dict[str, str], roles: Roles) -> None:
    homes: dict[Path, list[str]] = defaultdict(list)
    for key, row in sorted(complete.items()):
        for role, found in sorted(row.items()):
            paths = [image.path for image in found]
            if len(paths) > 1:
                word = "/".join(roles.slots[role])
                raise MismatchError(
                    f"{names[key]}: more than one image could be its {word}: {listing(paths)}",
                    hint="move the others elsewhere, or choose one in a manifest",
                )
            homes[paths[0]].append(key)
    for path, keys in sorted(homes.items()):
        if len(keys) > 1:
            partners = [image.path for key in keys for found in complete[key].values() for image in found]
            raise MismatchError(
                f"{path} could belong to more than one group: {listing(sorted(set(partners) - {path}))}",
                hint="name the words that tell the sources apart with `pair`, or give a manifest",
            )


def _why(rule: str, roles: Roles) -> str:
    if rule == "folders":
        return f"same name in the folders {roles.names}"
    return f"names differ only in {roles.names}"


def _reason(found: Iterable[Reading], table: dict[str, dict[int, list[ImageFile]]], roles: Roles, rule: str) -> str:
    readings = list(found)
    if not readings:
        where = "is in no folder" if rule == "folders" else "its name has no word"
        return f"{where} of {roles.names}"
    nearest = max((table[reading.key] for reading in readings), key=len)
    missing = ["/".join(slot) for role, slot in enumerate(roles.slots) if role not in nearest]
    return f"there is no {' and no '.join(missing)} for it"
