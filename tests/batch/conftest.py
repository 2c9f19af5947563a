"""A fuser that needs no network: the result is the sources' contents joined by a plus."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

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
from tita_cli.errors import InputError
from tita_cli.images import atomic_output
from tita_cli.pairing import pair_folder

SIZES = Sizes(decoders=2, lanes=2, encoders=2, budget=1 << 20)


class FakeFuser:
    """Fails on sources that hold ``bad``, and breaks on those that hold ``bug``."""

    def __init__(self) -> None:
        self.fused: list[str] = []
        self._lock = threading.Lock()

    def open_lane(self) -> FakeFuser:
        return self

    def decode(self, job: Job) -> list[bytes]:
        contents = [source.read_bytes() for source in job.sources]
        if b"bad" in contents:
            raise InputError(f"{job.sources[contents.index(b'bad')]}: is damaged", hint="take it again")
        return contents

    def fuse(self, job: Job, decoded: list[bytes]) -> bytes:
        with self._lock:
            self.fused.append(job.output)
        if b"bug" in decoded:
            raise ZeroDivisionError("a bug")
        return b"+".join(decoded)

    def encode(self, job: Job, fused: bytes, *, overwrite: bool) -> Mapping[str, Any]:
        job.target.parent.mkdir(parents=True, exist_ok=True)
        with atomic_output(job.target, overwrite=overwrite) as file:
            file.write(fused)
        return {"width": 1, "height": 1}


def is_damaged(path: Path) -> bool:
    """Of a result of :class:`FakeFuser`."""
    return path.read_bytes().strip(b"\0") == b""


class Bench:
    """A folder of pairs and a batch over it."""

    fuser = FakeFuser

    def __init__(self, root: Path) -> None:
        self.root = root
        self.out = root / "out"
        self.recipe = Recipe({"resize": False}, "model-1")

    def add(self, *names: str, content: str = "good") -> None:
        for name in names:
            for side in ("vis", "ir"):
                path = self.root / "in" / side / f"{name}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(content if side == "ir" else name, "utf-8", "surrogateescape")

    def jobs(self) -> list[Job]:
        return make_jobs(pair_folder(self.root / "in"), self.out)

    def run(self, fuser: Any = None, *, retry_failed: bool = False, force: bool = False, **options: Any) -> Summary:
        with Journal(self.out) as journal:
            history = read_journal(self.out)
            tasks = judge_jobs(
                self.jobs(), history, self.recipe, retry_failed=retry_failed, force=force, is_damaged=is_damaged
            )
            pool = LocalPool(Work(fuser or FakeFuser(), self.recipe), SIZES)
            return run_batch(tasks, journal, pool, self.recipe, header={}, **options)

    def redone(self, **options: Any) -> list[str]:
        """Run, and say what was fused."""
        fuser = FakeFuser()
        self.run(fuser, **options)
        return sorted(fuser.fused)

    def results(self) -> dict[str, str]:
        return {path.stem: path.read_text() for path in sorted(self.out.glob("*.png"))}


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@pytest.fixture
def letters() -> Callable[[int], Iterable[str]]:
    return lambda count: [f"p{number:03}" for number in range(count)]
