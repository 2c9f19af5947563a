"""``tita report``: a page to look at the results of a batch."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

import typer

from tita_cli.cli.console import results, say
from tita_cli.cli.expand import Only, expand
from tita_cli.files import path_of
from tita_cli.options import Group, Reporting, Writing, option

METRICS = "EN,SF,SSIM,Qabf"


@dataclass(frozen=True, kw_only=True)
class ShownMetrics(Group):
    """What a report measures."""

    PANEL: ClassVar[str] = "Reporting"

    metrics: str = option(METRICS, "Metrics that the report shows (see [bold]tita eval[/]).", metavar="NAME,…|none")


@expand
def command(
    folder: Annotated[
        str, typer.Argument(metavar="DIR", help="The output folder of a batch, or its address.", show_default=False)
    ],
    shown: ShownMetrics,
    writing: Annotated[Writing, Only(("force",))],
    reporting: Annotated[Reporting, Only(("quiet",))],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE.html",
            rich_help_panel="Output",
            show_default=False,
            help="The page to write  \\[default: DIR/report.html].",
        ),
    ] = None,
) -> None:
    """Write one self-contained page about a batch: results beside sources, weights, metrics, failures."""
    from tita_cli.report import is_report

    place = path_of(folder)
    target = output or place / "report.html"
    with results():
        write(place, target, metrics=shown.metrics, force=writing.force or is_report(target), quiet=reporting.quiet)


def write(folder: Path, target: Path, *, metrics: str, force: bool, quiet: bool) -> None:
    """Write the page, with a bar on a terminal."""
    from tita_cli.report import write_report

    with _progress(shown=not quiet and sys.stderr.isatty()) as listener:
        write_report(folder, target, metrics=metrics, overwrite=force, listener=listener)
    if not quiet:
        say(f"tita: report → {target}")


@contextmanager
def _progress(*, shown: bool) -> Iterator[Callable[[int, int], None]]:
    if not shown:
        yield lambda done, total: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("report", total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)
