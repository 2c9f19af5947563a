"""Calibration: measured on several shots, kept in a file, applied to a whole batch."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from PIL import Image

from tita_cli.align import Calibration, align_pictures
from tita_cli.align.calibrate import calibrate
from tita_cli.align.geometry import corner_error, translating
from tita_cli.align.placement import Placement
from tita_cli.cli.main import run
from tita_cli.errors import ExitCode, InputError, MismatchError

Scenes = SimpleNamespace
Write = Callable[[str, np.ndarray], Path]
TRUTH = np.array([[1.02, 0.01, 9.0], [-0.01, 1.02, -6.0], [0.0, 0.0, 1.0]])


@pytest.fixture
def shots(scenes: Scenes, write: Write) -> list[Path]:
    """Four shots of a rig whose infrared camera is put off by ``TRUTH``: A1 B1 A2 B2 …"""
    paths = []
    for number in range(4):
        wide = [scenes.scene(number, kind=kind, size=(480, 400)) for kind in ("visible", "ir")]
        off = np.linalg.inv(TRUTH) @ np.array([[1.0, 0, 40], [0, 1.0, 40], [0, 0, 1.0]])
        # The infrared camera sees the reference's frame through TRUTH⁻¹, with scene beyond its border.
        back = np.linalg.inv(off @ np.linalg.inv(np.array([[1.0, 0, 80], [0, 1.0, 80], [0, 0, 1.0]])))
        source = cv2.warpPerspective(wide[1], np.linalg.inv(back), (400, 320), flags=cv2.INTER_CUBIC)
        paths.append(write(f"vis/{number}.png", wide[0][40:360, 40:440]))
        paths.append(write(f"ir/{number}.png", np.clip(source, 0, 1)))
    return paths


def _calibrate(*arguments: str | Path) -> int:
    return run(["calibrate", *map(str, arguments)])


def test_the_calibration_is_found_and_applied(
    shots: list[Path], tiny_model: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "calibration.json"
    assert _calibrate(*shots, "-o", path, "--json") == 0
    report = json.loads(capfd.readouterr().out)
    assert len(report["shots"]) == 4
    known = Calibration.read(path)
    assert known.as_dict() == report["calibration"]
    assert corner_error(known.matrices[1], TRUTH, (400, 320)) < 1.5
    assert _calibrate(*shots, "-o", path) == ExitCode.UNWRITABLE_OUTPUT
    out = tmp_path / "out.png"
    command = ["fuse", str(shots[0]), str(shots[1]), "-o", str(out), "-m", str(tiny_model), "--json"]
    assert run([*command, "--align-from", str(path)]) == 0
    placement = json.loads(capfd.readouterr().out)["align"][1]
    np.testing.assert_allclose(placement["matrix"], known.matrices[1], atol=1e-6)
    assert placement["accepted"]
    assert run([*command, "--force", "--align-from", str(path), "--align", "affine"]) == ExitCode.USAGE


def test_shots_that_do_not_fit_each_other_are_warned_of(
    shots: list[Path], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Two rigs, or two distances."""
    assert _calibrate(*shots[:4], "-o", tmp_path / "one.json") == 0
    assert "differ by" in (said := capfd.readouterr()).out and said.err == ""
    moved = tmp_path / "moved.png"
    with Image.open(shots[3]) as picture:
        Image.fromarray(np.roll(np.asarray(picture), 24, axis=1)).save(moved)
    assert _calibrate(*shots[:3], moved, "-o", tmp_path / "two.json") == 0
    assert "so no motion fits them all" in capfd.readouterr().err


