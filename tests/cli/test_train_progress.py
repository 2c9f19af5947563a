from __future__ import annotations

import io
import sys

import pytest
from rich.console import Console
from rich.progress import Progress, TextColumn

from tita_cli.cli.train_progress import Bar, Lines, Silent, choose_observer

STEP = {
    "event": "step", "step": 40, "lr": 5e-4, "px_per_s": 123456.0,
    "losses": {"ivf": {"total": 5.25}, "mff": {"total": 2.0}}, "famo": {"ivf": 0.6, "mff": 0.4},
}  # fmt: skip


def test_bar_shows_losses_weights_and_time_left() -> None:
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=120)
    with Progress(TextColumn("{task.description} {task.fields[left]}"), console=console) as progress:
        bar = Bar(progress)
        bar.record(STEP)
        bar.record({"event": "skip", "step": 41, "reason": "step 40: the loss mff.gate is nan"})
        bar.record({"event": "checkpoint", "step": 42})
        bar.advance(42, 0.5, 3725.0)
    text = stream.getvalue()
    assert "ivf 5.250 (weight 0.60)" in text and "123,456 px/s" in text
    assert "skipped: step 40: the loss mff.gate is nan" in text
    assert "step 42" in text and "1:02:05 left" in text


def test_who_watches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RANK", raising=False)
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    with choose_observer(quiet=False) as observer:
        assert type(observer) is Lines
    with choose_observer(quiet=True) as observer:
        assert type(observer) is Silent
    monkeypatch.setenv("RANK", "1")
    with choose_observer(quiet=False) as observer:
        assert type(observer) is Silent
