"""Alignment as ``tita fuse`` and ``tita batch`` offer it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from tita_cli.cli.main import run
from tita_cli.errors import ExitCode

Scenes = SimpleNamespace
Write = Callable[[str, np.ndarray], Path]


@pytest.fixture
def shifted(scenes: Scenes, write: Write) -> tuple[Path, Path]:
    """Two frames of one scene, the second 12 pixels to the right of the first."""
    wide = scenes.scene(3, size=(420, 320)) * 0.5 + 0.5
    return write("a.png", wide[:, :400]), write("b.png", wide[:, 12:412])


def _fuse(model: Path, out: Path, *arguments: str | Path) -> int:
    return run(["fuse", *map(str, arguments), "-o", str(out), "-m", str(model), "--force"])


@pytest.mark.parametrize("kind", ["visible", "ir"])
def test_registered_files_give_the_bytes_of_align_none(
    kind: str, scenes: Scenes, write: Write, tiny_model: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    pair = write("a.png", scenes.scene(2)), write("b.png", scenes.scene(2, kind=kind) ** 0.7)
    outs = [tmp_path / "auto.png", tmp_path / "none.png"]
    assert _fuse(tiny_model, outs[0], *pair) == 0
    assert _fuse(tiny_model, outs[1], *pair, "--align", "none") == 0
    pixels = [np.asarray(Image.open(out)) for out in outs]
    np.testing.assert_array_equal(*pixels)
    assert "warning" not in capfd.readouterr().err


def test_what_is_put_off_is_aligned_and_cropped(
    shifted: tuple[Path, Path], tiny_model: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.png"
    assert _fuse(tiny_model, out, *shifted, "--json") == 0
    placements = json.loads(capfd.readouterr().out)["align"]
    assert [placement["path"] for placement in placements] == [str(path) for path in shifted]
    assert [placement["model"] for placement in placements] == ["none", "translation"]
    np.testing.assert_allclose(placements[1]["matrix"], [[1, 0, 12], [0, 1, 0], [0, 0, 1]], atol=0.1)
    assert Image.open(out).size == (388, 320)
    assert _fuse(tiny_model, out, *shifted, "--border", "fill") == 0
    assert Image.open(out).size == (400, 320)
    assert _fuse(tiny_model, out, *shifted, "--border", "mask") == 0
    alpha = np.asarray(Image.open(out).getchannel("A"))
    assert (alpha[:, :12] == 0).all()
    assert (alpha[:, 13:] == 255).all()


def test_the_reference_gives_the_frame(
    shifted: tuple[Path, Path], tiny_model: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert _fuse(tiny_model, tmp_path / "out.png", *shifted, "--reference", "2", "--json") == 0
    placements = json.loads(capfd.readouterr().out)["align"]
    assert [placement["model"] for placement in placements] == ["translation", "none"]
    assert placements[0]["matrix"][0][2] == pytest.approx(-12, abs=0.1)


def test_what_does_not_fit_is_warned_of_once_and_strict_fails(
    scenes: Scenes, write: Write, tiny_model: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    pair = write("a.png", scenes.scene(1)), write("b.png", scenes.scene(60))
    assert _fuse(tiny_model, tmp_path / "auto.png", *pair) == 0
    said = [line for line in capfd.readouterr().err.splitlines() if "warning" in line]
    assert len(said) == 1
    assert said[0].startswith("tita: warning: ")
    assert "b.png" in said[0]
    assert _fuse(tiny_model, tmp_path / "strict.png", *pair, "--align", "strict") == ExitCode.MISMATCH
    assert capfd.readouterr().err.startswith("tita: error: ")
    assert not (tmp_path / "strict.png").exists()


@pytest.mark.parametrize(
    ("sizes", "options", "hint"),
    [
        (((60, 40), (40, 60)), "", "turned by 90°: turn it back first\n"),
        (((60, 40), (40, 60)), "--align none", "turned by 90°: turn it back first, or leave out --align none"),
        (((60, 40), (60, 42)), "", "--resize brings both"),
        (((40, 40), (41, 40)), "--align none", "--resize brings all"),
    ],
)
def test_what_to_do_about_other_sizes(
    sizes: tuple[tuple[int, int], ...],
    options: str,
    hint: str,
    write: Write,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    paths = [str(write(f"{k}.png", np.zeros((height, width, 3)))) for k, (width, height) in enumerate(sizes)]
    assert run(["fuse", *paths, "-o", str(tmp_path / "out.png"), *options.split()]) == ExitCode.MISMATCH
    assert hint in capfd.readouterr().err


@pytest.mark.parametrize("wrong", [["--align", "rigid"], ["--border", "black"], ["--reference", "3"]])
def test_options_that_make_no_sense(
    wrong: list[str], shifted: tuple[Path, Path], tiny_model: Path, tmp_path: Path
) -> None:
    assert _fuse(tiny_model, tmp_path / "out.png", *shifted, *wrong) == ExitCode.USAGE


def test_batch_aligns_journals_it_and_redoes_what_another_option_changes(
    scenes: Scenes, write: Write, tiny_model: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    wide = scenes.scene(3, size=(420, 320))
    write("in/ir/one.png", wide[:, 12:412])
    write("in/vis/one.png", wide[:, :400])
    command = ["batch", str(tmp_path / "in"), "-m", str(tiny_model), "--workers", "1", "--threads", "1", "--json"]

    def end(*arguments: str) -> dict:
        assert run([*command, *arguments]) == 0
        return json.loads(capfd.readouterr().out.splitlines()[-1])

    assert end()["done"] == 1
    assert Image.open(tmp_path / "in-fused/one.png").width == 388
    records = [json.loads(line) for line in (tmp_path / "in-fused/tita-batch.jsonl").read_text().splitlines()]
    (done,) = (record for record in records if record["event"] == "done")
    moved = [placement for placement in done["result"]["align"] if placement["model"] != "none"]
    assert [placement["model"] for placement in moved] == ["translation"]
    assert moved[0]["residual_px"] < 0.5
    assert end()["skipped"] == 1
    assert end("--border", "fill")["done"] == 1
    assert Image.open(tmp_path / "in-fused/one.png").width == 400
    assert end("--border", "fill", "--align", "none")["done"] == 1
