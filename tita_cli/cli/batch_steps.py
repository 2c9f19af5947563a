"""What ``tita batch`` does before and around a run: checks, the recipe, the journal's header, the dry run."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import replace
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from tita_cli.cli.console import warn
from tita_cli.errors import InputError, OutputError
from tita_cli.files import is_address, resolved

if TYPE_CHECKING:
    from tita_cli.batch import FuserOptions, Job, Jobs, Journal, Pool, Recipe
    from tita_cli.options.batch import Machines
    from tita_cli.pairing import Grouping


def check_report(report: Path, metrics: str, folder: Path, jobs: Iterable[Job], *, force: bool) -> None:
    """Find out before the run, not after it. A report of an earlier run may be replaced; ``folder`` will be made."""
    from tita_cli.batch.journal import FILE_NAME
    from tita_cli.images.atomic import check_writable
    from tita_cli.report import is_report, report_metrics

    files = chain([folder / FILE_NAME], (path for job in jobs for path in (*job.sources, job.target)))
    if resolved(report.parent) != resolved(folder) or folder.exists():
        check_writable(report, overwrite=force or is_report(report), sources=files)
    report_metrics(metrics)


def recipe_of(how: FuserOptions) -> Recipe:
    """What decides a result, beside its sources: options and the model's content."""
    from tita_cli.batch import Recipe
    from tita_cli.models.find import file_hash, find_model

    return Recipe(how.deciding, file_hash(find_model(how.fuse.model)))


def choose_pool(how: FuserOptions, recipe: Recipe, network: Machines, jobs: Jobs) -> tuple[Pool, dict[str, Any]]:
    """Where the jobs are done, and what the journal tells of it. Raises DeviceError where no cluster answers."""
    from tita_cli.batch import ApiFuser, LocalPool, Work, choose_sizes, is_gpu_likely

    if network.on is not None:
        return _cluster(network.on, how, recipe, network)
    sizes, threads = choose_sizes(
        jobs=len(jobs),
        on_gpu=is_gpu_likely(network.device),
        workers=network.workers,
        threads=network.threads,
        remote=any(is_address(path) for job in islice(jobs, 1) for path in (job.target, *job.sources)),
    )
    work = Work(ApiFuser(replace(how, fuse=how.fuse.changed(threads=threads))), recipe)
    return LocalPool(work, sizes), {"workers": sizes.lanes, "threads": threads}


def _cluster(on: str, how: FuserOptions, recipe: Recipe, network: Machines) -> tuple[Pool, dict[str, Any]]:
    from tita_cli.batch import ApiFuser, Work
    from tita_cli.batch.cluster import ClusterPool
    from tita_cli.batch.ray_fleet import RayFleet
    from tita_cli.models.find import find_model, shipped_models

    threads = network.threads or 1
    work = Work(ApiFuser(replace(how, fuse=how.fuse.changed(threads=threads))), recipe)
    path = find_model(network.model)
    model = None if network.model in shipped_models() else (path.name, path.read_bytes())
    fleet = RayFleet(
        on, work, model=model, device=network.device, threads=threads, workers=network.workers
    )  # fmt: skip
    return ClusterPool(fleet, work), {"on": on, "threads": threads}


def header(plan: Grouping, groups: int, how: FuserOptions, engine: dict[str, Any]) -> dict[str, Any]:
    """What the journal tells of a run, beside what the runner knows."""
    return {
        "command": "batch",
        "model": how.fuse.model,
        "rule": plan.rule,
        "groups": groups,
        "leftovers": [leftover.describe() for leftover in plan.leftovers],
        "engine": {**how.fuse.engine_settings(), **engine},
    }


def show_plan(
    plan: Grouping, folder: Path, jobs: Jobs, how: FuserOptions, *, as_json: bool, retry_failed: bool, force: bool
) -> None:
    """The dry run: what would be done, as a table on stdout or one JSON document."""
    from tita_cli.batch import Recipe, judge_jobs, read_journal
    from tita_cli.cli.batch_plan import print_plan

    history = read_journal(folder)
    # Without a journal nothing depends on the model, and a plan can be made where there is none.
    recipe = recipe_of(how) if len(history) else Recipe(how.deciding, "")
    print_plan(plan, folder, judge_jobs(jobs, history, recipe, retry_failed=retry_failed, force=force), as_json=as_json)


def store_copy(journal: Journal) -> None:
    """The journal's copy at an address, which results may not depend on: a warning where it cannot be stored."""
    try:
        journal.store_copy()
    except OutputError as error:
        warn(f"{error.message}; the journal is in {journal.path.parent}")


def manifest_from_stdin() -> BinaryIO:
    """The pipe of a manifest. Raises ``InputError`` where nobody pipes one."""
    if sys.stdin.isatty():
        raise InputError("<stdin>: a terminal, not a manifest", hint="tita batch - < pairs.jsonl")
    return sys.stdin.buffer
