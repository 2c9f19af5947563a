"""The result of alignment alone, as files to look at."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from tita_cli.align import Placement
from tita_cli.errors import OutputError, UsageError
from tita_cli.fusing.sources import Preparation, Sources
from tita_cli.images import Picture, write_picture
from tita_cli.images.write import check_output

OVERLAYS = ("checkerboard", "red-cyan", "residual")


def write_alignment(
    sources: Sequence[str | os.PathLike[str]], how: Preparation, folder: Path, *, overwrite: bool = False
) -> tuple[tuple[Placement, ...], list[str]]:
    """Align ``sources`` and write them to ``folder``, with overlays of each and the reference: placements, notes.

    The aligned files hold the sources' own values, depth and metadata (signed and 32-bit integers and linear light are
    scaled, as in all that tita reads); the overlays are 8-bit PNG. Raises UsageError,
    InputError, MismatchError, OutputError.
    """
    from tita_cli.align.overlays import checkerboard, red_cyan, residual_map

    if how.align == "none":
        raise UsageError("--align none leaves nothing to do", hint="tita convert changes formats")
    if not 0 <= how.reference < len(sources):
        raise UsageError(f"--reference {how.reference + 1}: there are {len(sources)} sources")
    digits = len(str(len(sources)))
    stems = [f"{number:0{digits}}-{Path(source).stem}" for number, source in enumerate(sources, 1)]
    targets = [[folder / f"{stem}-{kind}.png" for kind in OVERLAYS] for stem in stems]
    for index, paths in enumerate(targets):
        for path in paths if folder.is_dir() and index != how.reference else ():
            check_output(path, overwrite=overwrite)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be made: {error.strerror}", hint="name a folder with -o") from error
    given = Sources(sources, how)
    frame = given.frame
    if frame is None:
        raise UsageError("alignment was switched off")
    base = given.picture(how.reference)
    for index, stem in enumerate(stems):
        own = frame.masked(frame.place(index, given.raw(index), lambda: given.raw(how.reference)))
        write_picture(own, folder / f"{stem}{_suffix(own)}", overwrite=overwrite)
        if index == how.reference:
            continue
        placed = given.picture(index)
        for draw, path in zip((checkerboard, red_cyan, residual_map), targets[index], strict=True):
            write_picture(draw(base, placed), path, overwrite=overwrite)
    return frame.placements, given.notes


def _suffix(picture: Picture) -> str:
    return ".tiff" if picture.depth == 32 else ".png"
