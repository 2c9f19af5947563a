"""Words by which files and folders, and fields by which cameras, say whether a picture is infrared or visible."""

from __future__ import annotations

import re
from collections.abc import Sequence, Set
from pathlib import PurePath

from tita_cli.files import split_page
from tita_cli.images.picture import Metadata
from tita_cli.options import Role

INFRARED = (
    "ir", "infrared", "thermal", "therm", "thrm", "tir", "lwir", "mwir", "swir", "nir", "flir", "radiometric",
)  # fmt: skip
VISIBLE = ("vis", "visible", "vi", "rgb", "color", "colour", "eo", "wide", "zoom", "visual", "photo")
_LETTERS: dict[str, Role] = {"T": "infrared", "V": "visible", "W": "visible", "Z": "visible", "S": "visible"}
"""What DJI puts at the end of a file's name; they count where the other source ends with one, too."""
_CAMERA_FIELDS = re.compile(rb'(?:ImageSource|BandName)(?:="|>\s*(?:<rdf:Seq>\s*<rdf:li>)?\s*)(\w+)')
_THERMAL_MAKERS = (
    b"flir", b"teledyne", b"testo", b"fluke", b"seek thermal", b"hikmicro", b"infiray", b"optris", b"workswell",
    b"guide sensmart", b"infratec", b"xenics",
)  # fmt: skip


def roles_of_names(names: Sequence[str]) -> list[Role | None]:
    """What the name of each source says.

    A folder that all of them are in tells none from the others, nor does a word that all files' names have, where other
    words do: ``ir/FLIR_1.jpg``, ``vis/FLIR_1.jpg``.
    """
    shared = len({PurePath(split_page(name)[0]).parent for name in names}) == 1
    roles = [role_of_name(name, by_folder=not shared) for name in names]
    common = set.intersection(*(_words(PurePath(split_page(name)[0]).stem) for name in names)) if names else set()
    apart = [role_of_name(name, by_folder=not shared, without=common) for name in names]
    return apart if len(set(apart)) > 1 else roles


def _words(text: str) -> set[str]:
    return {word.casefold() for word in re.findall(r"[^\W\d_]+", text)}


def role_of_name(name: str, *, by_folder: bool = True, without: Set[str] = frozenset()) -> Role | None:
    """What the words of a file's name say, else those of the folder that it is in; None where they say nothing.

    ``without``: words of the file's name that do not count.
    """
    file, page = split_page(name)
    path = PurePath(file)
    for words in (_words(page or ""), _words(path.stem) - without, _words(path.parent.name if by_folder else "")):
        infrared, visible = words.intersection(INFRARED), words.intersection(VISIBLE)
        if infrared or visible:
            return None if infrared and visible else "infrared" if infrared else "visible"
    return None


def roles_of_letters(names: Sequence[str]) -> list[Role | None]:
    """What the last letters say of all sources, where they say it of each: ``DJI_0001_T.JPG``, ``DJI_0001_W.JPG``."""
    ends = [PurePath(name).stem.rpartition("_") for name in names]
    roles = [_LETTERS.get(letter) if underscore else None for _, underscore, letter in ends]
    return roles if None not in roles and "infrared" in roles else [None] * len(names)


def role_of_metadata(metadata: Metadata) -> Role | None:
    """What the camera that took a picture says of itself in XMP."""
    found = _CAMERA_FIELDS.search(metadata.xmp or b"")
    if found is None:
        return None
    source = found[1].lower()
    return "infrared" if b"infrared" in source or b"thermal" in source or source.endswith(b"wir") else "visible"


def is_of_thermal_maker(metadata: Metadata) -> bool:
    """Whether EXIF names a maker of infrared cameras, some of which take photographs, too."""
    exif = (metadata.exif or b"").lower()
    return any(maker in exif for maker in _THERMAL_MAKERS)
