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
class Triple:
    """A fused image and its two sources."""

    name: str
    fused: Path
    a: Path
    b: Path


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one image: ``values`` by metric, or the ``error``; ``notes`` of reading, one line each."""

    name: str
    fused: Path
    values: dict[str, float] | None = None
    error: TitaError | None = None
    notes: tuple[str, ...] = ()


def match(fused: Path, a: Path, b: Path) -> tuple[list[Triple], list[Outcome]]:
    """The images of folder ``fused`` with the sources of the same stem in ``a`` and ``b``; and those without.

    Three files are one image, whatever their names. Folders are searched to any depth. Raises InputError for a folder
    that cannot be listed, and MismatchError where nothing matches or a stem occurs twice in a folder.
    """
    if all(file_of(path).is_file() for path in (fused, a, b)):
        return [Triple(fused.stem, fused, a, b)], []
    results, sources = _by_stem(fused), {path: _by_stem(path) for path in (a, b)}
    if not results:
        raise InputError(f"{fused}: no images in it")
    triples, unmatched = [], []
    for name, path in results.items():
        missing = [str(folder) for folder, found in sources.items() if name not in found]
        if missing:
            error = InputError(f"{path}: no source named {name} in {' and '.join(missing)}")
            unmatched.append(Outcome(name, path, error=error))
        else:
            triples.append(Triple(name, path, sources[a][name], sources[b][name]))
    if not triples:
        raise MismatchError(
            f"no image of {fused} has sources of the same name in {a} and {b}",
            hint="files are matched by name without extension: 01.png, 01.jpg and 01.png",
        )
    return triples, unmatched


def _by_stem(folder: Path) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for image in scan_folder(folder).images:
        if image.stem in found:
            raise MismatchError(f"{folder}: two images named {image.stem}: {found[image.stem]} and {image.path}")
        found[image.stem] = image.path
    return found


def measure(
    triples: Sequence[Triple],
    metrics: Sequence[str],
    *,
    convention: Convention = "mefb",
    as_stored: bool = False,
    workers: int = 1,
) -> Iterator[Outcome]:
    """Measure the triples and yield outcomes as they finish; a bad file gives an outcome with its error.

    ``metrics``: names. ``as_stored``: put the fused image through JPEG first, see ``reencode``. The values do not
    depend on ``workers``. Raises DeviceError if a worker process dies.
    """
    job = partial(_measure, metrics=tuple(metrics), convention=convention, as_stored=as_stored)
    if workers == 1 or len(triples) == 1:
        yield from map(job, triples)
        return
    # Not forked: threads of OpenCV and PyTorch do not survive a fork.
    pool = ProcessPoolExecutor(min(workers, len(triples)), mp_context=get_context("spawn"))
    try:
        for future in as_completed([pool.submit(job, triple) for triple in triples]):
            yield future.result()
    except BrokenProcessPool as error:
        raise DeviceError(
            "a worker process died, probably out of memory", hint="--workers 1 needs the least memory"
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _measure(triple: Triple, *, metrics: tuple[str, ...], convention: Convention, as_stored: bool) -> Outcome:
    try:
        (fused, a, b), notes = zip(*map(read_bytes, (triple.fused, triple.a, triple.b)), strict=True)
        fused = reencode(fused) if as_stored else fused
        values = evaluate(fused, a, b, find_metrics(",".join(metrics)), convention=convention)
    except TitaError as error:
        named = type(error)(_named(error.message, triple), hint=error.hint)
        return Outcome(triple.name, triple.fused, error=named)
    return Outcome(triple.name, triple.fused, values, notes=tuple(chain.from_iterable(notes)))


def _named(message: str, triple: Triple) -> str:
    """The message, prefixed with the file if it names none."""
    paths = map(os.fspath, (triple.fused, triple.a, triple.b))
    return message if any(message.startswith(path) for path in paths) else f"{triple.fused}: {message}"


def read_bytes(path: Path) -> tuple[Image, tuple[str, ...]]:
    """Pixels as H×W or H×W×3 uint8, rounded where the file is deeper, and what reading has to say."""
    picture = read_picture(path)
    pixels = quantize(picture.pixels, 8)
    deeper = (f"{path}: {picture.depth} bits a sample, measured as 8",) if picture.depth != 8 else ()
    return (pixels[:, :, 0] if pixels.shape[2] == 1 else pixels), (*picture.notes, *deeper)
