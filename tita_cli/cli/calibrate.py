"""``tita calibrate``: measure a fixed rig once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tita_cli.cli import options
from tita_cli.cli.console import envelope, printable, results, warn
from tita_cli.cli.fuse import choice
from tita_cli.errors import MismatchError, UsageError

if TYPE_CHECKING:
    from tita_cli.align import Placement
    from tita_cli.fusing.sources import Preparation

Shot = tuple[Path, ...]


def command(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="A1 B1 [A2 B2 …] | FOLDER … | MANIFEST",
            show_default=False,
            help="Pairs of images, one after the other, or what tita batch takes.",
        ),
    ],
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            rich_help_panel=options.OUTPUT,
            show_default=False,
            help="The transform file to write.",
        ),
    ],
    page: options.Page = None,
    max_pixels: options.MaxPixels = None,
    value_range: options.Range = "auto",
    false_color: options.FalseColor = "refuse",
    model: Annotated[
        str,
        typer.Option(
            "--align",
            metavar="MODEL",
            rich_help_panel=options.ALIGNMENT,
            help="translation, similarity, affine or homography.",
        ),
    ] = "homography",
    reference: options.Reference = 1,
    force: options.Force = False,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
) -> None:
    """Measure how the cameras of a fixed rig see one another, on several shots, for --align-from.

    Each shot is aligned by itself; where its corners go is averaged over those that agree. Five shots with structure
    all over the frame, at the distance at which the rig will be used, are a good beginning: cameras that sit side by
    side see near things elsewhere than far ones, and one transform can be right for one distance only.
    """  # fmt: skip
    from tita_cli.align.calibration import calibrated
    from tita_cli.align.geometry import RIGID_MODELS
    from tita_cli.fusing.sources import FALSE_COLOR_CHOICES, Preparation
    from tita_cli.images import atomic_output, check_writable
    from tita_cli.images.value_range import parse_range

    check_writable(output, overwrite=force)
    how = Preparation(
        page=page, max_pixels=max_pixels, value_range=parse_range(value_range),
        false_color=choice("--false-color", false_color, FALSE_COLOR_CHOICES),
        align=choice("--align", model, RIGID_MODELS), reference=reference - 1, border="fill",
    )  # fmt: skip
    shots = find_shots(sources, output.parent)
    placed, refused = [], []
    with results() as stdout:
        for shot in shots:
            try:
                placements = _placements(shot, how)
            except MismatchError as error:  # of another size, and no place for it: told of below
                refused.append(error.message)
                continue
            placed.append(placements)
            refused += [f"{one.name}: cannot tell how it lies, left out" for one in placements if not one.accepted]
        if not placed:
            raise MismatchError("no shot could be aligned", hint="; ".join(refused[:1]) or None)
        rig = calibrated(placed, how.reference)
        with atomic_output(output, overwrite=force) as file:
            file.write(json.dumps(rig.as_dict(), indent=1).encode() + b"\n")
        if as_json:
            stdout.write(envelope("calibrate", _report(rig.as_dict(), output, placed)))
        elif not quiet:
            said = f"{output}: {rig.pairs} shots, which differ by {rig.spread:.2f} px (median at the corners)\n"
            stdout.write(printable(said[:-1]).encode(errors="replace") + b"\n")
    for note in () if quiet else refused:
        warn(note)


def find_shots(sources: list[str], folder: Path) -> list[Shot]:
    """Files pair by pair, or the groups that ``tita batch`` would make of a folder, folders or a manifest."""
    from tita_cli.batch.plan import STDIN, find_plan, is_manifest
    from tita_cli.cli.batch_steps import manifest_from_stdin

    if not any(Path(source).is_dir() or is_manifest(source) for source in sources):
        if len(sources) % 2:
            raise UsageError(f"{len(sources)} files are no pairs", hint="tita calibrate A1 B1 A2 B2 -o rig.json")
        return [(Path(one), Path(two)) for one, two in zip(sources[::2], sources[1::2], strict=True)]
    stdin = manifest_from_stdin() if STDIN in sources else None
    plan = find_plan(sources, folder / "none", stdin=stdin)
    if not plan.groups:
        raise MismatchError("no files belong together", hint="tita batch --dry-run shows what is paired and why")
    return [group.sources for group in plan.groups]


def _placements(shot: Shot, how: Preparation) -> tuple[Placement, ...]:
    from tita_cli.fusing.sources import Sources

    if how.reference >= len(shot):
        raise UsageError(f"--reference {how.reference + 1}: {shot[0]} has {len(shot) - 1} others")
    frame = Sources(shot, how).frame
    return () if frame is None else frame.placements


def _report(rig: dict[str, Any], output: Path, placed: list[tuple[Placement, ...]]) -> dict[str, Any]:
    return {
        "output": str(output),
        "rig": rig,
        "shots": [[placement.describe() for placement in placements] for placements in placed],
    }
