"""What users type that a parser would refuse, or a program not find: file names with a minus, patterns, folders."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Sequence
from pathlib import Path

from tita_cli.errors import InputError, OutputError
from tita_cli.files import Address, is_address, path_of

_NUMBER_FIRST = re.compile(r"-\.?\d(?![\d.]*$)")
PICTURE = re.compile(r"\.(png|jpe?g|tiff?|webp|avif|hei[cf]|bmp|gif|p[bgpnf]m|hdr|exr|dng)(@\S+)?$", re.IGNORECASE)
"""A name that looks like a picture's, whether there is such a file or not."""


def readable(argv: Sequence[str]) -> list[str]:
    """``argv`` with ``help X`` as ``X --help``, ``file:///a%20b.tif`` as ``/a b.tif``, and ``-2ev.tif`` as a file: no
    option begins with a digit."""
    if argv and argv[0] == "help":
        return [*(each for each in argv[1:2] if each != "help"), "--help"]
    here = [str(path_of(each)) if each.startswith("file://") else each for each in argv]
    return [f"./{each}" if _NUMBER_FIRST.match(each) else each for each in here]


def expand_patterns(sources: Sequence[str]) -> list[str]:
    """``sources`` with patterns replaced by the files that they match, sorted: not every shell does that.

    Raises InputError for one that matches nothing.
    """
    found: list[str] = []
    for source in sources:
        if not glob.has_magic(source) or Path(source).exists():
            found.append(source)
            continue
        # glob, since a pattern may begin with a drive or be absolute
        matches = _matches(source) if is_address(source) else sorted(glob.glob(source))  # noqa: PTH207
        if not matches:
            raise InputError(f"{source}: no file matches", hint=_instead(source))
        found += matches
    return found


def _instead(source: str) -> str:
    """What to write in place of a pattern that matches nothing; other programs name a picture of a file so."""
    file, bracket, page = source.removesuffix("]").rpartition("[")
    if bracket and page.isdecimal() and Path(file).is_file():
        return f"{file}@N names picture N of a file, counted from 1"
    return "look at the folder's names with ls"


def _matches(pattern: str) -> list[str]:
    """The files that a pattern at an address matches; in web addresses ? and [ are no wildcards."""
    from tita_cli.files import remote

    if "*" not in pattern:
        return [pattern]
    return [str(match) for match in remote.match(Address(pattern))]


def repeated(sources: Sequence[str]) -> list[str]:
    """A note for every file that ``sources`` name more than once: its part of the picture grows by that."""
    files = [source if is_address(source) else os.path.realpath(source) for source in sources]
    again = {file: source for file, source in zip(files, sources, strict=True) if files.count(file) > 1}
    return [f"{source}: is given more than once" for source in again.values()]


def refuse_folders(sources: Sequence[str]) -> None:
    """Raise InputError for a folder among what is to be one picture, with the command that takes folders."""
    folders = [source for source in sources if Path(source).is_dir()]
    if not folders:
        return
    if len(folders) == len(sources) > 1:
        hint = f"tita batch {' '.join(folders)} fuses their pictures two by two, by their names"
    else:
        hint = (
            f"tita batch {folders[0]} finds what belongs together in it; tita fuse {Path(folders[0]) / '*'} fuses all"
        )
    raise InputError(f"{folders[0]}: is a folder", hint=hint)


def refuse_picture_as_folder(output: object) -> None:
    """Raise OutputError where a folder is to be made that is named like a picture: one was expected."""
    name = str(output)
    if PICTURE.search(name) and not Path(name).is_dir():
        raise OutputError(f"{name}: is named like a picture, and a folder is written", hint="name a folder")


def refuse_folder_as_output(output: str, sources: Sequence[str], suffix: str = ".png") -> None:
    """Raise OutputError where ``-o`` is a folder or written as one, with a name in it that has ``suffix``."""
    written_so = output.endswith(("/", os.sep))
    if written_so or Path(output).is_dir():
        stem = Path(next((source for source in sources if source != "-"), "picture")).stem
        inside = f"{output if written_so else output + '/'}{stem}-fused{suffix}"
        raise OutputError(f"{output}: is a folder", hint=f"name the file in it: -o {inside}")
