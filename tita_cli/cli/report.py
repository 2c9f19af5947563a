"""``tita report``: a page to look at the results of a batch."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from tita_cli.cli import options
from tita_cli.cli.console import results, say

METRICS = "EN,SF,SSIM,Qabf"

Metrics = Annotated[
    str,
    typer.Option(
        "--metrics", metavar="NAME,…|none", rich_help_panel=options.REPORTING,
        help="Metrics that the report shows (see [bold]tita eval[/]).",
    ),
]  # fmt: skip


def command(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The output folder of a batch.", show_default=False)],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE.html",
            rich_help_panel=options.OUTPUT,
            show_default=False,
            help="The page to write  \\[default: DIR/report.html].",
        ),
    ] = None,
    metrics: Metrics = METRICS,
    force: options.Force = False,
    quiet: options.Quiet = False,
) -> None:
    """Write one self-contained page about a batch: results beside sources, weights, metrics, failures."""
    with results():
        write(folder, output or folder / "report.html", metrics=metrics, force=force, quiet=quiet)


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
