"""``tita align``: bring pictures into one frame and show how well they match."""

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
    """Bring images into one frame, as tita fuse does before it fuses them, and show how well they match.

    Writes to DIR every source in the common frame, with its own values, depth and metadata, and for each but the
    reference a checkerboard of the two, a red-cyan overlay (grey where they match), and a map of the residual: black
    matches, yellow is off by 4 pixels or more on a 640-pixel-wide frame, and the darkened reference shows where there
    is too little structure to measure.
    """  # fmt: skip
    from tita_cli.align import BORDERS, MODES, Calibration
    from tita_cli.fusion.alignment import write_alignment
    from tita_cli.fusion.source import FALSE_COLOR_CHOICES, describe_sources
    from tita_cli.images.value_range import parse_range

    if align_from is not None and align not in ("auto", "strict"):
        raise UsageError(f"--align {align} and --align-from exclude each other")
    described = describe_sources(
        sources, page=page, max_pixels=max_pixels, value_range=parse_range(value_range),
        false_color=choice("--false-color", false_color, FALSE_COLOR_CHOICES),
    )  # fmt: skip
    with results() as stdout:
        placements, notes = write_alignment(
            described, output, align=choice("--align", align, MODES), reference=reference - 1,
            border=choice("--border", border, BORDERS),
            calibration=None if align_from is None else Calibration.read(align_from), overwrite=force,
        )  # fmt: skip
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
