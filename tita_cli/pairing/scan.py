"""List the images below a folder."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TypeAlias

from tita_cli.errors import InputError
from tita_cli.files import Address, resolved
from tita_cli.images.formats import format_of_suffix, readable_suffixes
from tita_cli.pairing.plan import NO_IMAGE, Leftover

Results: TypeAlias = Callable[[Path, Sequence[str]], set[str]]
"""Which files of a folder, by their names, an earlier batch wrote; called from the top down."""


@dataclass(frozen=True, slots=True)
class ImageFile:
    """One image file. ``place``: its path below the scanned folder, in NFC, so that names written by a Mac compare."""

    path: Path
    place: PurePosixPath

    @property
    def stem(self) -> str:
        return self.place.stem

    @property
    def folder(self) -> PurePosixPath:
        return self.place.parent


@dataclass(frozen=True, slots=True)
class Scan:
    """The files below a folder."""

    images: tuple[ImageFile, ...]
    others: tuple[Leftover, ...]


def scan_folder(root: Path, *, exclude: Iterable[Path] = (), results: Results | None = None) -> Scan:
    """List the images below ``root``, at all levels, sorted, without hidden files and folders and those in ``exclude``.

    ``results``: files to leave out without a word; not asked of addresses. Links to folders are not followed: they may
    form a cycle. Raises InputError where a folder cannot be listed.
    """
    if isinstance(root, Address):
        return _scan_address(root, exclude)
    if not root.is_dir():
        problem = "is not a folder" if root.exists() else "no such folder"
        hint = "give a folder, or a manifest (.csv, .jsonl, - for stdin); tita fuse takes single pictures"
        raise InputError(f"{root}: {problem}", hint=hint)
    barred = {resolved(path) for path in exclude}
    images: list[ImageFile] = []
    others: list[Leftover] = []
    for folder, below, names in os.walk(root, onerror=_refuse):
        here = Path(folder)
        below[:] = sorted(name for name in below if not name.startswith(".") and resolved(here / name) not in barred)
        written = set() if results is None else results(here, names)
        for name in names:
            if name.startswith(".") or name in written:
                continue
            path = here / name
            _sort_in(path, root, _not_an_image(path), images, others)
    return _finished(images, others)


def _scan_address(root: Address, exclude: Iterable[Path]) -> Scan:
    """As :func:`scan_folder`, by one listing of what is below an address."""
    from tita_cli.files.remote import find_files

    barred = set(exclude)
    images: list[ImageFile] = []
    others: list[Leftover] = []
    for path, _ in find_files(root):
        below = path.relative_to(root).parts
        if not any(part.startswith(".") for part in below) and barred.isdisjoint(path.parents):
            _sort_in(path, root, _other_kind(path), images, others)
    return _finished(images, others)


def _sort_in(path: Path, root: Path, reason: str | None, images: list[ImageFile], others: list[Leftover]) -> None:
    """Add ``path`` to the images, or to the others where a ``reason`` says why it is none."""
    if reason is None:
        place = unicodedata.normalize("NFC", path.relative_to(root).as_posix())
        images.append(ImageFile(path, PurePosixPath(place)))
    else:
        others.append(Leftover(path, reason))


def _finished(images: list[ImageFile], others: list[Leftover]) -> Scan:
    images, doubled = _without_doubles(images)
    others += doubled
    images.sort(key=lambda image: image.path)
    others.sort(key=lambda leftover: leftover.path)
    return Scan(tuple(images), tuple(others))


def _without_doubles(images: list[ImageFile]) -> tuple[list[ImageFile], list[Leftover]]:
    """Of a raw file and a JPEG of one photograph, as cameras store them side by side, the raw one is left over."""
    raw = {image for image in images if _is_raw(image.path)}
    developed = {(image.folder, image.stem.casefold()) for image in images if image not in raw}
    doubles = {image for image in raw if (image.folder, image.stem.casefold()) in developed}
    left = [Leftover(image.path, "the same photograph lies beside it, developed by the camera") for image in doubles]
    return [image for image in images if image not in doubles], left


def _is_raw(path: Path) -> bool:
    known = format_of_suffix(path)
    return known is not None and known.name == "raw"


def _refuse(error: OSError) -> None:
    raise InputError(f"{error.filename}: cannot list the folder: {error.strerror}") from error


def _other_kind(path: Path) -> str | None:
    """Why ``path`` is no image, by its name."""
    if path.suffix.lower() in readable_suffixes():
        return None
    known = format_of_suffix(path)
    return NO_IMAGE if known is None else f"{known.title}: {known.advice}"


def _not_an_image(path: Path) -> str | None:
    reason = _other_kind(path)
    if reason is not None:
        return reason
    if not path.exists():
        return "a link that leads nowhere"
    return None if path.is_file() else "not a regular file"
