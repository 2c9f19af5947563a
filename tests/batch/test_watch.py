"""Folders that fill: what lands whole is fused once, whatever else happens."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("watchfiles")

from tita_cli.batch import FuserOptions, Recipe
from tita_cli.batch.watch import Watched, watch
from tita_cli.errors import InputError, UsageError
from tita_cli.options import FuseOptions

PictureFile = Callable[..., Path]


class Watch:
    """A watch in a thread of its own, and what it said."""

    def __init__(self, what: Watched) -> None:
        self.records: list[dict[str, Any]] = []
        self.told: list[str] = []
        self.summary: Any = None
        self._stop, self._what = threading.Event(), what
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        self.summary = watch(
            self._what, Recipe({}, "model"), listener=self.records.append, tell=self.told.append, stop=self._stop
        )

    def of(self, event: str) -> list[str]:
        return [record["output"] for record in self.records if record["event"] == event]

    def until(self, event: str, count: int) -> list[str]:
        """The outputs of ``count`` such records."""
        end = time.monotonic() + 600
        while len(self.of(event)) < count and time.monotonic() < end and self._thread.is_alive():
            time.sleep(0.05)
        return self.of(event)

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()


@pytest.fixture
def watching(tmp_path: Path, tiny_model: Path) -> Callable[..., Any]:
    (tmp_path / "in").mkdir()

    @contextmanager
    def begin(**how: Any) -> Iterator[Watch]:
        options = FuserOptions(FuseOptions(model=str(tiny_model), align="none", threads=1))
        begun = Watch(
            Watched([str(tmp_path / "in")], tmp_path / "out", options, **{"settle": 0.3, "workers": 1, **how})
        )
        try:
            yield begun
        finally:
            begun.stop()

    return begin


def test_what_lands_is_fused_and_not_again_after_a_restart(
    watching: Any, picture_file: PictureFile, tmp_path: Path
) -> None:
    picture_file("in/x_vis.png", seed=1)
    picture_file("in/x_ir.png", seed=2)
    with watching() as first:
        assert first.until("done", 1) == ["x.png"]
        picture_file("in/y_ir.png", seed=3)
        picture_file("in/y_vis.png", seed=4)
        assert first.until("done", 2) == ["x.png", "y.png"]
    assert first.summary.done == 2
    written = (tmp_path / "out/x.png").stat().st_mtime_ns
    with watching() as second:
        picture_file("in/z_ir.png", seed=5)
        picture_file("in/z_vis.png", seed=6)
        assert second.until("done", 1) == ["z.png"]
    assert (second.summary.done, second.summary.skipped) == (1, 2)
    assert (tmp_path / "out/x.png").stat().st_mtime_ns == written
    journal = (tmp_path / "out/tita-batch.jsonl").read_text().splitlines()
    assert sum(json.loads(line)["event"] == "done" for line in journal) == 3


def test_what_lands_later_may_suit_another_rule_too(watching: Any, picture_file: PictureFile, tmp_path: Path) -> None:
    def land(*names: str) -> None:
        for number, name in enumerate(names):
            picture_file(f"in/vis/{name}.png", seed=number)
            picture_file(f"in/ir/{name}.png", seed=9 - number)

    land("a")
    with watching() as first:
        assert first.until("done", 1) == ["a.png"]
        land("b", "c")  # now a, b and c could be sources, too
        assert sorted(first.until("done", 3)) == ["a.png", "b.png", "c.png"]
    land("d")
    with watching() as second:
        assert second.until("done", 1) == ["d.png"]
    assert first.told == second.told == []


def test_a_file_that_is_still_written_is_left_until_it_is_whole(
    watching: Any, picture_file: PictureFile, tmp_path: Path
) -> None:
    whole = picture_file("elsewhere/x_vis.png", seed=1, size=(200, 300)).read_bytes()
    picture_file("in/x_ir.png", seed=2, size=(200, 300))
    with watching() as begun:
        target = tmp_path / "in/x_vis.png"
        target.write_bytes(whole[: len(whole) // 2])
        time.sleep(1.5)  # longer than it takes to settle, but half a picture is none
        assert begun.of("done") == begun.of("failed") == []
        with target.open("ab") as file:
            file.write(whole[len(whole) // 2 :])
        assert begun.until("done", 1) == ["x.png"]
    assert begun.of("failed") == []


def test_names_by_a_template(watching: Any, picture_file: PictureFile, tmp_path: Path) -> None:
    picture_file("in/x_vis.png", seed=1)
    picture_file("in/x_ir.png", seed=2)
    with watching(name="{name}-fused") as begun:
        assert begun.until("done", 1) == ["x-fused.png"]
    assert (tmp_path / "out/x-fused.png").exists()


def test_one_bad_file_and_one_in_the_way_stop_nothing(
    watching: Any, picture_file: PictureFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tita_cli.batch.watch.PATIENCE", 0.0)
    (tmp_path / "out").mkdir()
    (tmp_path / "out/mine.png").write_text("of somebody else")
    for name in ("bad", "good", "mine"):
        picture_file(f"in/{name}_ir.png", seed=2)
        picture_file(f"in/{name}_vis.png", seed=1)
    (tmp_path / "in/bad_vis.png").write_bytes(b"\x89PNG\r\n\x1a\n broken")
    with watching() as begun:
        assert begun.until("done", 1) == ["good.png"]
        assert begun.until("failed", 1) == ["bad.png"]
        picture_file("in/bad_vis.png", seed=3)
        assert begun.until("done", 2) == ["good.png", "bad.png"]
    assert begun.summary.failed == 0
    assert (tmp_path / "out/mine.png").read_text() == "of somebody else"
    assert sum("did not write" in text for text in begun.told) == 1


def test_what_cannot_be_watched(watching: Any, tmp_path: Path) -> None:
    options = FuserOptions(FuseOptions())
    for sources, folder, kind in (
        ([str(tmp_path / "none")], tmp_path / "out", InputError),
        ([str(tmp_path / "in")], tmp_path / "in", UsageError),
    ):
        with pytest.raises(kind):
            watch(Watched(sources, folder, options), Recipe({}, ""), listener=lambda _: None, tell=lambda _: None)


@pytest.mark.skipif(os.name != "posix", reason="signals")
@pytest.mark.parametrize("number", [signal.SIGTERM])
def test_signals_end_it_in_good_order(
    number: signal.Signals, picture_file: PictureFile, tiny_model: Path, tmp_path: Path
) -> None:
    picture_file("in/x_vis.png", seed=1)
    picture_file("in/x_ir.png", seed=2)
    command = [
        sys.executable, "-m", "tita_cli", "watch", "in", "-o", "out", "-m", str(tiny_model), "--align", "none",
        "--settle", "0.2", "--workers", "1", "--threads", "1",
    ]  # fmt: skip
    begun = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    try:
        end = time.monotonic() + 600
        journal = tmp_path / "out/tita-batch.jsonl"
        while (
            not (journal.exists() and '"event": "done"' in journal.read_text())
            and begun.poll() is None
            and time.monotonic() < end
        ):
            time.sleep(0.1)
        begun.send_signal(number)
        _, said = begun.communicate(timeout=300)
    finally:
        begun.kill()
    assert begun.returncode == 0, said
    assert "tita: 1 fused" in said
    assert json.loads((tmp_path / "out/tita-batch.jsonl").read_text().splitlines()[-1])["event"] == "end"
