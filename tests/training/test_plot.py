from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from tita_cli.drawing import Line
from tita_cli.errors import InputError, OutputError
from tita_cli.training.chart import HEIGHT, WIDTH, Panel
from tita_cli.training.log import Log, clean, read_log
from tita_cli.training.plot import build_panels, plot_log

SVG = "{http://www.w3.org/2000/svg}"


def record(step: int, **changes: Any) -> dict[str, Any]:
    terms = {"total": 5.0 / step, "intensity": 3.0 / step, "gradient": 2.0 / step}
    return {
        "event": "step", "step": step, "lr": 1e-3, "grad_norm": 1.0, "px_per_s": 1e5,
        "losses": {"ivf": terms, "mff": terms}, "famo": {"ivf": 0.6, "mff": 0.4},
        "oaf": {"ivf": [0.1, 0.2, 0.1, 0.2, 0.3, 0.1]}, **changes,
    }  # fmt: skip


@pytest.fixture
def log(tmp_path: Path) -> Path:
    start = {"event": "start", "step": 0, "network": {"variant": "tita-lite"}, "note": "<&>"}
    dev = {"event": "dev", "step": 20, "metrics": {"Qabf": 0.61}}
    records = [start, *(record(step) for step in range(10, 60, 10)), dev, {"event": "end", "step": 50}]
    path = tmp_path / "log.jsonl"
    path.write_text("".join(json.dumps(r) + "\n" for r in records), encoding="utf-8")
    return path


def test_svg_has_a_curve_for_every_loss_weight_and_metric(log: Path) -> None:
    target = log.with_name("curves.svg")
    plot_log(log, target, overwrite=False)
    texts = [node.text for node in ElementTree.parse(target).iter(f"{SVG}text")]
    for title in ("loss, all tasks", "weight of each task (FAMO)", "loss terms, mff", "OAF's weights, ivf", "dev Qabf"):
        assert title in texts
    assert {"ivf", "mff", "gradient", "high A"} <= set(texts)


def test_png_shows_colours(log: Path) -> None:
    target = log.with_name("curves.png")
    plot_log(log, target, overwrite=False)
    with Image.open(target) as image:
        assert image.width == 4 * WIDTH
        colors = {color for _, color in image.getcolors(1 << 24) or []}
    assert {(0, 114, 178), (213, 94, 0)} <= colors


def test_html_tells_of_the_run_and_escapes_it(log: Path) -> None:
    target = log.with_name("curves.html")
    plot_log(log, target, overwrite=False)
    page = target.read_text(encoding="utf-8")
    assert "<svg" in page and "tita-lite" in page and "&lt;&amp;&gt;" in page and "<&>" not in page


def test_an_existing_picture_stays_unless_asked(log: Path) -> None:
    target = log.with_name("curves.svg")
    target.write_text("mine")
    with pytest.raises(OutputError):
        plot_log(log, target, overwrite=False)
    assert target.read_text() == "mine"
    plot_log(log, target, overwrite=True)
    assert target.read_text().startswith("<svg")


def test_a_format_that_is_not_drawn(log: Path) -> None:
    with pytest.raises(OutputError, match="svg"):
        plot_log(log, log.with_name("curves.pdf"), overwrite=False)


def test_a_log_without_steps(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    log.write_text('{"event": "start", "step": 0}\n')
    with pytest.raises(InputError, match="no step"):
        plot_log(log, tmp_path / "curves.svg", overwrite=False)


@pytest.mark.parametrize("text", ["no json\n{}\n", "[1]\n{}\n", '{"step": 1}\n'])
def test_a_file_that_is_no_log(tmp_path: Path, text: str) -> None:
    log = tmp_path / "log.jsonl"
    log.write_text(text)
    with pytest.raises(InputError, match="line 1"):
        read_log(log)


def test_a_torn_last_line_is_passed_over(log: Path) -> None:
    whole = read_log(log)
    with log.open("a") as file:
        file.write('{"event": "step", "st')
    assert read_log(log) == whole


def test_resuming_drops_what_came_after_the_checkpoint(log: Path) -> None:
    resumed = Log(log, after=30)
    resumed.write(record(40, lr=7.0))
    resumed.close()
    steps = [r for r in read_log(log) if r["event"] == "step"]
    assert [r["step"] for r in steps] == [10, 20, 30, 40]
    assert steps[-1]["lr"] == 7.0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_is_one_clear_line() -> None:
    log = Log(Path("/dev/full"))
    with pytest.raises(OutputError, match="cannot write the log"):
        log.write(record(1))


def test_json_has_no_nan() -> None:
    assert clean({"a": float("nan"), "b": [1.23456789, float("inf")], "c": ("x", 2)}) == {
        "a": None, "b": [1.23457, None], "c": ["x", 2],
    }  # fmt: skip


def test_many_steps_are_thinned() -> None:
    panels = build_panels([record(step + 1) for step in range(5000)])
    assert all(len(curve) <= 600 for panel in panels for curve in panel.curves.values())


@given(
    st.lists(st.tuples(st.floats(0, 1e6), st.floats(-1e6, 1e6)), min_size=1, max_size=20),
    st.booleans(),
)
@example([(0.0, 5e-324)], False)
@example([(0.0, 1.0), (1.0, 1.0 + 2e-16)], False)
@settings(deadline=None)
def test_curves_stay_inside_their_panel(points: list[tuple[float, float]], log: bool) -> None:
    if log:
        points = [(x, abs(y) + 1e-9) for x, y in points]
    for mark in Panel("title", {"curve": points}, log=log).marks(0, 0):
        if isinstance(mark, Line):
            assert all(-1e-6 <= x <= WIDTH + 1e-6 and -1e-6 <= y <= HEIGHT + 1e-6 for x, y in mark.points)
