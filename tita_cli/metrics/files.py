"""Fused images and their sources in folders: matched by name, read as 8 bits, measured, by one process or several."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import partial
from itertools import chain
from multiprocessing import get_context
from pathlib import Path

from tita_cli.errors import DeviceError, InputError, MismatchError, TitaError
from tita_cli.files import file_of
from tita_cli.images import read_picture
from tita_cli.images.quantize import quantize
from tita_cli.metrics.evaluate import Image, evaluate
from tita_cli.metrics.ranking import reencode
from tita_cli.metrics.registry import Convention, find_metrics
from tita_cli.pairing.scan import scan_folder


@dataclass(frozen=True, slots=True)
class Case:
    """A fused image and its sources, two or more."""

    name: str
    fused: Path
    sources: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one image: ``values`` by metric, or the ``error``; ``notes`` of reading, one line each."""

    name: str
    fused: Path
    values: dict[str, float] | None = None
    error: TitaError | None = None
    notes: tuple[str, ...] = ()


def match(fused: Path, a: Path, b: Path) -> tuple[list[Case], list[Outcome]]:
    """The images of folder ``fused`` with the sources of the same stem in ``a`` and ``b``; and those without.

    Three files are one image, whatever their names. Folders are searched to any depth. Raises InputError for a folder
    that cannot be listed, and MismatchError where nothing matches or a stem occurs twice in a folder.
    """
    if all(file_of(path).is_file() for path in (fused, a, b)):
        return [Case(fused.stem, fused, (a, b))], []
    results, sources = _by_stem(fused), {path: _by_stem(path) for path in (a, b)}
    if not results:
        raise InputError(f"{fused}: no images in it")
    cases, unmatched = [], []
    for name, path in results.items():
        missing = [str(folder) for folder, found in sources.items() if name not in found]
        if missing:
            error = InputError(f"{path}: no source named {name} in {' and '.join(missing)}")
            unmatched.append(Outcome(name, path, error=error))
        else:
            cases.append(Case(name, path, (sources[a][name], sources[b][name])))
    if not cases:
        raise MismatchError(
            f"no image of {fused} has sources of the same name in {a} and {b}",
            hint="files are matched by name without extension: 01.png, 01.jpg and 01.png",
        )
    return cases, unmatched


def match_sets(fused: Path, sources: Path) -> tuple[list[Case], list[Outcome]]:
    """The images of folder ``fused`` with all images of the folder of that name in ``sources``; and those without.

    One fused file may go with a folder that holds its sources. Raises InputError and MismatchError as :func:`match`.
    """
    if sources.is_file():
        raise InputError(f"{sources}: is a file, not a folder of sources", hint="`a` FILE and `b` FILE name two")
    results = {fused.stem: fused} if fused.is_file() else _by_stem(fused)
    if not results:
        raise InputError(f"{fused}: no images in it")
    cases, unmatched = [], []
    for name, path in results.items():
        folder = sources if fused.is_file() and not (sources / name).is_dir() else sources / name
        found = sorted(image.path for image in scan_folder(folder).images) if folder.is_dir() else []
        if len(found) < 2:
            error = InputError(f"{path}: {folder} holds {len(found)} images, two or more are compared")
            unmatched.append(Outcome(name, path, error=error))
        else:
            cases.append(Case(name, path, tuple(found)))
    if not cases:
        raise MismatchError(
            f"no image of {fused} has a folder of its name with two images or more in {sources}",
            hint="01.png goes with the images in 01/",
        )
    return cases, unmatched


def _by_stem(folder: Path) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for image in scan_folder(folder).images:
        if image.stem in found:
            raise MismatchError(f"{folder}: two images named {image.stem}: {found[image.stem]} and {image.path}")
        found[image.stem] = image.path
    return found


def measure(
    cases: Sequence[Case],
    metrics: Sequence[str],
    *,
    convention: Convention = "mefb",
    as_stored: bool = False,
    workers: int = 1,
) -> Iterator[Outcome]:
    """Measure the cases and yield outcomes as they finish; a bad file gives an outcome with its error.

    ``metrics``: names. ``as_stored``: put the fused image through JPEG first, see ``reencode``. The values do not
    depend on ``workers``. Raises DeviceError if a worker process dies.
    """
    job = partial(_measure, metrics=tuple(metrics), convention=convention, as_stored=as_stored)
    if workers == 1 or len(cases) == 1:
        yield from map(job, cases)
        return
    # Not forked: threads of OpenCV and PyTorch do not survive a fork.
    pool = ProcessPoolExecutor(min(workers, len(cases)), mp_context=get_context("spawn"))
    try:
        for future in as_completed([pool.submit(job, case) for case in cases]):
            yield future.result()
    except BrokenProcessPool as error:
        raise DeviceError(
            "a worker process died, probably out of memory", hint="`workers` 1 needs the least memory"
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _measure(case: Case, *, metrics: tuple[str, ...], convention: Convention, as_stored: bool) -> Outcome:
    try:
        (fused, *sources), notes = zip(*map(read_bytes, (case.fused, *case.sources)), strict=True)
        fused = reencode(fused) if as_stored else fused
        values = evaluate(fused, *sources, metrics=find_metrics(",".join(metrics)), convention=convention)
    except TitaError as error:
        named = type(error)(_named(error.message, case), hint=error.hint)
        return Outcome(case.name, case.fused, error=named)
    return Outcome(case.name, case.fused, values, notes=tuple(chain.from_iterable(notes)))


def _named(message: str, case: Case) -> str:
    """The message, prefixed with the file if it names none."""
    paths = map(os.fspath, (case.fused, *case.sources))
    return message if any(message.startswith(path) for path in paths) else f"{case.fused}: {message}"


def read_bytes(path: Path) -> tuple[Image, tuple[str, ...]]:
    """Pixels as H×W or H×W×3 uint8, rounded where the file is deeper, and what reading has to say."""
    picture = read_picture(path)
    pixels = quantize(picture.pixels, 8)
    deeper = (f"{path}: {picture.depth} bits a sample, measured as 8",) if picture.depth != 8 else ()
    return (pixels[:, :, 0] if pixels.shape[2] == 1 else pixels), (*picture.notes, *deeper)
