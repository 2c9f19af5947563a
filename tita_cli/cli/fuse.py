"""``tita fuse``: two or more images of one scene become one picture."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO, TypeVar

import typer

from tita_cli.cli import options
from tita_cli.cli.console import envelope, results, say, warn
from tita_cli.errors import InputError, UsageError

if TYPE_CHECKING:
    from tita_cli.api import Fusion
    from tita_cli.images import Written

Choice = TypeVar("Choice", bound=str)
PIPE = "-"


def command(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="A B [C …]", help="Two or more images of one scene; - reads one from stdin.", show_default=False
        ),
    ],
    output: Annotated[
        str,
        typer.Option(
            "--output", "-o", metavar="OUT", rich_help_panel=options.OUTPUT, help="The picture to write; - for stdout."
        ),
    ],
    file_format: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="png|jpeg|tiff|webp|bmp",
            rich_help_panel=options.OUTPUT,
            help="Format of the output  \\[default: by its extension; png for stdout].",
            show_default=False,
        ),
    ] = None,
    resize: Annotated[
        bool, typer.Option("--resize", rich_help_panel=options.INPUT, help="Bring all sources to the reference's size.")
    ] = False,
    page: options.Page = None,
    max_pixels: options.MaxPixels = None,
    value_range: options.Range = "auto",
    invert: options.Invert = None,
    false_color: options.FalseColor = "refuse",
    align: options.Align = "auto",
    reference: options.Reference = 1,
    border: options.Border = "crop",
    align_from: options.AlignFrom = None,
    deghost: options.Deghost = False,
    model: options.Model = "tita-lite",
    device: options.Device = "auto",
    backend: options.Backend = "auto",
    provider: options.Provider = None,
    threads: options.Threads = None,
    memory: options.Memory = None,
    color: options.Color = "auto",
    depth: options.Depth = None,
    metadata: options.KeepMetadata = "1",
    weights_map: Annotated[
        str | None,
        typer.Option(
            "--weights-map",
            metavar="FILE",
            rich_help_panel=options.OUTPUT,
            show_default=False,
            help="Also write which source won where: grey levels from black, the first source, to white, the last.",
        ),
    ] = None,
    force: options.Force = False,
    explain: Annotated[
        bool,
        typer.Option("--explain", rich_help_panel=options.REPORTING, help="Print OAF's six weights and what they say."),
    ] = False,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Fuse two or more images of one scene into one picture.

    The network is not told what they are: infrared and visible, exposures, focus distances. The first source gives
    the result its frame and metadata, and the others are aligned to it. More than two are fused two by two, as a
    balanced tree from bright to dark, so that their order on the command line does not matter.
    """  # fmt: skip
    from tita_cli import api
    from tita_cli.align import BORDERS, MODES
    from tita_cli.fusion.source import FALSE_COLOR_CHOICES
    from tita_cli.images.color import COLOR_RULES
    from tita_cli.images.formats import parse_depth
    from tita_cli.images.value_range import parse_range
    from tita_cli.images.write import check_output
    from tita_cli.runtime.device import DeviceRequest
    from tita_cli.runtime.memory import parse_size, raise_malloc_thresholds

    if as_json and output == PIPE:
        raise UsageError("--json and -o - both want stdout", hint="write the picture to a file")
    bits = None if depth is None else parse_depth(depth)
    where = DeviceRequest(backend, device, provider)
    where.check()
    budget = None if memory is None else parse_size(memory)
    raise_malloc_thresholds()  # before pictures are read: they gain from it too
    if weights_map is not None:
        check_output(weights_map, overwrite=force)
    if output != PIPE:
        check_output(output, format=file_format, depth=bits, overwrite=force)
    elif sys.stdout.isatty():
        raise UsageError("an image does not belong on a terminal", hint="-o FILE, or pipe the output")
    with results() as stdout:
        fusion = api.fuse(
            _opened(sources), model=model, **where._asdict(), threads=threads, memory=budget, resize=resize, page=page,
            max_pixels=max_pixels, value_range=parse_range(value_range), invert=[n - 1 for n in invert or ()],
            false_color=choice("--false-color", false_color, FALSE_COLOR_CHOICES),
            align=choice("--align", align, MODES), reference=reference - 1, border=choice("--border", border, BORDERS),
            align_from=align_from, deghost=deghost,
            color=choice("--color", color, COLOR_RULES), depth=bits, metadata=parse_metadata(metadata),
        )  # fmt: skip
        written = fusion.save(stdout if output == PIPE else output, overwrite=force, format=file_format, depth=bits)
        if weights_map is not None:
            fusion.save_winners(weights_map, overwrite=force)
        notes = [*fusion.notes, *written.notes]
        if as_json:
            stdout.write(envelope("fuse", _report(fusion, sources, written, notes)))
    for note in () if quiet else notes:
        warn(note)
    if verbose:
        say("tita: " + ", ".join(f"{key} {value}" for key, value in fusion.engine.items()))
    if explain and not as_json:
        say(fusion.explain())


def choice(option: str, value: str, choices: tuple[Choice, ...]) -> Choice:
    """``value`` if it is one of ``choices``; else a ``UsageError`` that lists them."""
    for known in choices:
        if value == known:
            return known
    raise UsageError(f"{option} {value}: not known", hint=f"one of {', '.join(choices)}")


def parse_metadata(text: str) -> int | None:
    """``N`` counts from 1; the index counts from 0."""
    if text == "none":
        return None
    if not text.isdecimal() or int(text) < 1:
        raise UsageError(f"--metadata {text}: neither the number of a source nor none")
    return int(text) - 1


def _opened(sources: list[str]) -> list[str | BinaryIO]:
    """``-`` is stdin, once."""
    if sources.count(PIPE) > 1:
        raise UsageError("stdin holds one image, but - was given more than once")
    if PIPE in sources and sys.stdin.isatty():
        raise InputError("<stdin>: a terminal, not an image", hint="cat ir.png | tita fuse - vis.png -o out.png")
    return [sys.stdin.buffer if source == PIPE else source for source in sources]


def _report(fusion: Fusion, sources: list[str], written: Written, notes: list[str]) -> dict[str, Any]:
    return {
        "sources": sources,
        "output": written.name,
        "file_format": written.format,
        "width": fusion.picture.width,
        "height": fusion.picture.height,
        "depth": written.depth,
        "steps": [step.describe() for step in fusion.steps],
        "align": [placement.describe() for placement in fusion.placements],
        "engine": fusion.engine,
        "notes": notes,
    }
