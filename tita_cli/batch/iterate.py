"""``fuse_batch``: a batch as an iterator over its results, for programs."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from queue import SimpleQueue
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

from tita_cli.batch.fuser import ApiFuser, FuserOptions
from tita_cli.batch.jobs import Jobs, make_jobs
from tita_cli.batch.journal import Journal, read_journal
from tita_cli.batch.plan import default_folder, find_plan
from tita_cli.batch.pool import LocalPool
from tita_cli.batch.record import Record
from tita_cli.batch.resume import Recipe, State, judge_jobs
from tita_cli.batch.runner import run_batch
from tita_cli.batch.sizing import choose_sizes, is_gpu_likely
from tita_cli.batch.work import Work
from tita_cli.files import path_of
from tita_cli.models.find import file_hash, find_model
from tita_cli.options import FuseOptions
from tita_cli.options.batch import Rule, parse_name
from tita_cli.pairing import DEFAULT_GAP, Wishes

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from tita_cli.options.keywords import FuseKeywords

_END = object()
StrPath = str | os.PathLike[str]


@dataclass(frozen=True, slots=True)
class BatchResult:
    """One picture of a batch: where it is, what it was made of, and why not where it was not.

    ``error``: what went wrong, None for a picture that was written. ``notes``: what the user should know of it.
    ``record``: the journal's record (docs/reference/journal.md).
    """

    path: Path
    sources: tuple[Path, ...]
    error: str | None
    notes: tuple[str, ...]
    record: Mapping[str, Any]


class _LeftError(Exception):
    """Nobody takes results any longer."""


def fuse_batch(
    *sources: StrPath,
    output: StrPath | None = None,
    options: FuseOptions | None = None,
    by: Rule | None = None,
    pair: Sequence[str] = (),
    stack: int | None = None,
    gap: float = DEFAULT_GAP,
    format: str | None = None,
    name: str | None = None,
    quality: int | None = None,
    workers: int | None = None,
    retry_failed: bool = False,
    overwrite: bool = False,
    progress: Callable[[int, int], None] = lambda done, total: None,
    **changes: Unpack[FuseKeywords],
) -> Iterator[BatchResult]:
    """Fuse what belongs together in folders or a manifest, and yield every result as it is written, or failed.

    ``sources``: a folder, parallel folders or a manifest, as ``tita batch`` takes them. ``output``: the folder for
    results and journal, by default beside the first. ``by``, ``pair``, ``stack``, ``gap``: how images belong together,
    see docs/how-to/batch.md. ``options``, ``changes``: as in :func:`tita_cli.fuse`. ``overwrite``: also
    what the batch did not write. ``progress``: called with the number of finished groups and of all to do.

    What is done and unchanged is skipped and not yielded. The groups are found at once; the work begins with the first
    ``next``, and closing the iterator ends it after the groups in work. A bad file is a result with an ``error``.
    Raises what pairing, the model and the output folder raise: ``UsageError``, ``InputError``, ``MismatchError``,
    ``ModelError``, ``DeviceError``, ``OutputError``.
    """
    how = FuserOptions((options or FuseOptions()).changed(**changes), format, quality)
    given = [os.fspath(source) for source in sources]
    folder = path_of(output) if output is not None else default_folder(given)
    plan = find_plan(given, folder, rule=by, wishes=Wishes(tuple(pair), stack, gap))
    jobs = make_jobs(plan, folder, format_name=format, name=None if name is None else parse_name(name))
    recipe = Recipe(how.deciding, file_hash(find_model(how.fuse.model)))

    def work(listener: Callable[[Record], None]) -> None:
        with Journal(folder) as journal:
            tasks = judge_jobs(jobs, read_journal(folder), recipe, retry_failed=retry_failed, force=overwrite)
            listener({"event": "total", "total": tasks.counts[State.TODO]})
            gpu = is_gpu_likely(how.fuse.device)
            sizes, threads = choose_sizes(jobs=len(tasks), on_gpu=gpu, workers=workers, threads=how.fuse.threads)
            pool = LocalPool(Work(ApiFuser(replace(how, fuse=how.fuse.changed(threads=threads))), recipe), sizes)
            header = {"command": "batch", "model": how.fuse.model, "rule": plan.rule, "groups": len(jobs)}
            try:
                run_batch(tasks, journal, pool, recipe, header=header, listener=listener)
            finally:
                journal.store_copy()

    return _results(work, folder, jobs, progress)


def _results(
    work: Callable[[Callable[[Record], None]], None], folder: Path, jobs: Jobs,
    progress: Callable[[int, int], None],
) -> Iterator[BatchResult]:  # fmt: skip
    """Run ``work`` in a thread, and yield what its listener hears."""
    heard: SimpleQueue[Any] = SimpleQueue()
    left = Event()

    def listen(record: Record) -> None:
        if left.is_set() and record["event"] != "end":
            raise _LeftError
        heard.put(record)

    def body() -> None:
        try:
            work(listen)
        except _LeftError:
            pass
        except BaseException as error:  # raised again where results are taken
            heard.put(error)
        finally:
            heard.put(_END)

    thread = Thread(target=body, name="tita-fuse-batch")
    thread.start()
    done = total = 0
    try:
        while (item := heard.get()) is not _END:
            if isinstance(item, BaseException):
                raise item
            if item["event"] == "total":
                total = item["total"]
            elif item["event"] in ("done", "failed"):
                done += 1
                progress(done, total)
                yield _result(item, folder, jobs[item["output"]].sources)
    finally:
        left.set()
        thread.join()


def _result(record: Record, folder: Path, sources: tuple[Path, ...]) -> BatchResult:
    error = record["error"]["message"] if record["event"] == "failed" else None
    notes = tuple(record.get("result", {}).get("notes", ()))
    return BatchResult(folder / record["output"], sources, error, notes, record)
