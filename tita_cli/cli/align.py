"""``tita align``: bring pictures into one frame and show how well they fit."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tita_cli.cli import options
from tita_cli.cli.console import envelope, printable, results, warn
from tita_cli.cli.fuse import choice
from tita_cli.errors import UsageError

if TYPE_CHECKING:
    from tita_cli.align import Placement


def command(
    sources: Annotated[
        list[str], typer.Argument(metavar="A B [C …]", help="Two or more images of one scene.", show_default=False)
    ],
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            metavar="DIR",
            rich_help_panel=options.OUTPUT,
            show_default=False,
            help="The folder for the aligned files and the overlays.",
        ),
    ],
    page: options.Page = None,
    max_pixels: options.MaxPixels = None,
    value_range: options.Range = "auto",
    false_color: options.FalseColor = "refuse",
    align: options.Align = "auto",
    reference: options.Reference = 1,
    border: options.Border = "crop",
    align_from: options.AlignFrom = None,
    force: options.Force = False,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
) -> None:
    """Bring images into one frame, as tita fuse does before it fuses them, and show how well they fit.

    Writes to DIR every source in the common frame, with its own values, depth and metadata, and for each but the
    reference a checkerboard of the two, a red-cyan overlay (grey where they fit), and a map of what is left: black
    fits, yellow is off by 4 pixels or more on a 640-pixel-wide frame, and the darkened reference shows where nothing
    can be told.
    """  # fmt: skip
    from tita_cli.align import BORDERS, MODES, Rig
    from tita_cli.fusing.inspection import write_alignment
    from tita_cli.fusing.sources import FALSE_COLOR_CHOICES, Preparation
    from tita_cli.images.value_range import parse_range

    if align_from is not None and align not in ("auto", "strict"):
        raise UsageError(f"--align {align} and --align-from exclude each other")
    how = Preparation(
        page=page, max_pixels=max_pixels, value_range=parse_range(value_range),
        false_color=choice("--false-color", false_color, FALSE_COLOR_CHOICES), align=choice("--align", align, MODES),
        reference=reference - 1, border=choice("--border", border, BORDERS),
        rig=None if align_from is None else Rig.read(align_from),
    )  # fmt: skip
    with results() as stdout:
        placements, notes = write_alignment(sources, how, output, overwrite=force)
        if as_json:
            stdout.write(envelope("align", {"sources": [placement.describe() for placement in placements]}))
        elif not quiet:
            stdout.write("".join(_line(placement) for placement in placements).encode(errors="replace"))
    for note in () if quiet else notes:
        warn(note)


def _line(placement: Placement) -> str:
    residual = "" if placement.residual is None else f", residual {placement.residual:.2f} px"
    said = (
        f"{placement.model}, confidence {placement.confidence:.2f}{residual}" if placement.accepted else "not aligned"
    )
    return f"{printable(placement.name)}: {said}\n"