def test_folders_are_paired_as_batch_pairs_them_and_batch_applies_the_calibration(
    shots: list[Path], tiny_model: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "calibration.json"
    folders = [str(shots[0].parent), str(shots[1].parent)]
    assert _calibrate(*folders, "-o", path) == 0
    command = ["batch", *folders, "-o", str(tmp_path / "out"), "-m", str(tiny_model), "--workers", "1", "--json"]
    assert run([*command, "--align-from", str(path)]) == 0
    end = json.loads(capfd.readouterr().out.splitlines()[-1])
    assert end["done"] == 4
    records = [json.loads(line) for line in (tmp_path / "out/tita-batch.jsonl").read_text().splitlines()]
    matrices = [record["result"]["align"][1]["matrix"] for record in records if record["event"] == "done"]
    assert all(matrix == matrices[0] for matrix in matrices)
    document = json.loads(path.read_text())
    document["sources"][1]["matrix"][0][2] += 1.0
    path.write_text(json.dumps(document))
    assert run([*command, "--align-from", str(path)]) == 0
    assert json.loads(capfd.readouterr().out.splitlines()[-1])["done"] == 4  # another calibration: done anew


def test_other_sizes_and_another_reference(scenes: Scenes) -> None:
    known = Calibration(((400, 320), (400, 320)), (np.eye(3), TRUTH))
    doubled = known.matrix(1, (800, 640), 0, (400, 320))
    point = np.array([201.0, 101.0, 1.0])
    at = TRUTH @ np.array([100.25, 50.25, 1.0])  # (201 + 0.5) / 2 − 0.5
    np.testing.assert_allclose((doubled @ point)[:2], at[:2])
    np.testing.assert_allclose(known.matrix(0, (400, 320), 1, (400, 320)), np.linalg.inv(TRUTH))
    with pytest.raises(MismatchError, match="source 2 was 400×320 in the calibration, this one is 320×400"):
        known.matrix(1, (320, 400), 0, (400, 320))
    pictures = [scenes.picture(scenes.scene(seed)) for seed in range(3)]
    with pytest.raises(MismatchError, match="2 sources, 3 are given"):
        align_pictures(pictures, calibration=known)


def test_strict_does_not_apply_what_does_not_fit(scenes: Scenes) -> None:
    pair = [scenes.picture(scenes.scene(1)), scenes.picture(scenes.scene(1, kind="ir"))]
    far = np.array([[1.0, 0, 60.0], [0, 1.0, 40.0], [0, 0, 1.0]])
    known = Calibration(((400, 320), (400, 320)), (np.eye(3), far))
    assert align_pictures(pair, calibration=known).placements[1].accepted
    with pytest.raises(MismatchError, match="does not fit"):
        align_pictures(pair, mode="strict", calibration=known)


GOOD = Calibration(((4, 3), (4, 3)), (np.eye(3), np.eye(3))).as_dict()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("not json", "not JSON"),
        ("[]", '"kind"'),
        (json.dumps({**GOOD, "format": 9}), "format is 9"),
        (json.dumps({**GOOD, "reference": 3}), "reference 3"),
        (json.dumps({**GOOD, "sources": [{"size": [4, 3]}] * 2}), "matrix"),
        (json.dumps({**GOOD, "sources": [{"size": [float("inf"), 3], "matrix": np.eye(3).tolist()}] * 2}), "Infinity"),
        (json.dumps({**GOOD, "spread_px": float("nan")}), "NaN"),
        (json.dumps({**GOOD, "sources": [{"size": [4, 3], "matrix": [[0, 0, 0]] * 3}] * 2}), "source 1"),
        (json.dumps({**GOOD, "sources": [{"size": [4, 3], "matrix": [[1, 0], [0, 1]]}] * 2}), "source 1"),
    ],
)
def test_a_file_that_is_no_calibration_file(content: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "calibration.json"
    path.write_text(content)
    with pytest.raises(InputError, match=said):
        Calibration.read(path)
    with pytest.raises(InputError, match=r"none\.json"):
        Calibration.read(tmp_path / "none.json")


def test_a_manifest_may_come_through_a_pipe(shots: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = ["visible,infrared", *(f"{one},{two}" for one, two in zip(shots[::2], shots[1::2], strict=True))]
    monkeypatch.setattr("tita_cli.cli.batch_steps.manifest_from_stdin", lambda: io.BytesIO("\n".join(lines).encode()))
    assert _calibrate("-", "-o", tmp_path / "calibration.json") == 0
    assert Calibration.read(tmp_path / "calibration.json").shots == 4


def test_an_odd_number_of_files_is_one_stack(
    scenes: Scenes, write: Write, tiny_model: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    wide = scenes.scene(7, size=(520, 320))
    for index in range(5):
        write(f"stack/frame_{index}.png", np.ascontiguousarray(wide[:, 4 * index : 4 * index + 440]))
    frames, known = sorted((tmp_path / "stack").iterdir()), tmp_path / "calibration.json"
    for given in (frames, [tmp_path / "stack"]):
        assert _calibrate(*given, "--align", "translation", "--force", "-o", known) == 0
        found = Calibration.read(known)
        assert found.shots == 1
        assert [matrix[0, 2] for matrix in found.matrices] == pytest.approx([0, 4, 8, 12, 16], abs=0.2)
    assert _calibrate(frames[0], "-o", known, "--force") == ExitCode.USAGE
    capfd.readouterr()
    command = ["fuse", *map(str, frames), "-o", str(tmp_path / "out.png"), "-m", str(tiny_model), "--json"]
    assert run([*command, "--align-from", str(known)]) == 0
    placed = json.loads(capfd.readouterr().out)["align"]
    assert [source["matrix"][0][2] for source in placed] == pytest.approx([0, 4, 8, 12, 16], abs=0.2)
    assert run([*command[:-3], "--force", "-m", str(tiny_model), "--align-from", str(known), "--align", "strict"]) == 0


def test_a_shot_that_is_left_out_is_not_counted() -> None:
    def shot(shift: float) -> list[Placement]:
        moved = Placement("b", (400, 320), "translation", translating(shift, 0.0), 1.0, 0.1, True)
        return [Placement.reference("a", (400, 320)), moved]

    found = calibrate([shot(5.0), shot(5.2), shot(4.8), shot(5.1), shot(40.0)], 0)
    assert found.shots == 4
    assert found.matrices[1][0, 2] == pytest.approx(5.0, abs=0.1)


def test_shots_that_say_nothing(scenes: Scenes, write: Write, tmp_path: Path) -> None:
    flat = write("flat.png", np.full((320, 400), 0.5, np.float32))
    shot = write("vis.png", scenes.scene(1))
    assert _calibrate(shot, flat, "-o", tmp_path / "calibration.json") == ExitCode.MISMATCH
    assert not (tmp_path / "calibration.json").exists()


def test_align_writes_files_overlays_and_json(
    scenes: Scenes, write: Write, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    wide, folder = scenes.scene(3, size=(420, 320)), tmp_path / "looks"
    pair = [str(write("a.png", wide[:, :400])), str(write("b.png", wide[:, 12:412] ** 0.7))]
    assert run(["align", *pair, "-o", str(folder), "--json"]) == 0
    document = json.loads(capfd.readouterr().out)
    assert [source["path"] for source in document["sources"]] == pair
    for source in document["sources"]:
        assert set(source) == {"path", "model", "matrix", "confidence", "residual_px", "accepted"}
    np.testing.assert_allclose(document["sources"][1]["matrix"], [[1, 0, 12], [0, 1, 0], [0, 0, 1]], atol=0.2)
    names = {path.name for path in folder.iterdir()}
    assert names == {"1-a.png", "2-b.png", "2-b-checkerboard.png", "2-b-red-cyan.png", "2-b-residual.png"}
    assert len({Image.open(folder / name).size for name in names}) == 1
    assert run(["align", *pair, "-o", str(folder)]) == ExitCode.UNWRITABLE_OUTPUT
    assert run(["align", *pair, "-o", str(folder), "--force"]) == 0
    assert "confidence" in capfd.readouterr().out
    assert run(["align", *pair, "-o", str(folder), "--align", "none"]) == ExitCode.USAGE


def test_overlays_tell_a_fit_from_a_misfit(scenes: Scenes) -> None:
    from tita_cli.align.overlays import checkerboard, red_cyan, residual_map

    plane = scenes.scene(1)
    here, there = scenes.picture(plane), scenes.picture(np.roll(plane, 3, axis=1))
    fit, misfit = (red_cyan(here, other).pixels for other in (here, there))
    assert np.ptp(fit, axis=2).max() < 1e-6  # grey
    assert np.ptp(misfit, axis=2).mean() > 0.02
    np.testing.assert_array_equal(checkerboard(here, here).pixels[..., 0] > 0.5, fit[..., 0] > 0.5)
    assert residual_map(here, there).pixels.mean() > 1.5 * residual_map(here, here).pixels.mean()


def test_sources_of_align_may_be_pipes(scenes: Scenes, write: Write, tmp_path: Path) -> None:
    wide = scenes.scene(3, size=(420, 320))
    pair = [write("a.png", wide[:, :400]), write("b.png", wide[:, 12:412] ** 0.7)]
    pipes = [os.pipe() for _ in pair]
    with ThreadPoolExecutor(2) as pool:
        writing = [pool.submit(_write, end, path) for (_, end), path in zip(pipes, pair, strict=True)]
        names = [f"/dev/fd/{reading}" for reading, _ in pipes]
        assert run(["align", *names, "-o", str(tmp_path / "looks")]) == 0
        assert all(job.result() for job in writing)
    assert len(list((tmp_path / "looks").glob("2-*-residual.png"))) == 1


def _write(descriptor: int, path: Path) -> int:
    with open(descriptor, "wb") as pipe:
        return pipe.write(path.read_bytes())


@pytest.mark.parametrize(("folder", "said"), [("a.png", "a folder is written"), ("a.png/looks", "cannot be made")])
def test_a_folder_that_cannot_be_made_is_told_at_once(
    folder: str, said: str, scenes: Scenes, write: Write, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = write("a.png", scenes.scene(1))
    assert run(["align", str(path), str(path), "-o", str(path.parent / folder)]) == ExitCode.UNWRITABLE_OUTPUT
    assert said in capfd.readouterr().err


def test_pictures_of_one_pixel_are_looked_at_and_left(write: Write, tmp_path: Path) -> None:
    path = write("a.png", np.full((1, 1), 0.5, np.float32))
    assert run(["align", str(path), str(path), "-o", str(tmp_path / "looks")]) == 0
