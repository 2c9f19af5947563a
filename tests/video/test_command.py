"""``tita video`` as a user runs it."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("av")

from tita_cli.cli.main import run

WriteClip = Callable[..., Path]
Scene = Callable[..., np.ndarray]


@pytest.fixture
def clips(write_clip: WriteClip, scene: Scene) -> tuple[str, str]:
    return (
        str(write_clip("ir.mkv", [scene(2, grey=True)] * 4)),
        str(write_clip("vis.mkv", [scene(1)] * 4)),
    )


def how(model: Path) -> list[str]:
    return ["-m", str(model), "--threads", "1", "--align", "none"]


def test_what_it_says(clips: tuple[str, str], set_model: Path, tmp_path: Path, capfd: Any) -> None:
    out = str(tmp_path / "out.mp4")
    assert run(["video", *clips, "-o", out, "--json", *how(set_model)]) == 0
    told, said = capfd.readouterr()
    document = json.loads(told)
    assert (document["frames"], document["width"], document["codec"]) == (4, 128, "libx264")
    assert document["reference"] == clips[1]
    assert f"{out}: 128×96, libx264, 4 frames in" in said
    assert "a second" in said
    assert run(["video", *clips, "-o", out, *how(set_model)]) == 4  # it exists
    assert "--force" in capfd.readouterr().err
    assert run(["video", *clips, "-o", out, "-f", "--quiet", *how(set_model)]) == 0
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["none.mp4", "VIS", "-o", "out.mp4"], 3, "no such file"),
        (["IR", "-o", "out.mp4"], 3, "streams, counted from 1"),
        (["IR", "VIS", "-o", "IR", "-f"], 2, "one of the sources"),
        (["IR", "VIS", "-o", "out.mp4", "--codec", "nonsense"], 2, "no such encoder"),
        (["IR", "VIS", "-o", "out.mp4", "--border", "mask"], 2, "--border mask"),
        (["IR", "VIS", "-o", "out.mp4", "--offset", "soon"], 2, "number of seconds"),
        (["-", "-", "-o", "out.mp4"], 2, "given once"),
        (["IR", "VIS", "-o", "out.mp4", "--offset", "99"], 5, "shows nothing of the time"),
    ],
)  # fmt: skip
def test_one_sentence_and_the_code(
    arguments: list[str], code: int, said: str, clips: tuple[str, str], set_model: Path, tmp_path: Path, capfd: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    named = [{"IR": clips[0], "VIS": clips[1]}.get(word, word) for word in arguments]
    assert run(["video", *named, *how(set_model)]) == code
    errors = [line for line in capfd.readouterr().err.splitlines() if line.startswith("tita: error: ")]
    assert len(errors) == 1
    assert said in errors[0]


@pytest.mark.parametrize(("command", "package"), [("video", "av"), ("watch", "watchfiles")])
def test_without_the_extra(
    command: str, package: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: Any
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    assert run([command, str(tmp_path), "-o", str(tmp_path / "out")]) == 7
    assert f"pip install {package}" in capfd.readouterr().err


def tita(*arguments: str, **more: Any) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tita_cli", "video", *arguments]
    return subprocess.Popen(command, stderr=subprocess.PIPE, **more)


def told(begun: subprocess.Popen[bytes]) -> str:
    """What it says until it ends; where it does not end, at what its threads are."""
    try:
        return begun.communicate(timeout=60)[1].decode()
    except subprocess.TimeoutExpired:
        begun.send_signal(signal.SIGABRT)
        pytest.fail(begun.communicate()[1].decode())


def test_in_a_pipeline(clips: tuple[str, str], set_model: Path, read_clip: Any) -> None:
    with Path(clips[0]).open("rb") as infrared:
        begun = tita("-", clips[1], "-o", "-", *how(set_model), stdin=infrared, stdout=subprocess.PIPE)
        written, said = begun.communicate(timeout=120)
    assert begun.returncode == 0, said
    assert len(read_clip(io.BytesIO(written))) == 4


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_an_interrupted_clip_plays(
    write_clip: WriteClip, scene: Scene, set_model: Path, read_clip: Any, tmp_path: Path
) -> None:
    pair = [str(write_clip(name, [scene(1)] * 600, rate=100)) for name in ("a.mp4", "b.mp4")]
    out = tmp_path / "out.mp4"
    begun = tita(*pair, "-o", str(out), *how(set_model), env={**os.environ, "PYTHONFAULTHANDLER": "1"})
    end = time.monotonic() + 60
    while not any(path.stat().st_size for path in tmp_path.glob(".tita-*")) and time.monotonic() < end:
        time.sleep(0.05)
    begun.send_signal(signal.SIGINT)
    said = told(begun)
    assert begun.returncode == 130, said
    assert "where it was stopped" in said
    assert 0 < len(read_clip(out)) < 600
    assert not list(tmp_path.glob(".tita-*"))


def test_a_recording_of_a_thermal_camera_is_named(clips: tuple[str, str], tmp_path: Path, capfd: Any) -> None:
    (tmp_path / "rec.seq").write_bytes(b"FFF\0" + bytes(100))
    assert run(["video", str(tmp_path / "rec.seq"), clips[1], "-o", str(tmp_path / "out.mp4")]) == 3
    assert "rec.seq: a FLIR recording is no video that tita reads" in capfd.readouterr().err
