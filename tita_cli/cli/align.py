"""``tita align``: bring pictures into one frame and show how well they match."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tita_cli.cli.arguments import refuse_picture_as_folder
from tita_cli.cli.console import envelope, printable, put, results, say, warn
from tita_cli.cli.expand import Only, expand
from tita_cli.options import Alignment, Input, OptionError, PerSource, Reporting, Writing

if TYPE_CHECKING:
    from tita_cli.align import Placement


@expand
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
            rich_help_panel="Output",
            show_default=False,
            help="The folder for the aligned files and the overlays.",
        ),
    ],
    input: Annotated[Input, Only(("max_pixels", "value_range", "false_color"))],
    alignment: Annotated[Alignment, Only(("align", "reference", "border", "align_from"))],
    writing: Annotated[Writing, Only(("force",))],
    reporting: Annotated[Reporting, Only(("json", "quiet"))],
) -> None:
    """Bring images into one frame, as tita fuse does before it fuses them, and show how well they match.

    Writes to DIR every source in the common frame, with its own values, depth and metadata, and for each but the
    reference a checkerboard of the two, a red-cyan overlay (grey where they match), and a map of the residual: black
    matches, yellow is off by 4 pixels or more on a 640-pixel-wide frame, and the darkened reference shows where there
    is too little structure to measure.
    """  # fmt: skip
    from tita_cli.align import Calibration
    from tita_cli.fusion.alignment import write_alignment
    from tita_cli.fusion.source import describe_sources

    refuse_picture_as_folder(output)
    align, align_from = alignment.align, alignment.align_from
    if align_from is not None and align not in ("auto", "strict"):
        raise OptionError(f"`align` {align} and `align_from` exclude each other")
    described = describe_sources(
        sources, max_pixels=input.max_pixels, value_range=PerSource.of(input.value_range),
        false_color=PerSource.of(input.false_color),
    )  # fmt: skip
    with results() as stdout:
        placements, notes, summary = write_alignment(
            described, output, align=align, reference=alignment.reference, border=alignment.border,
            calibration=None if align_from is None else Calibration.of(align_from), overwrite=writing.force,
            options=input,
        )  # fmt: skip
        if reporting.json:
            stdout.write(envelope("align", {"sources": [placement.describe() for placement in placements]}))
        elif not reporting.quiet:
            put(stdout, "".join(_line(placement) for placement in placements))
    for note in () if reporting.quiet else notes:
        warn(note)
    if summary is not None and not reporting.quiet:
        say(f"tita: {summary}")


def _line(placement: Placement) -> str:
    residual = "" if placement.residual is None else f", residual {placement.residual:.2f} px"
    said = (
        f"{placement.model}, confidence {placement.confidence:.2f}{residual}" if placement.accepted else "not aligned"
    )
    return f"{printable(placement.name)}: {said}\n"
