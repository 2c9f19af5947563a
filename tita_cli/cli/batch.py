"""``tita batch``: folders of images, paired, fused, journalled; what is done is not done again."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from tita_cli.cli.arguments import expand_patterns, refuse_picture_as_folder
from tita_cli.cli.batch_steps import (
    check_report,
    choose_pool,
    header,
    manifest_from_stdin,
    recipe_of,
    show_plan,
    store_copy,
)
from tita_cli.cli.console import results
from tita_cli.cli.expand import expand
from tita_cli.cli.report import ShownMetrics
from tita_cli.cli.report import write as write_report_page
from tita_cli.errors import ExitCode
from tita_cli.files import path_of
from tita_cli.options import Alignment, Input, Output, Reporting, merged, option
from tita_cli.options.batch import Machines, Pairing, Resuming


@dataclass(frozen=True, kw_only=True)
class Page(ShownMetrics):
    """The report."""

    report: Path | None = option(None, "Write a page to look at the results.", metavar="FILE.html", config=False)


@expand
def command(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="FOLDER|MANIFEST|- …",
            help="A folder to search, two or more parallel folders, a manifest (.csv, .jsonl), or - for one on stdin; "
            "here or at an address (s3://, gs://, sftp://).",
            show_default=False,
        ),
    ],
    pairing: Pairing,
    input: Input,
    alignment: Alignment,
    network: Machines,
    result: Output,
    writing: Resuming,
    page: Page,
    reporting: Reporting,
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            "-o",
            metavar="DIR",
            rich_help_panel="Output",
            show_default=False,
            help="Folder or address for the results and their journal  \\[default: FOLDER-fused beside FOLDER].",
        ),
    ] = None,
) -> int:
    """Fuse many groups of images: folders are searched for what belongs together, and each group becomes one picture.

    Run it again to go on: what is done and unchanged is skipped. One bad file never stops the rest; the exit code is 1
    if any failed.
    """
    from tita_cli.align import Calibration
    from tita_cli.batch import (
        FuserOptions,
        Journal,
        judge_jobs,
        make_jobs,
        read_journal,
        run_batch,
    )
    from tita_cli.batch.plan import STDIN, default_folder, find_plan
    from tita_cli.cli.batch_display import display_for
    from tita_cli.pairing import Wishes
    from tita_cli.runtime.device import DeviceRequest

    DeviceRequest(network.backend, network.device, network.provider).check()
    report, force, quiet = page.report, writing.force, reporting.quiet
    sources = expand_patterns(sources)
    refuse_picture_as_folder(output)
    folder = default_folder(sources) if output is None else path_of(output)
    words = tuple(word.strip() for text in pairing.pair for word in text.split(","))
    plan = find_plan(
        sources,
        folder,
        rule=pairing.by,
        wishes=Wishes(words, pairing.stack, pairing.gap),
        stdin=manifest_from_stdin() if STDIN in sources else None,
    )
    jobs = make_jobs(plan, folder, format_name=writing.format, name=writing.name)
    if report is not None:
        check_report(report, page.metrics, folder, jobs, force=force)
    options = merged(input, alignment, network, result)
    if isinstance(options.align_from, str):
        # Its content and not its name: another calibration redoes what was made with the old one.
        options = options.changed(align_from=Calibration.read(options.align_from).as_dict())
    how = FuserOptions(options, writing.format, writing.quality)
    if pairing.dry_run:
        show_plan(plan, folder, jobs, how, as_json=reporting.json, retry_failed=writing.retry_failed, force=force)
        return int(ExitCode.OK)
    # In a pipeline (`tita batch - < list.jsonl | jq`) the records are what stdout is for.
    as_json = reporting.json or (STDIN in sources and not sys.stdout.isatty())
    with results() as stdout:
        display = display_for(stdout if as_json else None, quiet=quiet, verbose=reporting.verbose)
        recipe = recipe_of(how)
        with Journal(folder) as journal:
            tasks = judge_jobs(jobs, read_journal(folder), recipe, retry_failed=writing.retry_failed, force=force)
            pool, engine = choose_pool(how, recipe, network, jobs)
            try:
                with display.showing(plan, folder, tasks):
                    summary = run_batch(
                        tasks,
                        journal,
                        pool,
                        recipe,
                        header=header(plan, len(jobs), how, engine),
                        fail_fast=writing.fail_fast,
                        listener=display.receive,
                    )
            except KeyboardInterrupt:
                display.interrupted()
                raise
            finally:
                store_copy(journal)
        display.end(summary, folder)
        if report is not None:
            from tita_cli.report import is_report

            write_report_page(folder, report, metrics=page.metrics, force=force or is_report(report), quiet=quiet)
    return int(ExitCode.SOME_FAILED if summary.incomplete else ExitCode.OK)
