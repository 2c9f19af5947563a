"""How a batch shows itself: a bar on a terminal, JSON lines on stdout, or plain lines; and the plan as a table."""

from __future__ import annotations

import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from tita_cli.batch import Record, State, Summary, Tasks
from tita_cli.batch.journal import encode
from tita_cli.cli.batch_plan import leftover_lines, planned
from tita_cli.cli.console import folded, printable, say
from tita_cli.cli.outcome import shape_of
from tita_cli.pairing import Grouping

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

_MOST_LISTED = 50


def display_for(stdout: BinaryIO | None, *, quiet: bool, verbose: bool) -> Display:
    """The display that fits: ``stdout`` is where JSON lines go, or None."""
    if stdout is not None:
        return JsonLines(stdout, quiet=True, verbose=False)
    if not quiet and sys.stderr.isatty() and os.environ.get("TERM") != "dumb":
        return Bar(quiet=False, verbose=verbose)
    return Display(quiet=quiet, verbose=verbose)


def watching_display(stdout: BinaryIO | None, *, quiet: bool, verbose: bool) -> Display:
    """The same for a watch, which has no total and so no bar."""
    if stdout is not None:
        return JsonLines(stdout, quiet=True, verbose=False)
    return Watching(quiet=quiet, verbose=verbose)


class Display:
    """Plain lines on stderr, one for each result."""

    def __init__(self, *, quiet: bool, verbose: bool) -> None:
        self.quiet = quiet
        self.verbose = verbose
        self._count = 0
        self._total = 0
        self._ended: Record | None = None
        self._noted = 0
        self._told: Counter[str] = Counter()

    @contextmanager
    def showing(self, plan: Grouping, folder: Path, tasks: Tasks) -> Iterator[None]:
        """While the batch runs."""
        self._total = tasks.counts[State.TODO]
        if not self.quiet:
            say(f"tita: {planned(plan, tasks)} → {folder}")
            for line in leftover_lines(plan, everything=self.verbose):
                say(line)
        yield

    def receive(self, record: Record) -> None:
        """Every record of the journal, as it is written."""
        if record["event"] == "end":
            self._ended = record
        self.hear(record)

    def interrupted(self) -> None:
        """Say how far the run came."""
        if self._ended is not None and not self.quiet:
            done = self._ended["done"] + self._ended["skipped"]
            say(f"tita: {done} done, {self._ended['remaining']} to do; run the same command again to continue")

    def hear(self, record: Record) -> None:
        """What to show of a record."""
        self._hear_of_worker(record)
        if record["event"] not in ("done", "failed"):
            return
        self._count += 1
        if record["event"] == "failed":
            self.line(f"[{self._count}/{self._total}] {_failure(record)}")
            return
        notes = self._new_notes(record)
        if not self.quiet:
            seconds = sum(record["seconds"].values())
            self.line(f"[{self._count}/{self._total}] {record['output']} {seconds:.2f} s")
            for note in notes:
                self.line(f"  {note}")

    def _hear_of_worker(self, record: Record) -> None:
        """A worker of a cluster that is lost or takes no part; with --verbose also those that joined."""
        if record["event"] != "worker" or self.quiet:
            return
        if record["state"] != "joined":
            self.line(f"{record['message']} ({record['hint']})" if record.get("hint") else record["message"])
        elif self.verbose:
            self.line(f"{record['worker']}: {record.get('host')}")

    def _new_notes(self, record: Record) -> list[str]:
        """Those notes of a result whose like was not told before; with --verbose all."""
        notes = record["result"].get("notes", ())
        self._noted += bool(notes)
        new = []
        for note in notes:
            self._told[shape_of(note)] += 1
            if self.verbose or self._told[shape_of(note)] == 1:
                new.append(note)
        return new

    def line(self, text: str) -> None:
        say(printable(text))

    def end(self, summary: Summary, folder: Path) -> None:
        """The summary, and what failed once more: it may have scrolled away."""
        listed = summary.failures[:_MOST_LISTED]
        for record in listed:
            say(printable(_failure(record)))
        if (more := summary.failed + summary.failed_before - len(listed)) > 0:
            say(f"… and {more} more failures: see the journal")
        if self.quiet:
            return
        parts = [f"{summary.done} fused"]
        parts += [f"{summary.skipped} already done"] if summary.skipped else []
        parts += [f"{summary.failed} failed"] if summary.failed else []
        parts += [f"{self._noted} with notes"] if self._noted else []
        parts += [f"{summary.failed_before} failed earlier"] if summary.failed_before else []
        parts += [f"{summary.remaining} not done"] if summary.remaining else []
        rate = f" ({_rate(summary.done, summary.seconds)})" if summary.done and summary.seconds else ""
        say(f"tita: {', '.join(parts)} in {summary.seconds:.1f} s{rate} → {folder}")
        if summary.failed_before:
            say("tita: --retry-failed tries again those that failed earlier")


def _rate(done: int, seconds: float, unit: str = " per second") -> str:
    """Of ``done`` groups, at least one: in the form that is no small fraction."""
    return f"{done / seconds:.1f}{unit}" if done >= seconds else f"{seconds / done:.1f} s each"


class Watching(Display):
    """Lines of a watch, which has no total."""

    def line(self, text: str) -> None:
        super().line(text.partition("] ")[2] if text.startswith("[") else text)


class JsonLines(Display):
    """Every record as a line of JSON on stdout, as it comes."""

    def __init__(self, stdout: BinaryIO, *, quiet: bool, verbose: bool) -> None:
        super().__init__(quiet=quiet, verbose=verbose)
        self._stdout = stdout

    def hear(self, record: Record) -> None:
        self._stdout.write(encode(record))
        self._stdout.flush()

    def end(self, summary: Summary, folder: Path) -> None:
        """The last record has said it."""


class Bar(Display):
    """A bar with rate and time left on a terminal; only failures get a line."""

    _progress: Progress
    _task: TaskID

    @contextmanager
    def showing(self, plan: Grouping, folder: Path, tasks: Tasks) -> Iterator[None]:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        with super().showing(plan, folder, tasks):
            self._begun = time.monotonic()
            self._failures = 0
            self._progress = Progress(
                BarColumn(bar_width=None),
                MofNCompleteColumn(),
                TextColumn("{task.fields[rate]}", style="cyan"),
                TimeRemainingColumn(),
                TextColumn("{task.fields[failed]}", style="red"),
                TextColumn("{task.fields[last]}", style="dim", markup=False),
                console=Console(stderr=True),
                expand=True,
                transient=True,
            )
            with self._progress:
                self._task = self._progress.add_task("", total=self._total, rate="", failed="", last="")
                yield

    def hear(self, record: Record) -> None:
        self._hear_of_worker(record)
        if record["event"] not in ("done", "failed"):
            return
        self._count += 1
        if record["event"] == "failed":
            self._failures += 1
            self.line(_failure(record))
        else:
            for note in self._new_notes(record):
                self.line(f"{record['output']}: {note}")
        seconds = time.monotonic() - self._begun
        self._progress.update(
            self._task,
            advance=1,
            rate=_rate(self._count, seconds, "/s") if seconds else "",
            failed=f"{self._failures} failed" if self._failures else "",
            last=printable(record["output"])[-40:],
        )

    def line(self, text: str) -> None:
        text = folded(printable(text), self._progress.console.file)
        self._progress.console.print(text, markup=False, highlight=False, soft_wrap=True)


def _failure(record: Record) -> str:
    error = record["error"]
    hint = f" ({error['hint']})" if error.get("hint") else ""
    return f"failed: {record['output']}: {error['message']}{hint}"
