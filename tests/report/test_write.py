"""What stands in a report."""

from __future__ import annotations

import base64
import io
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tita_cli.errors import InputError, OutputError, UsageError
from tita_cli.images import Picture
from tita_cli.report import write_report
from tita_cli.report.pictures import LARGEST, PAGE_BUDGET, SMALLEST, preview_side, to_bytes


def parts(page: Path) -> tuple[dict[str, Any], list[list[str]]]:
    """The data and the pictures of a page."""
    text = page.read_text("utf-8")
    data = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    assert data
    pictures = re.findall(r'<script type="text/plain" id="p[0-9]+">(.*?)</script>', text, re.DOTALL)
    return json.loads(data[1]), [found.split(" ") for found in pictures]


def report(batch, **options: Any) -> tuple[dict[str, Any], list[list[str]]]:
    page = batch.root / "report.html"
    write_report(batch.save(), page, **options)
    return parts(page)


def test_rows_pictures_and_metrics(batch) -> None:
    batch.run()
    batch.done("b.png", share=0.75)
    batch.done("a.png", align=[{"residual_px": 0.25}, {"residual_px": 1.5}, {"residual_px": None}])
    batch.failed("c.png", "c.png: is damaged", "take it again")
    data, pictures = report(batch)
    assert [row["name"] for row in data["rows"]] == ["a.png", "b.png", "c.png"]
    assert [row["state"] for row in data["rows"]] == ["fused", "fused", "failed"]
    assert data["rows"][0]["residual"] == 1.5
    assert data["rows"][1]["weights"] == [[[0.25] * 3, [0.25 / 3] * 3]]
    assert data["rows"][1]["link"] == "out/b.png"
    assert data["rows"][2]["error"]["hint"] == "take it again"
    assert [metric["name"] for metric in data["metrics"]] == ["EN", "SF", "SSIM", "Qabf"]
    assert set(data["rows"][0]["metrics"]) == {"EN", "SF", "SSIM", "Qabf"}
    assert data["rows"][2]["metrics"] == {}
    assert [len(row) for row in pictures] == [3, 3, 3]
    with Image.open(io.BytesIO(base64.b64decode(pictures[0][2]))) as shown, Image.open(batch.out / "a.png") as result:
        assert shown.format == "WEBP"
        difference = np.abs(np.asarray(shown.convert("RGB"), float) - np.asarray(result, float))
        assert difference.mean() < 10
    assert pictures[2][0]
    assert pictures[2][1:] == ["", ""]


def test_metrics_are_those_of_tita_eval(batch) -> None:
    from tita_cli.metrics.evaluate import evaluate
    from tita_cli.metrics.registry import find_metrics

    batch.run()
    batch.done("a.png")
    data, _ = report(batch, metrics="Qabf,MI")
    images = [np.asarray(Image.open(path)) for path in (batch.out / "a.png", *map(Path, data["rows"][0]["sources"]))]
    expected = evaluate(*images, metrics=find_metrics("Qabf,MI"))
    assert data["rows"][0]["metrics"] == pytest.approx(expected)


def test_a_stack_has_metrics_of_the_result_alone_and_a_choice_of_its_sources(batch) -> None:
    batch.run()
    batch.done("a.png", sources=12)
    data, pictures = report(batch)
    row = data["rows"][0]
    assert set(row["metrics"]) == {"EN", "SF"}
    assert row["shown"] == [0, 3, 6, 8, 11]
    assert len(pictures[0]) == 6
    assert len(row["sources"]) == 12


def test_no_metrics(batch) -> None:
    batch.run()
    batch.done("a.png")
    data, _ = report(batch, metrics="none")
    assert data["metrics"] == []
    assert data["rows"][0]["metrics"] == {}


def test_a_run_that_was_killed_leaves_unfinished_rows(batch) -> None:
    batch.run()
    batch.done("a.png")
    batch._lines.append({"event": "writing", "output": "b.png"})
    data, pictures = report(batch)
    assert [row["state"] for row in data["rows"]] == ["fused", "unfinished"]
    assert pictures[1] == [""]


def test_results_that_are_gone_are_blank(batch) -> None:
    batch.run()
    batch.done("a.png")
    (batch.out / "a.png").unlink()
    data, pictures = report(batch)
    assert pictures[0][2] == ""
    assert data["rows"][0]["metrics"] == {}


@pytest.mark.parametrize(
    "name", ["</script><script>alert(1)</script>.png", "<!--.png", "{{data}} {{title}}.png", "ü %#?.png"]
)
def test_no_name_can_break_the_page(batch, name: str) -> None:
    batch.run(model=name)
    name = name.replace("/", "\u2215")
    batch.done(name)
    data, pictures = report(batch)
    assert data["rows"][0]["name"] == name
    assert len(pictures) == 1
    text = (batch.root / "report.html").read_text()
    assert "alert(1)" not in text.split('id="data">')[0]
    assert text.count("<script") == 3


def test_the_page_asks_for_nothing_from_anywhere(batch) -> None:
    batch.run()
    batch.done("a.png")
    report(batch)
    text = (batch.root / "report.html").read_text()
    assert not re.findall(r"""(?:src|href)=["'](?!data:)[^"']|@import|https?://""", text)


def test_what_can_go_wrong(batch, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no journal"):
        write_report(tmp_path, tmp_path / "r.html")
    batch.run()
    batch.done("a.png")
    report(batch)
    with pytest.raises(OutputError, match="exists"):
        report(batch)
    report(batch, overwrite=True)
    with pytest.raises(UsageError, match="unknown metric"):
        report(batch, overwrite=True, metrics="Qfoo")


def test_previews_shrink_as_the_rows_grow() -> None:
    assert preview_side(30) == LARGEST
    assert preview_side(10**6) == SMALLEST
    side = preview_side(6000)
    assert SMALLEST < side < LARGEST
    assert 6000 * side * side * 0.75 * 0.11 <= PAGE_BUDGET


def test_thermal_counts_are_stretched_to_be_seen() -> None:
    counts = (29000 + np.arange(64 * 64).reshape(64, 64, 1) / 40) / 65535
    shown = to_bytes(Picture(counts.astype(np.float32), depth=16))
    assert shown.min() == 0
    assert shown.max() == 255
