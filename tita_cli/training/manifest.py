"""The manifest: the folders of images that a training run uses, and how each is read.

A manifest is the array of ``[[data]]`` tables in the training configuration::

    [[data]]
    task = "ivf"                 # ivf, mef or mff
    kind = "pairs"               # two folders whose files go together by name
    a = "msrs/vis"               # visible / over-exposed / focused far
    b = "msrs/ir"                # infrared / under-exposed / focused near
    weight = 2.0                 # how often, against the other entries of the task

    [[data]]
    task = "mef"
    kind = "series"              # a folder of scenes, each a folder of three or more exposures
    scenes = "sice"

    [[data]]
    task = "mff"
    kind = "triples"             # pairs with the all-in-focus truth
    a = "nyud/a"
    b = "nyud/b"
    sharp = "nyud/sharp"

    [[data]]
    task = "mff"                 # or mef, ivf: pairs are synthesised from sharp stills
    kind = "stills"
    stills = "bsds"
    regions = "bsds_regions"     # optional label images, so that focus, light and temperature follow the objects

Folders are relative to the folder of the configuration, or to its ``data_root``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tita_cli.errors import TrainingError

TASKS = ("ivf", "mef", "mff")
"""Infrared–visible, multi-exposure, multi-focus; every part of training lists them in this order."""

_FOLDERS: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "pairs": (("a", "b"), ()),
    "series": (("scenes",), ()),
    "triples": (("a", "b", "sharp"), ()),
    "stills": (("stills",), ("regions",)),
}
"""Per kind: required and optional folders."""

_TASKS_OF_KIND: Mapping[str, tuple[str, ...]] = {
    "pairs": TASKS,
    "series": ("mef",),
    "triples": ("mff",),
    "stills": TASKS,
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One ``[[data]]`` table.

    ``folders``: role (``a``, ``b``, ``sharp``, ``scenes``, ``stills``, ``regions``) → folder.
    ``weight``: relative frequency among the entries of its task, > 0.
    ``crop_border``: pixels cut from every side of every image (black or badly registered margins).
    ``swap``: probability that A and B are exchanged. 0 keeps the documented order.
    ``reference``: use the output of ``exposure_reference`` or ``infrared_reference`` as the target.
    """

    task: str
    kind: str
    folders: Mapping[str, Path]
    weight: float = 1.0
    crop_border: int = 0
    swap: float = 0.5
    reference: bool = True

    @property
    def name(self) -> str:
        """The name used in messages."""
        return f"{self.task} {self.kind} {next(iter(self.folders.values()))}"


@dataclass(frozen=True, slots=True)
class Manifest:
    """All data of a run, in the order of the file."""

    entries: tuple[Entry, ...]

    @property
    def tasks(self) -> tuple[str, ...]:
        """The tasks that have data, in the order of ``TASKS``."""
        present = {entry.task for entry in self.entries}
        return tuple(task for task in TASKS if task in present)

    @classmethod
    def from_tables(cls, tables: object, *, root: Path) -> Manifest:
        """Check the ``[[data]]`` tables of a configuration.

        ``tables``: the parsed value of the key ``data``. ``root``: base of relative folders.
        Raises TrainingError that names the entry and the key.
        """
        if not isinstance(tables, Sequence) or isinstance(tables, str) or not tables:
            raise TrainingError("the configuration names no data", hint="add one or more [[data]] tables")
        return cls(tuple(_entry(table, number, root) for number, table in enumerate(tables, start=1)))


def _entry(table: object, number: int, root: Path) -> Entry:
    where = f"[[data]] number {number}"
    if not isinstance(table, Mapping):
        raise TrainingError(f"{where} is not a table")
    kind = _choice(table, "kind", tuple(_FOLDERS), where)
    task = _choice(table, "task", _TASKS_OF_KIND[kind], f"{where} (kind {kind})")
    needed, possible = _FOLDERS[kind]
    unknown = set(table) - {"task", "kind", "weight", "crop_border", "swap", "reference", *needed, *possible}
    if unknown:
        raise TrainingError(f"{where} (kind {kind}): unknown key {sorted(unknown)[0]!r}")
    if "reference" in table and task == "mff":
        raise TrainingError(f"{where}: reference does not apply to focus pairs, whose truth is known")
    return Entry(
        task=task,
        kind=kind,
        folders={
            role: root / _text(table, role, where) for role in (*needed, *possible) if role in table or role in needed
        },
        weight=_number(table, "weight", 1.0, where, low=0.0, exclusive=True),
        crop_border=int(_number(table, "crop_border", 0, where, low=0.0, whole=True)),
        swap=_number(table, "swap", 0.5, where, low=0.0, high=1.0),
        reference=_flag(table, "reference", True, where),
    )


def _choice(table: Mapping[str, object], key: str, choices: tuple[str, ...], where: str) -> str:
    value = table.get(key)
    if value not in choices:
        given = "is missing" if value is None else f"is {value!r}"
        raise TrainingError(f"{where}: {key} {given}; it is one of {', '.join(choices)}")
    return str(value)


def _text(table: Mapping[str, object], key: str, where: str) -> str:
    value = table.get(key)
    if not isinstance(value, str) or not value:
        raise TrainingError(f"{where}: {key} must name a folder")
    return value


def _flag(table: Mapping[str, object], key: str, default: bool, where: str) -> bool:
    value = table.get(key, default)
    if not isinstance(value, bool):
        raise TrainingError(f"{where}: {key} must be true or false, not {value!r}")
    return value


def _number(
    table: Mapping[str, object],
    key: str,
    default: float,
    where: str,
    *,
    low: float,
    high: float = float("inf"),
    exclusive: bool = False,
    whole: bool = False,
) -> float:
    value = table.get(key, default)
    kinds = int if whole else (int, float)
    if isinstance(value, bool) or not isinstance(value, kinds):
        raise TrainingError(f"{where}: {key} must be {'an integer' if whole else 'a number'}, not {value!r}")
    if not low <= value <= high or (exclusive and value == low) or value == float("inf"):
        bounds = (
            f"above {low:g}" if exclusive else f"at least {low:g}" if high == float("inf") else f"{low:g} to {high:g}"
        )
        raise TrainingError(f"{where}: {key} must be {bounds}, not {value!r}")
    return float(value)
