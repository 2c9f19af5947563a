"""``tita fuse`` as a user runs it."""

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

import numpy as np
import pytest
from PIL import Image

from tita_cli.cli.main import run
from tita_cli.errors import ExitCode

PictureFile = Callable[..., Path]


def _tita(*arguments: str | Path, stdin: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "tita_cli", *map(str, arguments)]
    return subprocess.run(command, input=stdin, capture_output=True, check=False)


@pytest.fixture
def pair(picture_file: PictureFile) -> tuple[Path, Path]:
    return picture_file("ir.png", color=False, seed=1), picture_file("vis.png", seed=2)


@pytest.mark.parametrize("extension", ["png", "jpg", "tiff", "webp", "bmp"])
def test_every_format(extension: str, pair: tuple[Path, Path], tiny_model: Path, tmp_path: Path) -> None:
    out = tmp_path / f"out.{extension}"
    assert run(["fuse", *map(str, pair), "-o", str(out), "-m", str(tiny_model)]) == 0
    with Image.open(out) as image:
        assert image.size == (56, 40)
        assert image.mode == "RGB"


def test_pipe_in_and_out_gives_the_same_picture_as_files(
    pair: tuple[Path, Path], tiny_model: Path, tmp_path: Path
) -> None:
    ir, vis = pair
    assert run(["fuse", str(ir), str(vis), "-o", str(tmp_path / "out.png"), "-m", str(tiny_model)]) == 0
    done = _tita("fuse", "-", vis, "-o", "-", "-m", tiny_model, "-v", stdin=ir.read_bytes())
    assert done.returncode == 0, done.stderr
    assert b"backend" in done.stderr
    with Image.open(io.BytesIO(done.stdout)) as piped, Image.open(tmp_path / "out.png") as filed:
        np.testing.assert_array_equal(np.asarray(piped), np.asarray(filed))


def test_same_inputs_and_options_give_the_same_bytes(pair: tuple[Path, Path], tiny_model: Path, tmp_path: Path) -> None:
    for name in ("one.png", "two.png"):
        assert run(["fuse", *map(str, pair), "-o", str(tmp_path / name), "-m", str(tiny_model)]) == 0
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()


def test_json_is_the_only_thing_on_stdout(pair: tuple[Path, Path], tiny_model: Path, tmp_path: Path) -> None:
    done = _tita("fuse", *pair, "-o", tmp_path / "out.png", "-m", tiny_model, "--json", "-v", "--explain")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["command"] == "fuse"
    assert (document["width"], document["height"], document["depth"]) == (56, 40, 8)
    weights = [source[name] for source in document["steps"][0]["sources"] for name in ("high-pass", "add", "multiply")]
    assert len(weights) == 6
    assert sum(weights) == pytest.approx(1, abs=1e-5)


def test_grey_sources_give_a_grey_picture(picture_file: PictureFile, tiny_model: Path, tmp_path: Path) -> None:
    a, b = (picture_file(f"{i}.png", color=False, seed=i) for i in (1, 2))
    assert run(["fuse", str(a), str(b), "-o", str(tmp_path / "out.png"), "-m", str(tiny_model)]) == 0
    assert Image.open(tmp_path / "out.png").mode == "L"


def test_many_sources_go_through_a_tree_from_bright_to_dark(tiny_pair_model: Path, tmp_path: Path) -> None:
    files = [str(tmp_path / f"{i}.png") for i in range(5)]
    for i, file in enumerate(files):
        Image.fromarray(np.full((24, 24, 3), (200 - 30 * i, 180 - 30 * i, 170 - 30 * i), np.uint8)).save(file)
    given = [files[i] for i in (3, 0, 4, 2, 1)]
    done = _tita("fuse", *given, "-o", tmp_path / "out.png", "-m", tiny_pair_model, "--json")
    steps = [tuple(source["name"] for source in step["sources"]) for step in json.loads(done.stdout)["steps"]]
    one, two, three, four, five = files
    assert steps == [
        (one, two),
        (three, four),
        (f"({one} + {two})", f"({three} + {four})"),
        (f"(({one} + {two}) + ({three} + {four}))", five),
    ]


