"""Faults and kills in a batch, at chosen calls of the system: what is lost, and whether the next run makes it whole.

The batch is the real one, with readers, journal and writers; a mean stands in for the network, which touches no file.
"""

from __future__ import annotations

import errno
import io
import os
import random
import resource
import shutil
import signal
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from tita_cli.batch import (
    Job,
    Journal,
    LocalPool,
    Recipe,
    Summary,
    Work,
    judge_jobs,
    make_jobs,
    read_journal,
    run_batch,
)
from tita_cli.batch.pipeline import Sizes
from tita_cli.errors import ExitCode, explained
from tita_cli.images import Picture, read_picture, write_picture
from tita_cli.images.atomic import make_folder
from tita_cli.pairing import pair_folder

CALLS: Mapping[str, tuple[Any, str]] = {
    "open": (os, "open"), "create": (io, "open"), "write": (os, "write"), "fsync": (os, "fsync"),
    "rename": (os, "replace"), "mkdir": (os, "mkdir"),
}  # fmt: skip
FAULTS = (errno.ENOSPC, errno.EIO, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EMFILE, errno.ENOMEM)
_SIZES = Sizes(decoders=1, lanes=1, encoders=1, budget=1 << 28)
_RECIPE = Recipe({"resize": False}, "mean")

Strike: TypeAlias = "tuple[str, int, tuple[int, bool] | None]"
"""A call, which of its kind, and the error that it ends with, once or from then on; None: a kill."""


class Mean:
    """The mean of the sources."""

    def open_lane(self) -> Mean:
        return self

    def decode(self, job: Job) -> list[Picture]:
        return [read_picture(source) for source in job.sources]

    def fuse(self, job: Job, decoded: list[Picture]) -> Picture:
        return Picture(np.mean([picture.pixels for picture in decoded], axis=0, dtype=np.float32))

    def encode(self, job: Job, fused: Picture, *, overwrite: bool) -> Mapping[str, Any]:
        make_folder(job.target.parent)
        write_picture(fused, job.target, overwrite=overwrite)
        return {"width": fused.width, "height": fused.height}


@dataclass
class Tally:
    """Of one kind of fault. ``lost``: results that the next run did not make as they should be; changed sources."""

    tries: int = 0
    struck: int = 0
    lost: int = 0
    undocumented: int = 0


def make_pairs(root: Path, count: int) -> None:
    """``count`` pairs; of many, the files are links to a few, to save the disk."""
    rng = np.random.default_rng(1)
    for side in ("vis", "ir"):
        folder = root / "in" / side
        folder.mkdir(parents=True)
        for number in range(count):
            path = folder / f"{number:05}.png"
            if number < 8:
                write_picture(Picture(rng.random((12, 16, 1), np.float32)), path)
            else:
                path.hardlink_to(folder / f"{number % 8:05}.png")


def batch(root: Path, listener: Callable[[Any], None] = lambda record: None) -> Summary:
    """A run, as ``tita batch --retry-failed`` does it."""
    out = root / "out"
    with Journal(out) as journal:
        jobs = make_jobs(pair_folder(root / "in"), out)
        tasks = judge_jobs(jobs, read_journal(out), _RECIPE, retry_failed=True)
        return run_batch(
            tasks, journal, LocalPool(Work(Mean(), _RECIPE), _SIZES), _RECIPE, header={}, listener=listener
        )


def kills(root: Path, count: int) -> Tally:
    """Kill a batch at random calls, until ``count`` have struck; after each the next run must give the same bytes."""
    rng = random.Random(7)
    return _strikes(root, ((rng.choice(list(CALLS)), rng.randrange(1, 30), None) for _ in range(5 * count)), count)


def faults(root: Path, most: int) -> dict[str, Tally]:
    """Let the first ``most`` calls of every kind fail in every way, once and from then on."""
    return {
        os.strerror(number): _strikes(
            root, [(call, nth, (number, on)) for call in CALLS for nth in range(1, most + 1) for on in (False, True)]
        )
        for number in FAULTS
    }


def _strikes(root: Path, strikes: Iterable[Strike], most: int | None = None) -> Tally:
    """What became of each of ``strikes``, or of the first ones until ``most`` have struck."""
    shutil.rmtree(root, ignore_errors=True)
    make_pairs(root, 6)
    assert _child(root, None) == 0
    wanted, sources = _contents(root / "out"), _contents(root / "in")
    tally = Tally()
    for strike in strikes:
        shutil.rmtree(root / "out")
        code = _child(root, strike)
        tally.tries += 1
        tally.struck += code != 0
        tally.undocumented += code not in {*map(int, ExitCode), -signal.SIGKILL} or code == ExitCode.INTERNAL
        ended = _child(root, None)
        there = _contents(root / "out")
        tally.lost += sum(there.get(name) != content for name, content in wanted.items())
        tally.lost += len(set(there) - set(wanted)) + (ended != 0) + (_contents(root / "in") != sources)
        if tally.struck == most:
            break
    return tally


def _contents(folder: Path) -> dict[str, bytes]:
    """Of every file but the journal and its lock; what a run leaves behind counts."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files if "tita-batch" not in path.name}


def _child(root: Path, strike: Strike | None) -> int:
    """Run the batch in a fork, struck or not: its exit code, negative for a signal."""
    pid = os.fork()
    if pid:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    code = 70
    try:
        if strike is not None:
            _arm(*strike)
        code = int(ExitCode.SOME_FAILED) if batch(root).incomplete else 0
    except Exception as error:
        known = explained(error)
        code = 70 if known is None else int(known.exit_code)
    finally:
        os._exit(code)


def _arm(call: str, nth: int, fault: tuple[int, bool] | None) -> None:
    """Let the ``nth`` call kill the process or, with a ``fault``, fail with its number: once, or from then on."""
    module, name = CALLS[call]
    real, lock, seen = getattr(module, name), threading.Lock(), 0

    def struck(*arguments: Any, **options: Any) -> Any:
        nonlocal seen
        with lock:
            seen += 1
            now = seen == nth or (fault is not None and fault[1] and seen > nth)
        if now and fault is None:
            os.kill(os.getpid(), signal.SIGKILL)
        if now and fault is not None:
            raise OSError(fault[0], os.strerror(fault[0]), str(arguments[0]))
        return real(*arguments, **options)

    setattr(module, name, struck)


@dataclass
class Load:
    """``samples``: after how many pairs, MiB in use and open descriptors."""

    samples: list[tuple[int, float, int]]

    @property
    def growth(self) -> float:
        """MiB a thousand pairs, from the first tenth on."""
        (first, before, _), (last, after, _) = self.samples[0], self.samples[-1]
        return (after - before) * 1000 / max(1, last - first)


def load(root: Path, pairs: int) -> Load:
    """Many small pairs in one process, sampled ten times."""
    shutil.rmtree(root, ignore_errors=True)
    make_pairs(root, pairs)
    samples: list[tuple[int, float, int]] = []
    done = 0

    def hear(record: Any) -> None:
        nonlocal done
        done += record["event"] == "done"
        if record["event"] == "done" and done % max(1, pairs // 10) == 0:
            pages = int(Path("/proc/self/statm").read_text().split()[1])
            descriptors = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
            samples.append((done, pages * resource.getpagesize() / 2**20, descriptors))

    batch(root, hear)
    return Load(samples)
