"""``tita eval``: metrics of fused images against their sources, and ranks among published methods."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tita_cli.cli import options
from tita_cli.cli.console import results, warn
from tita_cli.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tita_cli.metrics import Metric
    from tita_cli.metrics.files import Outcome
    from tita_cli.metrics.ranking import Published

MEASURE = "Measure"


class Convention(str, Enum):
    """Whose way to follow where the benchmarks differ."""

    MEFB = "mefb"
    VIFB = "vifb"


def command(
    fused: Annotated[
        Path,
        typer.Option(
            "--fused",
            metavar="DIR",
            rich_help_panel=options.INPUT,
            show_default=False,
            help="Folder of fused images (or one image).",
        ),
    ],
    a: Annotated[
        Path,
        typer.Option(
            "--a",
            metavar="DIR",
            rich_help_panel=options.INPUT,
            show_default=False,
            help="Folder of first sources, matched by file name without extension.",
        ),
    ],
    b: Annotated[
        Path,
        typer.Option(
            "--b",
            metavar="DIR",
            rich_help_panel=options.INPUT,
            show_default=False,
            help="Folder of second sources. Which are first matters to Qc only.",
        ),
    ],
    metrics: Annotated[
        str | None,
        typer.Option(
            "--metrics",
            metavar="NAME,…",
            rich_help_panel=MEASURE,
            show_default=False,
            help="Which metrics; without it all, or those that --against lists.",
        ),
    ] = None,
    against: Annotated[
        Path | None,
        typer.Option(
            "--against",
            metavar="FILE.csv",
            rich_help_panel=MEASURE,
            show_default=False,
            help="Values of other methods (image,method,metric,value): rank the fused images among them.",
        ),
    ] = None,
    convention: Annotated[
        Convention,
        typer.Option(
            "--convention",
            rich_help_panel=MEASURE,
            help="Whose way where the benchmarks differ: VIFB puts the channels side by side for SF.",
        ),
    ] = Convention.MEFB,
    reencode: Annotated[
        bool,
        typer.Option(
            "--reencode",
            rich_help_panel=MEASURE,
            help="Put fused images through JPEG of quality 75 first, as the benchmarks stored theirs.",
        ),
    ] = False,
    workers: Annotated[
        int | None,
        typer.Option(
            "--workers",
            min=1,
            metavar="N",
            rich_help_panel=MEASURE,
            show_default=False,
            help="Processes side by side; without it as many as there are cores.",
        ),
    ] = None,
    table: Annotated[
        Path | None,
        typer.Option(
            "--csv",
            metavar="FILE",
            rich_help_panel=options.OUTPUT,
            show_default=False,
            help="Write the values of each image, in the form that --against reads.",
        ),
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option(
            "--plot",
            metavar="FILE.svg",
            rich_help_panel=options.OUTPUT,
            show_default=False,
            help="Draw the values of each image, and the published means where there are any.",
        ),
    ] = None,
    force: options.Force = False,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
) -> int:
    """Measure fused images against their sources, as the published benchmarks do.

    Means over the images go to stdout, best values of a metric in the direction of its arrow. No single number tells a
    good fusion: a copy of one source does well in half of them. See docs/reference/metrics.md.
    """  # fmt: skip
    from tita_cli.cli import evaluate_display as display
    from tita_cli.images import check_writable
    from tita_cli.metrics.files import match, measure
    from tita_cli.metrics.ranking import rank, read_published
    from tita_cli.runtime.threads import usable_cores

    for target in filter(None, (table, plot)):
        check_writable(target, overwrite=force)
    if plot is not None and plot.suffix.lower() != ".svg":
        raise UsageError(f"{plot}: the plot is SVG", hint="name it FILE.svg")
    published = read_published(against) if against is not None else None
    wanted = _wanted(metrics, published, against)
    with results() as stdout:
        triples, outcomes = match(fused, a, b)
        names = [metric.name for metric in wanted]
        with display.progress(len(triples), quiet=quiet) as advance:
            for outcome in measure(
                triples, names, convention=convention.value, as_stored=reencode, workers=workers or usable_cores()
            ):
                outcomes.append(outcome)
                advance(outcome.name)
        outcomes.sort(key=lambda outcome: outcome.name)
        display.tell(outcomes, quiet=quiet)
        values = {outcome.name: outcome.values for outcome in outcomes if outcome.values is not None}
        if not values and outcomes[0].error is not None:
            return int(outcomes[0].error.exit_code)
        ranks = None
        if published is not None and against is not None:
            ranks = rank(values, published, wanted)
            if not quiet:
                _warn_of_unfair_ranks(against, published, outcomes, reencoded=reencode)
        if table is not None:
            display.write_table(table, fused.resolve().name, values, overwrite=force)
        if plot is not None:
            display.write_plot(plot, str(fused), values, wanted, published, overwrite=force)
        if as_json:
            stdout.write(display.document(outcomes, wanted, ranks))
        else:
            stdout.write(display.means(values, wanted, ranks, published))
    return int(ExitCode.SOME_FAILED if len(values) < len(outcomes) else ExitCode.OK)


def _warn_of_unfair_ranks(against: Path, published: Published, outcomes: Sequence[Outcome], *, reencoded: bool) -> None:
    """Say why the ranks may not mean what they seem to."""
    from tita_cli.images.formats import FORMATS

    measured = {outcome.name for outcome in outcomes if outcome.values is not None}
    missing = len(set(published.images) - measured)
    if missing:
        warn(f"{missing} of the {len(published.images)} images of {against} are not among those measured")
    strangers = len(measured.difference(published.images))
    if strangers:
        warn(f"{strangers} of the {len(measured)} images measured are not in {against}: they count in no rank")
    lossless = any(outcome.fused.suffix.lower() not in FORMATS["jpeg"].suffixes for outcome in outcomes)
    if lossless and not reencoded:
        warn("the benchmarks stored fused images as JPEG: lossless ones rank better than they are (--reencode)")


def _wanted(metrics: str | None, published: Published | None, against: Path | None) -> list[Metric]:
    from tita_cli.errors import InputError
    from tita_cli.metrics import METRICS, find_metrics

    if metrics is not None:
        return find_metrics(metrics)
    if published is None:
        return list(METRICS.values())
    if not published.metrics:
        raise InputError(f"{against}: none of its metrics is known here", hint=f"known: {', '.join(METRICS)}")
    return published.metrics