def test_unequal_sizes_name_both_and_the_option(
    picture_file: PictureFile, tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    a, b = picture_file("a.png"), picture_file("b.png", size=(30, 31), seed=3)
    command = ["fuse", str(a), str(b), "-o", str(tmp_path / "out.png"), "-m", str(tiny_model), "--align", "none"]
    assert run(command) == ExitCode.MISMATCH
    err = capsys.readouterr().err
    assert "56×40" in err
    assert "31×30" in err
    assert "--resize" in err
    assert not (tmp_path / "out.png").exists()
    assert run([*command, "--resize"]) == 0
    assert Image.open(tmp_path / "out.png").size == (56, 40)


def test_existing_output_is_kept_unless_forced(pair: tuple[Path, Path], tiny_model: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.png"
    out.write_bytes(b"precious")
    command = ["fuse", *map(str, pair), "-o", str(out), "-m", str(tiny_model)]
    assert run(command) == ExitCode.UNWRITABLE_OUTPUT
    assert out.read_bytes() == b"precious"
    assert run([*command, "--force"]) == 0
    assert Image.open(out).size == (56, 40)


def test_broken_inputs_are_one_line_and_leave_nothing(
    pair: tuple[Path, Path], tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ir, vis = pair
    (tmp_path / "cut.png").write_bytes(vis.read_bytes()[:300])
    (tmp_path / "empty.png").touch()
    (tmp_path / "text.png").write_text("hello")
    for bad in ("cut.png", "empty.png", "text.png", "missing.png", "."):
        code = run(["fuse", str(ir), str(tmp_path / bad), "-o", str(tmp_path / "out.png"), "-m", str(tiny_model)])
        lines = capsys.readouterr().err.splitlines()
        assert code == ExitCode.UNREADABLE_INPUT, bad
        assert lines[0].startswith("tita: error: "), bad
        assert len(lines) <= 2, bad
    assert sorted(p.name for p in tmp_path.iterdir() if "out" in p.name) == []


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["{ir}", "-o", "{out}"], ExitCode.USAGE),
        (["{ir}", "{vis}"], ExitCode.USAGE),
        (["-", "-", "-o", "{out}"], ExitCode.USAGE),
        (["{ir}", "{vis}", "-o", "-", "--json"], ExitCode.USAGE),
        (["{ir}", "{vis}", "-o", "-", "--explain"], ExitCode.USAGE),
        (["{ir}", "{vis}", "-o", "{out}", "--quality", "101"], ExitCode.USAGE),
        (["{ir}", "{vis}", "-o", "{out}", "--align", "sideways"], ExitCode.USAGE),
        (["{ir}", "{vis}", "-o", "{out}.xyz"], ExitCode.UNWRITABLE_OUTPUT),
        (["{ir}", "{vis}", "-o", "no/such/folder/out.png"], ExitCode.UNWRITABLE_OUTPUT),
        (["{ir}", "{vis}", "-o", "{out}", "--device", "quantum"], ExitCode.USAGE),
        (["{ir}", "{vis}", "-o", "{out}", "-m", "no-such-model"], ExitCode.MODEL),
    ],
)
def test_exit_codes(
    arguments: list[str], code: ExitCode, pair: tuple[Path, Path], tiny_model: Path, tmp_path: Path
) -> None:
    names = {"ir": pair[0], "vis": pair[1], "out": tmp_path / "out.png"}
    filled = [argument.format(**names) for argument in arguments]
    model = [] if "-m" in filled else ["-m", str(tiny_model)]
    assert run(["fuse", *filled, *model]) == code


def test_names_in_any_script(picture_file: PictureFile, tiny_model: Path, tmp_path: Path) -> None:
    a, b = picture_file("день/ночь 1.png", seed=1), picture_file("写真\n2.png", seed=2)
    out = tmp_path / "résultat ✓.png"
    assert run(["fuse", str(a), str(b), "-o", str(out), "-m", str(tiny_model)]) == 0
    assert np.asarray(Image.open(out)).shape == (40, 56, 3)


@pytest.mark.skipif(os.name == "nt", reason="signals differ")
def test_an_interrupt_is_one_line_and_leaves_no_output(
    pair: tuple[Path, Path], tiny_model: Path, tmp_path: Path
) -> None:
    # Where the tests run in the background, a shell may have switched the signal off for all its children.
    script = (
        "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler);"
        "from tita_cli.cli.main import run; sys.exit(run(sys.argv[1:]))"
    )
    process = subprocess.Popen(
        [
            sys.executable,
            "-c",
            script,
            "fuse",
            "-",
            str(pair[1]),
            "-o",
            str(tmp_path / "out.png"),
            "-m",
            str(tiny_model),
        ],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stderr is not None
    process.stdin.write(bytes(1 << 20))  # more than a pipe holds: once it is written, the command reads
    time.sleep(1)  # and now it waits for more
    process.send_signal(signal.SIGINT)
    try:
        assert process.wait(60) == ExitCode.INTERRUPTED
    finally:
        process.kill()
    said = process.stderr.read().decode()
    assert said.splitlines()[-1:] == ["tita: error: interrupted"]
    assert not list(tmp_path.glob("out*"))
