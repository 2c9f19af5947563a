"""``tita watch``: folders that fill; what lands is paired, fused and journalled as in a batch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

import typer

from tita_cli.cli.arguments import refuse_picture_as_folder
from tita_cli.cli.batch_steps import check_report, recipe_of
from tita_cli.cli.console import results, say
from tita_cli.cli.expand import Only, expand
from tita_cli.cli.report import ShownMetrics
from tita_cli.cli.report import write as write_report_page
from tita_cli.errors import ExitCode, need
from tita_cli.options import Alignment, Group, Input, Output, Reporting, merged, option
from tita_cli.options.batch import Pairing, Resuming, Workers


@dataclass(frozen=True, kw_only=True)
class Landing(Group):
    """When a file is whole."""

    PANEL: ClassVar[str] = "Pairing"

    settle: float = option(
        2.0, "Seconds without a change after which a file counts as whole; longer than the pause in a bracket.",
        minimum=0, metavar="S",
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class WatchedPage(ShownMetrics):
    """The report."""

    report: Path | None = option(
        None, "Write a page to look at the results when the watch ends.", metavar="FILE.html", config=False
    )


@expand
def command(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="FOLDER …", help="The folder to watch, or two or more parallel folders.", show_default=False
        ),
    ],
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", metavar="DIR", rich_help_panel="Output", show_default=False,
            help="Folder for the results and their journal.",
        ),
    ],
    landing: Landing,
    pairing: Annotated[Pairing, Only(("by", "pair", "stack", "gap"))],
    input: Input,
    alignment: Alignment,
    network: Workers,
    result: Output,
    writing: Annotated[Resuming, Only(("name", "format", "quality", "force", "retry_failed"))],
    page: WatchedPage,
    reporting: Reporting,
) -> int:  # fmt: skip
    """Fuse what lands in a folder, as tita batch does: paired, journalled, one bad file never stops the rest.

    A file that is still being written is left until it is whole. Ctrl-C or SIGTERM ends the watch; started again, it
    goes on where it was, with what landed meanwhile.
    """
    need("tita watch", "watchfiles")
    from tita_cli.align import Calibration
    from tita_cli.batch import FuserOptions
    from tita_cli.batch.watch import Watched, watch
    from tita_cli.cli.batch_display import watching_display
    from tita_cli.pairing import Wishes
    from tita_cli.runtime.device import DeviceRequest

    DeviceRequest(network.backend, network.device, network.provider).check()
    refuse_picture_as_folder(output)
    if page.report is not None:
        check_report(page.report, page.metrics, output, (), force=writing.force)
    options = merged(input, alignment, network, result)
    if isinstance(options.align_from, str):
        options = options.changed(align_from=Calibration.read(options.align_from).as_dict())
    how = FuserOptions(options, writing.format, writing.quality)
    words = tuple(word.strip() for text in pairing.pair for word in text.split(","))
    what = Watched(
        sources, output, how, pairing.by, Wishes(words, pairing.stack, pairing.gap), landing.settle, network.workers,
        network.threads, writing.retry_failed, writing.force, writing.name,
    )  # fmt: skip
    with results() as stdout:
        display = watching_display(stdout if reporting.json else None, quiet=reporting.quiet, verbose=reporting.verbose)
        if not reporting.quiet:
            say(f"tita: watching {', '.join(sources)} → {output}; Ctrl-C ends it")
        summary = watch(what, recipe_of(how), listener=display.receive, tell=lambda text: say(f"tita: {text}"))
        display.end(summary, output)
        if page.report is not None:
            from tita_cli.report import is_report

            write_report_page(
                output, page.report, metrics=page.metrics, force=writing.force or is_report(page.report),
                quiet=reporting.quiet,
            )  # fmt: skip
    return int(ExitCode.SOME_FAILED if summary.incomplete else ExitCode.OK)
