"""``tita report``, and ``tita batch --report``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tita_cli.cli.main import run
from tita_cli.errors import ExitCode


@pytest.fixture
def batch(picture_file: Callable[..., Path], tiny_model: Path, tmp_path: Path) -> list[str]:
    for number in range(2):
        picture_file(f"in/vis/{number}.png", seed=number)
        picture_file(f"in/ir/{number}.png", seed=10 + number, color=False)
    return ["batch", str(tmp_path / "in"), "-m", str(tiny_model), "--workers", "1", "--threads", "1"]


def test_a_batch_writes_its_report_and_a_report_can_be_made_later(batch: list[str], tmp_path: Path, capfd) -> None:
    page = tmp_path / "page.html"
    assert run([*batch, "--report", str(page), "--metrics", "EN"]) == 0
    out, err = capfd.readouterr()
    assert out == ""
    assert err.splitlines()[-1] == f"tita: report → {page}"
    assert '"name": "EN"' in page.read_text("utf-8")
    assert run(["report", str(tmp_path / "in-fused"), "-q"]) == 0
    assert (tmp_path / "in-fused/report.html").is_file()
    assert capfd.readouterr().err == ""


def test_what_can_go_wrong(batch: list[str], tmp_path: Path, capfd) -> None:
    assert run(["report", str(tmp_path)]) == ExitCode.UNREADABLE_INPUT
    assert "no journal" in capfd.readouterr().err
    (tmp_path / "page.html").touch()
    assert run([*batch, "--report", str(tmp_path / "page.html")]) == ExitCode.UNWRITABLE_OUTPUT
    assert run([*batch, "--report", str(tmp_path / "other.html"), "--metrics", "Qfoo"]) == ExitCode.USAGE
    assert not (tmp_path / "in-fused").exists()
