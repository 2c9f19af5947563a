"""``tita eval``: metrics of fused images against their sources, and ranks among published methods."""

from __future__ import annotations

from dataclasses import MISSING, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from tita_cli.cli.console import results, warn
from tita_cli.cli.expand import Only, expand
from tita_cli.errors import ExitCode, UsageError
from tita_cli.files import resolved
from tita_cli.options import Group, Reporting, Writing, option

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tita_cli.metrics import Metric
    from tita_cli.metrics.files import Case, Outcome
    from tita_cli.metrics.ranking import Published


@dataclass(frozen=True, kw_only=True)
class Folders(Group):
    """What is measured."""

    PANEL: ClassVar[str] = "Input"

    fused: Path = option(MISSING, "Folder of fused images (or one image).", metavar="DIR", config=False)
    a: Path | None = option(
        None, "Folder of first sources, matched by file name without extension.", metavar="DIR", config=False
    )
    b: Path | None = option(
        None, "Folder of second sources. Which are first matters to Qc only.", metavar="DIR", config=False
    )
    sources: Path | None = option(
        None, "For sets of any size: folder with a folder of sources for each fused image, of its name.",
        metavar="DIR", config=False,
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Measure(Group):
    """How it is measured."""

    PANEL: ClassVar[str] = "Measure"

    # Not from files or variables: a default for the --metrics of a report means something else.
    metrics: str | None = option(
        None, "Which metrics.", metavar="NAME,…", unset="all, or those that --against lists", config=False
    )
    against: Path | None = option(
        None, "Values of other methods (image,method,metric,value): rank the fused images among them.",
        metavar="FILE.csv",
    )  # fmt: skip
    convention: Literal["mefb", "vifb"] = option(
        "mefb", "Which benchmark to follow where they differ: vifb puts the channels side by side for SF."
    )
    reencode: bool = option(
        False, "Put fused images through JPEG of quality 75 first, as the benchmarks stored theirs."
    )
    workers: int | None = option(
        None, "Processes side by side.", minimum=1, metavar="N", unset="as many as there are cores"
    )


@dataclass(frozen=True, kw_only=True)
class Files(Writing):
    """Files of the values."""

    csv: Path | None = option(
        None, "Write the values of each image, in the form that --against reads.", metavar="FILE", config=False
    )
    plot: Path | None = option(
        None, "Draw the values of each image, and the published means where there are any.", metavar="FILE.svg",
        config=False,
    )  # fmt: skip


@expand
def command(
    folders: Folders,
    measuring: Measure,
    files: Annotated[Files, Only(("csv", "plot", "force"))],
    reporting: Annotated[Reporting, Only(("json", "quiet"))],
) -> int:
    """Measure fused images against their sources, as the published benchmarks do.

    Means over the images go to stdout, best values of a metric in the direction of its arrow. No single number tells a
    good fusion: a copy of one source does well in half of them. See docs/reference/metrics.md.
    """
    from tita_cli.cli import evaluate_display as display
    from tita_cli.images import check_writable
    from tita_cli.metrics.files import measure
    from tita_cli.metrics.ranking import rank, read_published
    from tita_cli.runtime.threads import usable_cores

    table, plot, force, quiet = files.csv, files.plot, files.force, reporting.quiet
    fused, against, reencode = folders.fused, measuring.against, measuring.reencode
    if plot is not None and plot.suffix.lower() != ".svg":
        raise UsageError(f"{plot}: the plot is SVG", hint="name it FILE.svg")
    published = read_published(against) if against is not None else None
    wanted = _wanted(measuring.metrics, published, against, sets=folders.sources is not None)
    cases, outcomes = _matched(folders)
    read = [path for case in cases for path in (case.fused, *case.sources)]
    for target in filter(None, (table, plot)):
        check_writable(target, overwrite=force, sources=[*read, against])
    with results() as stdout:
        names = [metric.name for metric in wanted]
        with display.progress(len(cases), quiet=quiet) as advance:
            for outcome in measure(
                cases,
                names,
                convention=measuring.convention,
                as_stored=reencode,
                workers=measuring.workers or usable_cores(),
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
            display.write_table(table, resolved(fused).name, values, overwrite=force)
        if plot is not None:
            display.write_plot(plot, str(fused), values, wanted, published, overwrite=force)
        if reporting.json:
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


def _matched(folders: Folders) -> tuple[list[Case], list[Outcome]]:
    """Fused images with their sources. Raises UsageError for options that do not go together."""
    from tita_cli.metrics.files import match, match_sets

    a, b, sources = folders.a, folders.b, folders.sources
    if sources is not None and a is None and b is None:
        return match_sets(folders.fused, sources)
    if sources is not None or a is None or b is None:
        raise UsageError("give the sources as --a and --b, or as --sources")
    return match(folders.fused, a, b)


def _wanted(metrics: str | None, published: Published | None, against: Path | None, *, sets: bool) -> list[Metric]:
    from tita_cli.errors import InputError
    from tita_cli.metrics import METRICS, find_metrics

    if metrics is not None:
        return find_metrics(metrics)
    if published is None:
        return [metric for metric in METRICS.values() if not sets or metric.takes(3)]
    if not published.metrics:
        raise InputError(f"{against}: none of its metrics is known here", hint=f"known: {', '.join(METRICS)}")
    return published.metrics
