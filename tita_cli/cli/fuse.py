"""``tita fuse``: two or more images of one scene become one picture."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO, ClassVar

import typer

from tita_cli.cli.arguments import expand_patterns, refuse_folder_as_output, refuse_folders, repeated
from tita_cli.cli.collecting import go_on
from tita_cli.cli.console import envelope, printable, put, results, say, warn
from tita_cli.cli.expand import expand
from tita_cli.cli.outcome import summary, told_once
from tita_cli.cli.stages import showing
from tita_cli.cli.streams import STDOUT
from tita_cli.errors import InputError, UsageError
from tita_cli.options import Alignment, Group, Input, Network, Output, Reporting, Writing, merged, option

if TYPE_CHECKING:
    from tita_cli.api import Fusion
    from tita_cli.images import Written
    from tita_cli.options import FuseOptions
    from tita_cli.runtime import AnyEngine

PIPE = "-"


@dataclass(frozen=True, kw_only=True)
class Explaining(Reporting):
    """What ``tita fuse`` also tells of the fusion."""

    explain: bool = option(False, "Say on stdout what the picture takes from which source.")


@dataclass(frozen=True, kw_only=True)
class WinnerMap(Group):
    """A second picture."""

    PANEL: ClassVar[str] = "Output"

    weights_map: str | None = option(
        None,
        "Also write which source won where: grey levels from black, the first source, to white, the last.",
        metavar="FILE", config=False,
    )  # fmt: skip


@expand
def command(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="A B [C …]",
            help="Two or more images of one scene, or one file that holds them; - reads one from stdin, "
            "stack.tif@3 is the third picture of a file, s3://, gs://, https:// and sftp:// name files elsewhere.",
            show_default=False,
        ),
    ],
    output: Annotated[
        str,
        typer.Option(
            "--output", "-o", metavar="OUT", rich_help_panel="Output", help="The picture to write; - for stdout."
        ),
    ],
    input: Input,
    alignment: Alignment,
    network: Network,
    result: Output,
    writing: Writing,
    mapping: WinnerMap,
    reporting: Explaining,
) -> None:
    """Fuse two or more images of one scene into one picture.

    The network is not told what they are: infrared and visible, exposures, focus distances. A file given alone is
    fused out of the pictures that it holds: the slices of a z-stack, the two views of a radiometric JPEG. One source,
    the reference, gives the result its frame and metadata, and the others are aligned to it: a photograph beside
    infrared, the first of two, else the one that costs the least crop and detail; or --reference.
    """
    output = PIPE if output in STDOUT else output
    sources = expand_patterns(sources)
    refuse_folders(sources)
    for wanted, flag in ((reporting.json, "--json"), (reporting.explain, "--explain")):
        if wanted and output == PIPE:
            raise UsageError(f"{flag} and -o - both want stdout", hint="write the picture to a file")
    how = merged(input, alignment, network, result)
    load = _begin_to_load(how)  # ONNX Runtime has its turn of the processor while Python's modules are imported
    from tita_cli import api
    from tita_cli.images.atomic import is_among
    from tita_cli.images.write import check_output

    go_on()
    weights_map, force = mapping.weights_map, writing.force
    if weights_map is not None:
        check_output(weights_map, overwrite=force, sources=sources)
        if is_among(weights_map, [output]):
            raise UsageError(f"-o and --weights-map are the same file, {weights_map}")
    if output != PIPE:
        refuse_folder_as_output(output, sources)
        check_output(output, format=writing.format, depth=result.depth, overwrite=force, sources=sources)
    elif sys.stdout.isatty():
        raise UsageError("an image does not belong on a terminal", hint="-o FILE, or pipe the output")
    with results() as stdout:
        with showing(quiet=reporting.quiet) as progress:
            fusion = api.fuse(_opened(sources), options=how, engine=load, progress=progress)
            progress("writing", 0, 1)
            target = stdout if output == PIPE else output
            written = fusion.save(
                target, overwrite=force, format=writing.format, depth=result.depth, quality=writing.quality
            )
        if weights_map is not None:
            fusion.save_winners(weights_map, overwrite=force)
        notes = [*repeated(sources), *fusion.engine.get("notes", ()), *fusion.notes, *written.notes]
        if reporting.json:
            stdout.write(envelope("fuse", _report(fusion, sources, written, notes)))
        elif reporting.explain:
            put(stdout, f"{printable(fusion.explain())}\n")
    for note in () if reporting.quiet else told_once(notes):
        warn(note)
    if reporting.verbose:
        say("tita: " + ", ".join(f"{key} {value}" for key, value in fusion.engine.items()))
    if not reporting.quiet:
        say(f"tita: {summary(fusion, written)}")


def _begin_to_load(how: FuseOptions) -> Callable[[], AnyEngine]:
    """Load the network in a thread; what waits for it. Raises UsageError for a device or back end that there is not."""
    from tita_cli.runtime.device import DeviceRequest
    from tita_cli.runtime.loading import load_ahead
    from tita_cli.runtime.memory import raise_malloc_thresholds

    DeviceRequest(how.backend, how.device, how.provider).check()
    raise_malloc_thresholds()  # before anything large is allocated, by any thread
    return load_ahead(how.model, **how.engine_settings())


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
