"""The result of alignment alone, as files to look at."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from tita_cli.align import Border, Calibration, Mode, Placement
from tita_cli.align.overlays import checkerboard, red_cyan, residual_map
from tita_cli.errors import UsageError
from tita_cli.fusion.plan import Plan
from tita_cli.fusion.source import Source
from tita_cli.images import write_picture
from tita_cli.images.atomic import make_folder
from tita_cli.images.write import check_output
from tita_cli.options import Input

OVERLAYS = {"checkerboard": checkerboard, "red-cyan": red_cyan, "residual": residual_map}


def write_alignment(
    sources: Sequence[Source],
    folder: Path,
    *,
    align: Mode = "auto",
    reference: int | None = None,
    border: Border = "crop",
    calibration: Calibration | None = None,
    overwrite: bool = False,
    options: Input | None = None,
) -> tuple[tuple[Placement, ...], tuple[str, ...], str | None]:
    """Align ``sources`` and write them to ``folder``, with overlays of each on the reference.

    Returns the placements, the notes, and what alignment did in one line, None where nothing moved. A source that is
    left out is not written. The aligned files hold the sources' own values, depth and metadata (signed and 32-bit
    integers and linear light are scaled, as in all that tita reads); the overlays are 8-bit PNG. ``align`` and the
    rest: as :class:`Plan` has them.
    Raises UsageError, InputError, MismatchError, OutputError.
    """
    if align == "none":
        raise UsageError("`align` none leaves nothing to do", hint="tita convert changes formats")
    if reference is not None and not 0 <= reference < len(sources):
        raise UsageError(f"`reference`: there is no source {reference + 1}, {len(sources)} are given")
    digits = len(str(len(sources)))
    stems = [f"{number:0{digits}}-{_stem(source)}" for number, source in enumerate(sources, 1)]
    overlays = [{kind: folder / f"{stem}-{kind}.png" for kind in OVERLAYS} for stem in stems]
    origins = [source.origin for source in sources]
    # The suffix of an aligned file is known when its source is read.
    results = [folder / f"{stem}{suffix}" for stem in stems for suffix in (".png", ".tiff")]
    for path in results if folder.is_dir() else ():
        check_output(path, overwrite=True, sources=origins)
    _check_folder(folder, [path for paths in overlays for path in paths.values()], origins, overwrite=overwrite)
    plan = Plan(sources, align=align, reference=reference, border=border, calibration=calibration, options=options)
    base = plan.aligned(plan.reference)
    for index in plan.used:
        stem = stems[index]
        own = plan.aligned_raw(index)
        write_picture(own, folder / f"{stem}{'.tiff' if own.depth == 32 else '.png'}", overwrite=overwrite)
        if index != plan.reference:
            placed = plan.aligned(index)
            for kind, path in overlays[index].items():
                write_picture(OVERLAYS[kind](base, placed), path, overwrite=overwrite)
            plan.release(index)
    return plan.placements, plan.notes, plan.summary


def _stem(source: Source) -> str:
    origin = source.origin
    return Path(origin if isinstance(origin, str | os.PathLike) else origin.name).stem


def _check_folder(folder: Path, targets: Sequence[Path], sources: Sequence[object], *, overwrite: bool) -> None:
    """Make ``folder``, or raise OutputError where that cannot be done or a target must not be replaced."""
    for path in targets if folder.is_dir() else ():
        check_output(path, overwrite=overwrite, sources=sources)
    make_folder(folder)
