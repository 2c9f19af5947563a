"""``tita batch`` as a user runs it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tita_cli.cli.main import run
from tita_cli.errors import ExitCode

PictureFile = Callable[..., Path]
SMALL = ("--workers", "1", "--threads", "1")


def tita(*arguments: str | Path, stdin: bytes | None = None, **options: Any) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "tita_cli", *map(str, arguments)]
    return subprocess.run(command, input=stdin, capture_output=True, check=False, **options)


@pytest.fixture
def folder(picture_file: PictureFile, tmp_path: Path) -> Path:
    """Three pairs, one visible image alone."""
    for number in range(3):
        picture_file(f"in/vis/{number}.png", seed=number)
        picture_file(f"in/ir/{number}.png", seed=10 + number, color=False)
    picture_file("in/vis/alone.png")
    return tmp_path / "in"


def batch(folder: Path, model: Path, *arguments: str) -> int:
    return run(["batch", str(folder), "-m", str(model), *SMALL, *arguments])


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.glob("*.png"))}


def test_a_folder_is_fused_beside_itself_as_tita_fuse_does(folder: Path, tiny_model: Path, capfd) -> None:
    assert batch(folder, tiny_model) == 0
    out, err = capfd.readouterr()
    assert out == ""
    assert "alone.png: there is no ir for it" in err
    assert "3 fused" in err.splitlines()[-1]
    assert err.splitlines()[-1].endswith(f"→ {folder}-fused")
    single = folder.parent / "single.png"
    pair = [str(folder / side / "1.png") for side in ("vis", "ir")]
    assert run(["fuse", *pair, "-o", str(single), "-m", str(tiny_model), "--threads", "1"]) == 0
    assert (folder.with_name("in-fused") / "1.png").read_bytes() == single.read_bytes()


def test_results_do_not_depend_on_the_workers(folder: Path, tiny_model: Path, tmp_path: Path) -> None:
    assert batch(folder, tiny_model, "-o", str(tmp_path / "one")) == 0
    assert (
        run(
            [
                "batch",
                str(folder),
                "-m",
                str(tiny_model),
                "-o",
                str(tmp_path / "two"),
                "--workers",
                "3",
                "--threads",
                "1",
            ]
        )
        == 0
    )
    assert bytes_of(tmp_path / "one") == bytes_of(tmp_path / "two")
    assert len(bytes_of(tmp_path / "one")) == 3


def test_a_second_run_has_nothing_to_do_and_loads_nothing(folder: Path, tiny_model: Path) -> None:
    assert batch(folder, tiny_model) == 0
    script = (
        "import sys; from tita_cli.cli.main import run; code = run(sys.argv[1:]);"
        "print(sorted({'torch', 'onnxruntime', 'cv2'} & set(sys.modules))); sys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, "batch", str(folder), "-m", str(tiny_model)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "3 already done" in done.stderr.splitlines()[-1]
    assert done.stdout == "[]\n"


def test_failures_are_listed_at_the_end_and_the_exit_code_says_so(folder: Path, tiny_model: Path, capfd) -> None:
    (folder / "ir/1.png").write_bytes((folder / "ir/1.png").read_bytes()[:200])
    Image.new("L", (8, 8)).save(folder / "ir/2.png")
    assert batch(folder, tiny_model) == ExitCode.SOME_FAILED
    lines = capfd.readouterr().err.splitlines()
    assert lines[-3].startswith("failed: 1.png: ")
    assert "ir/1.png" in lines[-3]
    assert lines[-2].startswith("failed: 2.png: ")
    assert "is 8×8 but" in lines[-2]
    assert "1 fused, 2 failed" in lines[-1]
    assert batch(folder, tiny_model) == ExitCode.SOME_FAILED
    assert "2 failed earlier" in capfd.readouterr().err
    assert batch(folder, tiny_model, "--retry-failed", "--resize") == ExitCode.SOME_FAILED
    assert list(bytes_of(folder.with_name("in-fused"))) == ["0.png", "2.png"]
    assert batch(folder, tiny_model, "--retry-failed", "--fail-fast") == ExitCode.SOME_FAILED


def test_the_plan_touches_nothing(folder: Path, tmp_path: Path, capfdbinary) -> None:
    before = sorted(tmp_path.rglob("*"))
    assert run(["batch", str(folder), "--dry-run"]) == 0
    table = capfdbinary.readouterr().out.decode()
    assert "3 groups from 6 images, grouped by folders" in table
    assert "there is no ir for it" in table
    assert run(["batch", str(folder), "--dry-run", "--json"]) == 0
    plan = json.loads(capfdbinary.readouterr().out)
    assert [group["output"] for group in plan["groups"]] == ["0.png", "1.png", "2.png"]
    assert plan["leftovers"][0]["reason"] == "there is no ir for it"
    assert sorted(tmp_path.rglob("*")) == before


def test_a_plan_knows_what_is_done(folder: Path, tiny_model: Path, capfdbinary) -> None:
    assert batch(folder, tiny_model) == 0
    (folder.with_name("in-fused") / "0.png").unlink()
    capfdbinary.readouterr()
    assert batch(folder, tiny_model, "-n", "--json") == 0
    states = json.loads(capfdbinary.readouterr().out)["states"]
    assert states["0.png"] == {"state": "to do", "why": "its result is gone"}
    assert states["1.png"]["state"] == "done"


def test_dry_runs_and_usage_errors_import_nothing_heavy(folder: Path) -> None:
    script = (
        "import sys; from tita_cli.cli.main import run; run(sys.argv[1:]);"
        "sys.exit(1 if {'torch', 'onnxruntime', 'cv2'} & set(sys.modules) else 0)"
    )
    for arguments in ([str(folder), "-n"], [str(folder), "--by", "luck"], [str(folder / "no such folder")]):
        done = subprocess.run([sys.executable, "-c", script, "batch", *arguments], capture_output=True, check=False)
        assert done.returncode == 0, done


def test_a_pipeline(picture_file: PictureFile, tiny_model: Path, tmp_path: Path) -> None:
    names = ["plain", "with space", "new\nline", "日本語", 'quote"s']
    lines = []
    for number, name in enumerate(names):
        pair = [picture_file(f"{name} {side}.png", seed=number + place) for place, side in enumerate("ab")]
        lines.append(json.dumps({"sources": [str(path) for path in pair], "output": name}))
    lines.append(json.dumps({"sources": [str(tmp_path / "absent.png"), str(pair[0])], "output": "absent"}))
    done = tita("batch", "-", "-m", tiny_model, "-o", tmp_path / "out", *SMALL, stdin="\n".join(lines).encode())
    assert done.returncode == ExitCode.SOME_FAILED, done.stderr
    records = [json.loads(line) for line in done.stdout.split(b"\n") if line]
    assert [records[0]["event"], records[-1]["event"]] == ["run", "end"]
    assert {record["output"] for record in records if record["event"] == "done"} == {f"{name}.png" for name in names}
    (failed,) = (record for record in records if record["event"] == "failed")
    assert "absent.png: no such file" in failed["error"]["message"]
    assert len(list((tmp_path / "out").glob("*.png"))) == len(names)


def test_a_plan_is_a_manifest(folder: Path, tiny_model: Path, tmp_path: Path) -> None:
    plan = json.loads(tita("batch", folder, "-n", "--json").stdout)
    lines = "\n".join(json.dumps(group) for group in plan["groups"]).encode()
    done = tita("batch", "-", "-m", tiny_model, "-o", tmp_path / "out", "--json", *SMALL, stdin=lines)
    assert done.returncode == 0, done.stderr
    assert sorted(bytes_of(tmp_path / "out")) == ["0.png", "1.png", "2.png"]


def test_a_bracket_follows_its_middle_exposure(tmp_path: Path, tiny_model: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    for number, seconds in enumerate((0.01, 0.0025, 0.04)):
        exif = Image.Exif()
        exif[0x010E] = f"shot {number}"
        exif.get_ifd(0x8769).update({0x9003: "2024:05:01 12:00:00", 0x829A: seconds, 0x829D: 8.0})
        Image.new("RGB", (40, 32), (60 * number + 40,) * 3).save(folder / f"IMG_{number}.jpg", exif=exif)
    assert batch(folder, tiny_model) == 0
    with Image.open(tmp_path / "photos-fused/IMG_0.jpg") as result:
        assert result.getexif()[0x010E] == "shot 0"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["absent"], ExitCode.UNREADABLE_INPUT),
        (["in", "--by", "names"], ExitCode.MISMATCH),
        (["in", "--by", "luck"], ExitCode.USAGE),
        (["in", "--pair", "vis"], ExitCode.USAGE),
        (["in", "--format", "gif"], ExitCode.USAGE),
        (["in", "-m", "absent.safetensors"], ExitCode.MODEL),
        (["in", "--report", "nowhere/report.html"], ExitCode.UNWRITABLE_OUTPUT),
        (["in", "list.csv"], ExitCode.USAGE),
    ],
)
def test_what_cannot_begin_says_so_and_leaves_nothing(
    arguments: list[str], code: int, folder: Path, monkeypatch: pytest.MonkeyPatch, capfd
) -> None:
    monkeypatch.chdir(folder.parent)
    assert run(["batch", *arguments]) == code
    assert capfd.readouterr().err.startswith("tita: error: ")
    assert not (folder.parent / "in-fused").exists()


def test_a_kill_loses_what_was_in_flight_and_nothing_else(
    picture_file: PictureFile, tiny_model: Path, tmp_path: Path
) -> None:
    count = 40
    for number in range(count):
        for place, side in enumerate(("vis", "ir")):
            picture_file(f"in/{side}/{number}.png", seed=2 * number + place, size=(64, 64))
    arguments = ["batch", str(tmp_path / "in"), "-m", str(tiny_model), *SMALL]
    process = subprocess.Popen(
        [sys.executable, "-m", "tita_cli", *arguments], stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL
    )
    journal = tmp_path / "in-fused/tita-batch.jsonl"
    deadline = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < deadline:
        if journal.exists() and journal.read_bytes().count(b'"event": "done"') >= 5:
            break
        time.sleep(0.005)
    process.kill()
    process.wait()
    done = journal.read_bytes().count(b'"event": "done"')
    assert done >= 5
    for path in (tmp_path / "in-fused").glob("*.png"):
        with Image.open(path) as image:
            image.load()
    again = tita(*arguments, "--json")
    assert again.returncode == 0, again.stderr
    end = json.loads(again.stdout.splitlines()[-1])
    assert end["skipped"] == done
    assert end["done"] == count - done
    assert len(list((tmp_path / "in-fused").glob("*.png"))) == count
    assert not list((tmp_path / "in-fused").glob(".tita-*.part"))


@pytest.mark.skipif(os.name == "nt", reason="signals differ")
def test_an_interrupt_ends_cleanly(picture_file: PictureFile, tiny_model: Path, tmp_path: Path) -> None:
    for number in range(60):
        for place, side in enumerate(("vis", "ir")):
            picture_file(f"in/{side}/{number}.png", seed=2 * number + place, size=(96, 96))
    # Where the tests run in the background, a shell may have switched the signal off for all its children.
    script = (
        "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler);"
        "from tita_cli.__main__ import main; main()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script, "batch", str(tmp_path / "in"), "-m", str(tiny_model), *SMALL],
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
    )
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith(b"[3/"):
            break
    process.send_signal(signal.SIGINT)
    rest = process.stderr.read().decode()
    assert process.wait(30) == ExitCode.INTERRUPTED
    said = rest.splitlines()
    assert re.fullmatch(r"tita: \d+ done, \d+ to do; run the same command again to continue", said[-2]), rest
    assert said[-1] == "tita: error: interrupted"
    out = tmp_path / "in-fused"
    assert not list(out.glob(".tita-*.part"))
    end = json.loads((out / "tita-batch.jsonl").read_text().splitlines()[-1])
    assert end["event"] == "end"
    assert end["remaining"] > 0


def test_radiometric_files_and_what_lies_beside_them(
    tmp_path: Path, tiny_model: Path, flir_bytes: Callable[..., bytes], dji_bytes: Callable[..., bytes], capfd
) -> None:
    import numpy as np

    ramp = np.linspace(14000, 16000, 120 * 160).reshape(120, 160).astype(np.uint16)
    photograph = np.random.default_rng(1).integers(0, 256, (240, 320, 3)).astype(np.uint8)
    for number in (1, 2):
        (tmp_path / f"FLIR000{number}.jpg").write_bytes(flir_bytes(ramp, photograph))
    assert batch(tmp_path, tiny_model, "-o", str(tmp_path / "out")) == 0, capfd.readouterr().err
    with Image.open(tmp_path / "out/FLIR0001.jpg") as fused:
        assert fused.mode == "RGB" and fused.size[0] < 200  # the part of the photograph that the counts show
    before = (tmp_path / "out/FLIR0001.jpg").stat().st_mtime_ns
    assert batch(tmp_path, tiny_model, "-o", str(tmp_path / "out")) == 0
    assert (tmp_path / "out/FLIR0001.jpg").stat().st_mtime_ns == before
    flight = tmp_path / "flight"
    flight.mkdir()
    Image.fromarray(photograph[:120, :160]).save(flight / "DJI_20240105143007_0001_W.JPG")
    (flight / "DJI_20240105143008_0002_T.JPG").write_bytes(dji_bytes(ramp))
    assert batch(flight, tiny_model, "-o", str(tmp_path / "flown")) == 0
    assert (tmp_path / "flown/DJI_20240105143007_0001.jpg").exists()


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("batch", "in", "-o", "loop/x"), ExitCode.UNWRITABLE_OUTPUT),
        (("batch", "in", "-o", "out", "--report", "loop/r.html"), ExitCode.UNWRITABLE_OUTPUT),
        (("watch", "in", "-o", "loop/x"), ExitCode.UNWRITABLE_OUTPUT),
        (("batch", "loop"), ExitCode.UNREADABLE_INPUT),
        (("watch", "loop", "-o", "out"), ExitCode.UNREADABLE_INPUT),
        (("report", "loop"), ExitCode.UNREADABLE_INPUT),
    ],
)
def test_links_in_a_loop_are_no_fault_of_ours(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], code: ExitCode
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("loop").symlink_to("loop")
    assert run(arguments) == code
