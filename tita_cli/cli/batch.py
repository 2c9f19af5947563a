"""``tita batch``: folders of images, paired, fused, journalled; what is done is not done again."""

from __future__ import annotations

import sys
from dataclasses import replace
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from tita_cli.cli import options
from tita_cli.cli.batch_steps import check_report, header, manifest_from_stdin, recipe_of, show_plan
from tita_cli.cli.console import results
from tita_cli.cli.report import METRICS, Metrics
from tita_cli.cli.report import write as write_report_page
from tita_cli.errors import ExitCode

PAIRING = "Pairing"


class By(str, Enum):
    """Rules of pairing."""

    FOLDERS = "folders"
    NAMES = "names"
    EXPOSURE = "exposure"
    NUMBERS = "numbers"
    BURST = "burst"
    SCENES = "scenes"


def command(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="FOLDER|MANIFEST|- …",
            help="A folder to search, two or more parallel folders, a manifest (.csv, .jsonl), or - for one on stdin.",
            show_default=False,
        ),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="DIR",
            rich_help_panel=options.OUTPUT,
            show_default=False,
            help="Folder for the results and their journal  \\[default: FOLDER-fused beside FOLDER].",
        ),
    ] = None,
    by: Annotated[
        By | None,
        typer.Option(
            "--by",
            rich_help_panel=PAIRING,
            show_default=False,
            help="How images belong together  \\[default: found out; an error where there is no telling].",
        ),
    ] = None,
    pair: Annotated[
        list[str] | None,
        typer.Option(
            "--pair",
            metavar="WORD,WORD[,…]",
            rich_help_panel=PAIRING,
            show_default=False,
            help="Words, in folder or file names, that tell the sources apart, in their order: --pair vis,ir.",
        ),
    ] = None,
    stack: Annotated[
        int | None,
        typer.Option(
            "--stack", min=2, metavar="N", rich_help_panel=PAIRING, help="Images in every stack.", show_default=False
        ),
    ] = None,
    gap: Annotated[
        float,
        typer.Option("--gap", min=0, metavar="S", rich_help_panel=PAIRING, help="Longest pause in a burst, seconds."),
    ] = 2.0,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", "-n", rich_help_panel=PAIRING, help="Show what would be done; touch nothing.")
    ] = False,
    resize: Annotated[
        bool, typer.Option("--resize", rich_help_panel=options.INPUT, help="Bring all sources to the reference's size.")
    ] = False,
    page: options.Page = None,
    max_pixels: options.MaxPixels = None,
    value_range: options.Range = "auto",
    invert: options.Invert = None,
    false_color: options.FalseColor = "refuse",
    align: options.Align = "auto",
    reference: Annotated[
        int | None,
        typer.Option(
            "--reference",
            min=1,
            metavar="N",
            rich_help_panel=options.ALIGNMENT,
            show_default=False,
            help="The source, counted from 1, whose frame and size the results have  \\[default: as pairing finds].",
        ),
    ] = None,
    border: options.Border = "crop",
    align_from: options.AlignFrom = None,
    deghost: options.Deghost = False,
    model: options.Model = "tita-lite",
    device: options.Device = "auto",
    backend: options.Backend = "auto",
    provider: options.Provider = None,
    memory: options.Memory = None,
    threads: Annotated[
        int | None,
        typer.Option(
            "--threads",
            min=1,
            rich_help_panel=options.NETWORK,
            show_default=False,
            help="CPU threads for each worker  \\[default: cores shared out].",
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            "--workers",
            min=1,
            rich_help_panel=options.NETWORK,
            show_default=False,
            help="Networks that run side by side  \\[default: by cores, memory and device].",
        ),
    ] = None,
    file_format: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="png|jpeg|tiff|webp|bmp",
            rich_help_panel=options.OUTPUT,
            show_default=False,
            help="Format of the results  \\[default: the reference source's].",
        ),
    ] = None,
    color: options.Color = "auto",
    depth: options.Depth = None,
    metadata: Annotated[
        str | None,
        typer.Option(
            "--metadata",
            metavar="N|none",
            rich_help_panel=options.OUTPUT,
            show_default=False,
            help="The source, counted from 1, whose EXIF, XMP and GPS the results bear  \\[default: the reference].",
        ),
    ] = None,
    force: Annotated[
        bool,
        typer.Option(
            "--force", "-f", rich_help_panel=options.OUTPUT, help="Replace files in the way that are not ours."
        ),
    ] = False,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", rich_help_panel=options.OUTPUT, help="Try again what failed before.")
    ] = False,
    fail_fast: Annotated[
        bool, typer.Option("--fail-fast", rich_help_panel=options.OUTPUT, help="Stop at the first failure.")
    ] = False,
    report: Annotated[
        Path | None,
        typer.Option(
            "--report",
            metavar="FILE.html",
            rich_help_panel=options.REPORTING,
            show_default=False,
            help="Write a page to look at the results.",
        ),
    ] = None,
    metrics: Metrics = METRICS,
    as_json: Annotated[
        bool,
        typer.Option("--json", rich_help_panel=options.REPORTING, help="Print records as lines of JSON on stdout."),
    ] = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> int:
    """Fuse many groups of images: folders are searched for what belongs together, and each group becomes one picture.

    Run it again to go on: what is done and unchanged is skipped. One bad file never stops the rest; the exit code is 1
    if any failed.
    """  # fmt: skip
    from tita_cli.align import BORDERS, MODES, Calibration
    from tita_cli.batch import (
        ApiFuser,
        FuserOptions,
        Journal,
        choose_sizes,
        is_gpu_likely,
        judge_jobs,
        make_jobs,
        read_journal,
        run_batch,
    )
    from tita_cli.batch.plan import STDIN, default_folder, find_plan
    from tita_cli.cli.batch_display import display_for
    from tita_cli.cli.fuse import choice, parse_metadata
    from tita_cli.fusion.source import FALSE_COLOR_CHOICES
    from tita_cli.images.color import COLOR_RULES
    from tita_cli.images.formats import parse_depth
    from tita_cli.images.value_range import parse_range
    from tita_cli.pairing import Wishes
    from tita_cli.runtime.device import DeviceRequest
    from tita_cli.runtime.memory import parse_size

    where = DeviceRequest(backend, device, provider)
    where.check()
    if report is not None:
        check_report(report, metrics, force=force)
    folder = output or default_folder(sources)
    words = tuple(word.strip() for option in pair or () for word in option.split(","))
    plan = find_plan(
        sources,
        folder,
        rule=by.value if by else None,
        wishes=Wishes(words, stack, gap),
        stdin=manifest_from_stdin() if STDIN in sources else None,
    )
    jobs = make_jobs(plan, folder, format_name=file_format)
    bits = None if depth is None else parse_depth(depth)
    how = FuserOptions(
        model=model,
        fuse={
            "resize": resize,
            "page": page,
            "max_pixels": max_pixels,
            "value_range": parse_range(value_range),
            "invert": [number - 1 for number in invert or ()],
            "depth": bits,
            "false_color": choice("--false-color", false_color, FALSE_COLOR_CHOICES),
            "color": choice("--color", color, COLOR_RULES),
            "align": choice("--align", align, MODES),
            "border": choice("--border", border, BORDERS),
            "deghost": deghost,
            # Its content and not its name: another calibration redoes what was made with the old one.
            "align_from": None if align_from is None else Calibration.read(align_from).as_dict(),
            **({} if reference is None else {"reference": reference - 1}),
            **({} if metadata is None else {"metadata": parse_metadata(metadata)}),
        },
        write={"format": file_format, "depth": bits},
        engine={**where._asdict(), "memory": None if memory is None else parse_size(memory)},
    )
    if dry_run:
        show_plan(plan, folder, jobs, how, as_json=as_json, retry_failed=retry_failed, force=force)
        return int(ExitCode.OK)
    # In a pipeline (`tita batch - < list.jsonl | jq`) the records are what stdout is for.
    as_json = as_json or (STDIN in sources and not sys.stdout.isatty())
    with results() as stdout:
        display = display_for(stdout if as_json else None, quiet=quiet, verbose=verbose)
        recipe = recipe_of(how)
        with Journal(folder) as journal:
            tasks = judge_jobs(jobs, read_journal(folder), recipe, retry_failed=retry_failed, force=force)
            sizes, per_worker = choose_sizes(
                jobs=len(tasks), on_gpu=is_gpu_likely(device), workers=workers, threads=threads
            )
            with display.showing(plan, folder, tasks):
                summary = run_batch(
                    tasks,
                    journal,
                    ApiFuser(replace(how, engine={**how.engine, "threads": per_worker})),
                    recipe,
                    sizes,
                    header=header(plan, how, sizes.lanes, per_worker),
                    fail_fast=fail_fast,
                    listener=display.hear,
                )
        display.end(summary, folder)
        if report is not None:
            write_report_page(folder, report, metrics=metrics, force=force, quiet=quiet)
    return int(ExitCode.SOME_FAILED if summary.incomplete else ExitCode.OK)  # fmt: skip
