from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from tita_cli.cli.main import run
from tita_cli.models.checkpoint import load_network
from tita_cli.training.log import read_log

CONFIG = """
steps = 4
crop = 16
batch = 1
device = "cpu"
precision = "fp32"
{top}
[network]
name = "tita"
dim = 8
heads = 2
extract = 1
fuse = [1]
reconstruct = 1
drop_path = 0.2
[schedule]
warmup = 1
[log]
every = 2
[[data]]
task = "ivf"
kind = "pairs"
a = "a"
b = "b"
[[data]]
task = "mff"
kind = "pairs"
a = "b"
b = "a"
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    random = np.random.default_rng(0)
    for side in "ab":
        (tmp_path / side).mkdir()
        for name in ("one", "two"):
            Image.fromarray(random.integers(0, 256, (40, 48), np.uint8)).save(tmp_path / side / f"{name}.png")
    path = tmp_path / "train.toml"
    path.write_text(CONFIG.format(top=""), encoding="utf-8")
    return path


def rewrite(config: Path, top: str) -> None:
    config.write_text(CONFIG.format(top=top), encoding="utf-8")


def train(config: Path, folder: Path, *more: str) -> int:
    return run(["train", str(config), "-o", str(folder), "--threads", "1", *more])


def steps(folder: Path) -> list[dict[str, Any]]:
    return [record for record in read_log(folder / "log.jsonl") if record["event"] == "step"]


def test_a_run_leaves_state_weights_log_and_configuration(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "run"
    assert train(config, folder) == 0
    assert {"config.toml", "ema.safetensors", "last.pt", "log.jsonl", "state-00000004.pt"} <= {
        path.name for path in folder.iterdir()
    }
    assert (folder / "config.toml").read_bytes() == config.read_bytes()
    assert torch.load(folder / "last.pt", weights_only=True)["step"] == 4
    network, sizes, info = load_network(folder / "ema.safetensors")
    assert (sizes.variant, sizes.dim, info["steps"], info["famo"]) == ("tita", 8, "4", "same-batch")
    assert network(torch.rand(1, 1, 20, 20), torch.rand(1, 1, 20, 20)).fused.shape == (1, 1, 20, 20)
    record = steps(folder)[-1]
    assert record["step"] == 4 and set(record["losses"]) == {"ivf", "mff"} == set(record["famo"])
    assert len(record["oaf"]["ivf"]) == 6 and record["px_per_s"] > 0
    captured = capsys.readouterr()
    assert captured.out == ""
    lines = [json.loads(line) for line in captured.err.splitlines() if line.startswith("{")]
    assert [line["event"] for line in lines] == ["start", "checkpoint", "step", "step", "checkpoint", "end"]


def test_json_and_quiet(config: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tita_cli", "train", str(config), "-o", str(tmp_path / "run"), "--json", "-q"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    result = json.loads(done.stdout)
    assert (result["command"], result["steps"], result["finished"]) == ("train", 4, True)


def test_resuming_a_longer_run_appends_to_its_log(config: Path, tmp_path: Path) -> None:
    folder, straight = tmp_path / "run", tmp_path / "straight"
    text = config.read_text(encoding="utf-8").replace("warmup = 1", 'warmup = 1\nkind = "constant"')
    config.write_text(text, encoding="utf-8")
    assert train(config, folder, "-q") == 0
    assert train(config, folder, "-q", "--resume", "--steps", "6") == 0
    assert [record["step"] for record in steps(folder)] == [2, 4, 6]
    assert train(config, straight, "-q", "--steps", "6") == 0
    states = [torch.load(path / "last.pt", weights_only=True) for path in (folder, straight)]
    for part in ("model", "ema"):
        assert all(torch.equal(tensor, states[1][part][name]) for name, tensor in states[0][part].items())


def test_a_run_by_the_clock_ends_and_saves_as_often_as_asked(config: Path, tmp_path: Path) -> None:
    text = config.read_text(encoding="utf-8").replace("steps = 4", "minutes = 0.0005")
    config.write_text(text + "[checkpoint]\nminutes = 0\nkeep = 1\n", encoding="utf-8")
    folder = tmp_path / "run"
    assert train(config, folder, "-q") == 0
    records = read_log(folder / "log.jsonl")
    assert records[-1]["finished"] and records[-1]["seconds"] >= 0.03
    reached = records[-1]["step"]
    assert {r["step"] for r in records if r["event"] == "checkpoint"} == set(range(reached + 1))
    assert [path.name for path in folder.glob("state-*")] == [f"state-{reached:08d}.pt"]


def test_a_run_is_not_overwritten(config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "run"
    assert train(config, folder, "-q") == 0
    assert train(config, folder, "-q") == 4
    assert "--resume" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("top", "more", "code", "named"),
    [
        ("typo = 1", (), 8, "typo"),
        ("init = 'none.safetensors'", (), 8, "none.safetensors"),
        ("[losses]\nrecipe = 'none'\n", (), 8, "none"),
        ("device_ = 1", (), 8, "device_"),
        ("minutes = 1", ("--resume",), 8, "--resume"),
    ],
)
def test_mistakes_are_one_line_and_a_hint(
    config: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    top: str,
    more: tuple[str, ...],
    code: int,
    named: str,
) -> None:
    rewrite(config, top)
    assert train(config, tmp_path / "run", "-q", *more) == code
    captured = capsys.readouterr()
    assert captured.out == "" and named in captured.err
    assert 1 <= len(captured.err.splitlines()) <= 2


def test_a_device_that_is_not_there(config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config.write_text(config.read_text().replace('"cpu"', '"cuda:99"'))
    assert train(config, tmp_path / "run", "-q") == 7
    assert "cuda:99" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ["train"],
        ["train", "x.toml"],
        ["train", "--plot", "log.jsonl"],
        ["train", "x.toml", "--plot", "log.jsonl", "-o", "c.svg"],
        ["train", "--export-state", "small.pt"],
        ["train", "--export-state", "small.pt", "-o", "run", "--resume"],
    ],
)
def test_usage(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(arguments) == 2
    assert capsys.readouterr().err.startswith("tita: error: ")


def test_plot_and_export(config: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    assert train(config, folder, "-q") == 0
    assert run(["train", "--plot", str(folder / "log.jsonl"), "-o", str(tmp_path / "curves.svg")]) == 0
    assert "<svg" in (tmp_path / "curves.svg").read_text(encoding="utf-8")
    small = tmp_path / "small.pt"
    assert run(["train", "--export-state", str(small), "-o", str(folder)]) == 0
    assert run(["train", "--export-state", str(small), "-o", str(folder)]) == 4
    assert run(["train", "--export-state", str(small), "-o", str(folder), "--force"]) == 0
    again = tmp_path / "again"
    again.mkdir()
    (again / "last.pt").write_bytes(small.read_bytes())
    assert train(config, again, "-q", "--resume", "--steps", "5") == 0
    assert torch.load(again / "last.pt", weights_only=True)["step"] == 5


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM to catch")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_a_signal_stops_cleanly_and_the_run_goes_on(
    config: Path, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    config.write_text(config.read_text().replace("steps = 4", "steps = 100000"))
    folder = tmp_path / "run"
    command = [sys.executable, "-m", "tita_cli", "train", str(config), "-o", str(folder), "--threads", "1"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"})
    log, patience = folder / "log.jsonl", time.monotonic() + 90
    while not (log.exists() and '"step", "step": 2' in log.read_text()) and time.monotonic() < patience:
        time.sleep(0.05)
    process.send_signal(number)
    _, errors = process.communicate(timeout=90)
    assert process.returncode == code, errors
    end = read_log(log)[-1]
    reached = end["step"]
    assert (end["event"], end["finished"]) == ("end", False) and reached >= 2
    assert torch.load(folder / "last.pt", weights_only=True)["step"] == reached
    assert not list(folder.glob("*.tmp")) and not list(folder.glob(".*"))
    assert train(config, folder, "-q", "--resume", "--steps", str(reached + 1)) == 0


def test_a_run_pauses_by_the_clock_and_goes_on(config: Path, tmp_path: Path) -> None:
    config.write_text(config.read_text().replace("steps = 4", "minutes = 60"))
    folder = tmp_path / "run"
    assert train(config, folder, "-q", "--pause-after", "0.01") == 0
    end = read_log(folder / "log.jsonl")[-1]
    assert (end["event"], end["finished"]) == ("end", False) and end["step"] >= 1
    assert train(config, folder, "-q", "--resume", "--minutes", "0.0001") == 0
    assert read_log(folder / "log.jsonl")[-1]["finished"]
