"""``tita eval`` as a user runs it."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest
from PIL import Image

from tita_cli.cli.main import run
from tita_cli.errors import ExitCode

PictureFile = Callable[..., Path]


@pytest.fixture
def folders(picture_file: PictureFile, tmp_path: Path) -> list[str]:
    """Two scenes, fused, visible in colour and infrared in grey: the options that name them."""
    for seed, name in enumerate(("one", "two")):
        picture_file(f"vis/{name}.png", seed=seed, size=(64, 72))
        picture_file(f"ir/{name}.jpg", seed=seed + 10, size=(64, 72), color=False)
        with Image.open(tmp_path / f"vis/{name}.png") as a, Image.open(tmp_path / f"ir/{name}.jpg") as b:
            (tmp_path / "fused").mkdir(exist_ok=True)
            Image.blend(a, b.convert("RGB"), 0.5).save(tmp_path / f"fused/{name}.png")
    return ["--fused", f"{tmp_path}/fused", "--a", f"{tmp_path}/vis", "--b", f"{tmp_path}/ir"]


@pytest.fixture
def published(tmp_path: Path) -> Path:
    """Two methods: one with more entropy than there is, one with none; CE as if both were perfect."""
    table = tmp_path / "published.csv"
    rows = [
        f"{image},{method},{metric},{value}"
        for image in ("one", "two")
        for method, metric, value in (("high", "EN", 9), ("low", "EN", 0), ("high", "CE", -1), ("low", "CE", -2))
    ]
    table.write_text("\n".join(["image,method,metric,value", *rows]) + "\n", encoding="utf-8")
    return table


def _json(capfdbinary: pytest.CaptureFixture[bytes]) -> dict:
    return json.loads(capfdbinary.readouterr().out)


def test_table_of_means(folders: list[str], capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert run(["eval", *folders, "--metrics", "EN,Qcv,mef-ssim", "--workers", "1"]) == 0
    out, err = capfdbinary.readouterr()
    assert err == b""
    rows = [line for line in out.decode().splitlines() if "│" in line]
    assert [row.split("│")[1].strip() for row in rows] == ["EN ↑", "Qcv ↓", "MEF_SSIM ↑"]


def test_json_csv_and_plot_agree(folders: list[str], tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    table, plot = tmp_path / "values.csv", tmp_path / "values.svg"
    chosen = ["--metrics", "EN,CE,Qabf", "--workers", "1"]
    assert run(["eval", *folders, *chosen, "--json", "--csv", str(table), "--plot", str(plot)]) == 0
    document = _json(capfdbinary)
    images = {image["name"]: image["values"] for image in document["images"]}
    assert sorted(images) == ["one", "two"]
    assert document["metrics"]["CE"] == {"higher_is_better": False}
    assert document["means"]["Qabf"] == pytest.approx((images["one"]["Qabf"] + images["two"]["Qabf"]) / 2)
    with table.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert {(row["image"], row["metric"]): float(row["value"]) for row in rows} == {
        (name, metric): value for name, values in images.items() for metric, value in values.items()
    }
    assert {row["method"] for row in rows} == {"fused"}
    circles = ElementTree.parse(plot).getroot().iter("{http://www.w3.org/2000/svg}circle")
    assert len(list(circles)) == 6


def test_ranks(folders: list[str], published: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert run(["eval", *folders, "--against", str(published), "--json", "--workers", "1"]) == 0
    document = _json(capfdbinary)
    assert list(document["means"]) == ["EN", "CE"]
    ranks = document["ranks"]
    assert (ranks["places"], ranks["of"], ranks["average"]) == ({"EN": 2, "CE": 3}, 3, 2.5)
    assert run(["eval", *folders, "--against", str(published), "--workers", "1"]) == 0
    out, err = capfdbinary.readouterr()
    assert "average rank 2.50: place 3 of 3" in out.decode()
    assert b"--reencode" in err
    assert run(["eval", *folders, "--against", str(published), "--workers", "1", "--reencode"]) == 0
    assert capfdbinary.readouterr().err == b""


def test_own_values_rank_last_beside_themselves_never(
    folders: list[str], tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    """What --csv writes, --against reads: equal values share the first place."""
    table = tmp_path / "own.csv"
    assert run(["eval", *folders, "--csv", str(table), "--workers", "1", "--quiet"]) == 0
    capfdbinary.readouterr()
    assert run(["eval", *folders, "--against", str(table), "--json", "--workers", "1", "--quiet"]) == 0
    ranks = _json(capfdbinary)["ranks"]
    assert set(ranks["places"].values()) == {1}
    assert "MS_SSIM" not in ranks["places"]  # not defined on images this small


def test_reencoding_changes_the_values(folders: list[str], capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    found = []
    for extra in ([], ["--reencode"]):
        assert run(["eval", *folders, "--metrics", "Qabf", "--json", "--workers", "1", *extra]) == 0
        found.append(_json(capfdbinary)["means"]["Qabf"])
    assert found[1] < found[0]


def test_what_cannot_be_measured_does_not_stop_the_rest(
    folders: list[str], picture_file: PictureFile, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    picture_file("fused/orphan.png")
    (tmp_path / "fused/broken.png").write_bytes(b"\x89PNG\r\n\x1a\nnot really")
    for folder in ("vis", "ir"):
        picture_file(f"{folder}/broken.png", size=(64, 72))
        picture_file(f"{folder}/other_size.png", size=(64, 72))
    picture_file("fused/other_size.png", size=(64, 70))
    code = run(["eval", *folders, "--metrics", "EN", "--json", "--workers", "1"])
    out, err = capfdbinary.readouterr()
    assert code == ExitCode.SOME_FAILED
    document = json.loads(out)
    assert [image["name"] for image in document["images"]] == ["one", "two"]
    errors = {failed["name"]: failed["error"] for failed in document["failed"]}
    assert "no source named orphan" in errors["orphan"]
    assert "broken.png" in errors["broken"]
    assert "other_size.png: fused image and sources differ in size: 70×64, 72×64, 72×64" in errors["other_size"]
    assert err.count(b"tita: error:") == 3


def test_three_files_are_one_image(
    folders: list[str], tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    files = [f"{tmp_path}/fused/one.png", f"{tmp_path}/vis/two.png", f"{tmp_path}/ir/one.jpg"]
    options = [part for pair in zip(("--fused", "--a", "--b"), files, strict=True) for part in pair]
    assert run(["eval", *options, "--metrics", "EN", "--json"]) == 0
    assert [image["name"] for image in _json(capfdbinary)["images"]] == ["one"]


@pytest.mark.parametrize(
    ("change", "code", "complaint"),
    [
        (["--metrics", "EN,Qfoo"], ExitCode.USAGE, "unknown metric: Qfoo"),
        (["--plot", "here.pdf"], ExitCode.USAGE, "the plot is SVG"),
        (["--against", "none.csv"], ExitCode.UNREADABLE_INPUT, "none.csv: no such file"),
        (["--a", "nowhere"], ExitCode.UNREADABLE_INPUT, "nowhere: no such folder"),
        (["--csv", "no/where.csv"], ExitCode.UNWRITABLE_OUTPUT, "does not exist"),
    ],
)
def test_mistakes_are_named(
    folders: list[str], change: list[str], code: ExitCode, complaint: str, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    assert run(["eval", *folders, *change]) == code
    out, err = capfdbinary.readouterr()
    assert out == b""
    assert complaint in err.decode()


def test_nothing_matches(folders: list[str], tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    for name in ("one", "two"):
        (tmp_path / f"fused/{name}.png").rename(tmp_path / f"fused/{name}_result.png")
    assert run(["eval", *folders]) == ExitCode.MISMATCH
    assert b"matched by name" in capfdbinary.readouterr().err


def test_results_are_not_overwritten_unasked(
    folders: list[str], tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    table = tmp_path / "values.csv"
    table.write_text("precious", encoding="utf-8")
    assert run(["eval", *folders, "--csv", str(table)]) == ExitCode.UNWRITABLE_OUTPUT
    assert table.read_text(encoding="utf-8") == "precious"
    assert run(["eval", *folders, "--metrics", "EN", "--csv", str(table), "--force", "--workers", "1"]) == 0
    assert table.read_text(encoding="utf-8").startswith("image,method,metric,value\n")


def test_values_do_not_hang_on_the_number_of_workers(folders: list[str]) -> None:
    documents = []
    for workers in ("1", "2"):
        command = [sys.executable, "-m", "tita_cli", "eval", *folders, "--json", "--workers", workers]
        done = subprocess.run(command, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr
        assert b"MS_SSIM is not defined on 2 of 2 images" in done.stderr
        documents.append(done.stdout)
    assert documents[0] == documents[1]


def test_sets_of_any_size(picture_file: PictureFile, tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """MEF-SSIM over all frames of each folder, and what needs no sources; metrics of pairs are refused."""
    from tita_cli.metrics.evaluate import evaluate, grey
    from tita_cli.metrics.files import read_bytes

    frames = [picture_file(f"sources/one/{n}.png", seed=n, size=(64, 72)) for n in range(3)]
    fused = picture_file("fused/one.png", seed=1, size=(64, 72))
    picture_file("fused/two.png", seed=2, size=(64, 72))
    arguments = ["eval", "--fused", f"{tmp_path}/fused", "--sources", f"{tmp_path}/sources", "--json", "--workers", "1"]
    assert run(arguments) == ExitCode.SOME_FAILED
    (measured,) = _json(capfdbinary)["images"]
    values = measured["values"]
    expected = evaluate(*(grey(read_bytes(path)[0]) for path in (fused, *frames)))["MEF_SSIM"]
    assert values["MEF_SSIM"] == pytest.approx(expected, rel=1e-9)
    assert "EN" in values
    assert "Qabf" not in values
    assert run([*arguments, "--metrics", "Qabf"]) == ExitCode.MISMATCH
    assert b"of two sources, not of 3" in capfdbinary.readouterr().err
    assert run(["eval", "--fused", f"{tmp_path}/fused", "--a", f"{tmp_path}/sources/one"]) == ExitCode.USAGE
    capfdbinary.readouterr()
    assert run(["eval", "--fused", str(fused), "--sources", str(frames[0])]) == ExitCode.UNREADABLE_INPUT
    assert b"a file, not a folder of sources\ntita: hint: --a FILE and --b FILE" in capfdbinary.readouterr().err
