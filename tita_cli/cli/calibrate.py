"""``tita calibrate``: measure how the cameras of a fixed rig see one another, once."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import typer

from tita_cli.cli.console import envelope, printable, put, results, warn
from tita_cli.cli.expand import Only, expand
from tita_cli.errors import MismatchError, UsageError
from tita_cli.options import Alignment, Group, Input, MatrixModel, OptionError, PerSource, Reporting, Writing, option

if TYPE_CHECKING:
    from tita_cli.align import Placement

Shot = tuple[Path, ...]
_MUCH = 0.01
"""Of the reference's width, the median by which shots differ at the corners: more is seen as double edges."""


@dataclass(frozen=True, kw_only=True)
class Motion(Group):
    """The motion to measure."""

    PANEL: ClassVar[str] = "Alignment"

    # Not from files or variables: a default for the --align of the other commands means something else.
    align: MatrixModel = option("homography", "The model of motion between the cameras.", config=False)


@expand
def command(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="A1 B1 [A2 B2 …] | FOLDER … | MANIFEST",
            show_default=False,
            help="Pairs of images, one after the other; an odd number: one stack; or what tita batch takes.",
        ),
    ],
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            rich_help_panel="Output",
            show_default=False,
            help="The calibration file to write.",
        ),
    ],
    input: Annotated[Input, Only(("max_pixels", "value_range", "false_color"))],
    motion: Motion,
    alignment: Annotated[Alignment, Only(("reference",))],
    writing: Annotated[Writing, Only(("force",))],
    reporting: Annotated[Reporting, Only(("json", "quiet"))],
) -> None:
    """Measure how the cameras of a fixed rig see one another, on several shots, for --align-from.

    Each shot is aligned by itself; where its corners go is averaged over those that agree. Five shots with structure
    all over the frame, at the distance at which the rig will be used, are a good beginning: cameras that sit side by
    side see near things elsewhere than far ones, and one transform can be right for one distance only.
    """  # fmt: skip
    from tita_cli.align.calibrate import calibrate
    from tita_cli.fusion.plan import Plan
    from tita_cli.fusion.source import describe_sources
    from tita_cli.images import atomic_output, check_writable

    reference, force = alignment.reference or 0, writing.force
    describe = partial(
        describe_sources, max_pixels=input.max_pixels, value_range=PerSource.of(input.value_range),
        false_color=PerSource.of(input.false_color),
    )  # fmt: skip
    shots = find_shots(sources, output.parent)
    check_writable(output, overwrite=force, sources=[*sources, *(source for shot in shots for source in shot)])
    placed, refused = [], []
    with results() as stdout:
        for shot in shots:
            described = describe(shot)
            if reference >= len(described):
                raise OptionError(f"`reference` {reference + 1}: {shot[0]} has {len(described) - 1} others")
            try:
                plan = Plan(described, align=motion.align, reference=reference, border="fill", options=input)
            except MismatchError as error:  # of another size, and not aligned: reported below
                refused.append(error.message)
                continue
            placements = plan.placements
            placed.append(placements)
            refused += [f"{one.name}: could not be aligned, left out" for one in placements if not one.is_confirmed]
        if not placed:
            raise MismatchError("no shot could be aligned", hint="; ".join(refused[:1]) or None)
        found = calibrate(placed, reference)
        if found.spread > _MUCH * found.sizes[reference][0]:
            refused.append(
                f"{output}: the shots differ by {found.spread:.0f} px, so no motion fits them all: "
                "take them with one rig, at the distance at which it works"
            )
        with atomic_output(output, overwrite=force) as file:
            file.write(json.dumps(found.as_dict(), indent=1).encode() + b"\n")
        if reporting.json:
            stdout.write(envelope("calibrate", _report(found.as_dict(), output, placed)))
        elif not reporting.quiet:
            differ = f", which differ by {found.spread:.2f} px (median at the corners)" if found.shots > 1 else ""
            said = f"{output}: {len(found.sizes)} sources, {found.shots} shot{'s' * (found.shots > 1)}{differ}"
            put(stdout, f"{printable(said)}\n")
    for note in () if reporting.quiet else refused:
        warn(note)


def find_shots(sources: list[str], folder: Path) -> list[Shot]:
    """Files pair by pair, an odd number of files as the frames of one stack, or the groups that ``tita batch`` would
    make of a folder, folders or a manifest."""
    from tita_cli.batch.plan import STDIN, find_plan, is_manifest
    from tita_cli.cli.batch_steps import manifest_from_stdin

    if not any(Path(source).is_dir() or is_manifest(source) for source in sources):
        if len(sources) < 2:
            hint = "tita calibrate A1 B1 A2 B2 -o calibration.json, or a folder of frames"
            raise UsageError("one file has nothing to be aligned to", hint=hint)
        if len(sources) % 2:
            return [tuple(Path(source) for source in sources)]
        return [(Path(one), Path(two)) for one, two in zip(sources[::2], sources[1::2], strict=True)]
    stdin = manifest_from_stdin() if STDIN in sources else None
    plan = find_plan(sources, folder / "none", stdin=stdin)
    if not plan.groups:
        raise MismatchError("no files belong together", hint="tita batch --dry-run shows what is paired and why")
    return [group.sources for group in plan.groups]


def _report(calibration: dict[str, Any], output: Path, placed: list[tuple[Placement, ...]]) -> dict[str, Any]:
    return {
        "output": str(output),
        "calibration": calibration,
        "shots": [[placement.describe() for placement in placements] for placements in placed],
    }
