"""The page in a browser: it is used as people use it, with mouse and keyboard."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tita_cli.report import write_report

_spec = importlib.util.spec_from_file_location("browser", Path(__file__).with_name("browser.py"))
assert _spec and _spec.loader
browser_module = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(browser_module)

pytestmark = pytest.mark.skipif(browser_module.CHROMIUM is None, reason="no Chromium here")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with browser_module.chromium(tmp_path_factory.mktemp("profile")) as one_for_all:
        yield one_for_all


@pytest.fixture
def browser(running: Any) -> Iterator[Any]:
    running.complaints.clear()
    running.requests.clear()
    yield running
    assert running.complaints == []
    assert {url.partition(":")[0] for url in running.requests} <= {"file", "data"}


@pytest.fixture
def page(batch, tmp_path: Path) -> Path:
    batch.run()
    for name, share, seconds in (("x2.png", 0.2, 3.0), ("x10.png", 0.9, 1.0), ("x1.png", 0.5, 2.0)):
        batch.done(name, share=share, seconds=seconds, align=[{"residual_px": share}])
    batch.done("stack.png", sources=4)
    batch.failed("bad.png", "bad.png: is damaged", "take it again")
    write_report(batch.save(), tmp_path / "report.html")
    return tmp_path / "report.html"


def names(browser: Any) -> list[str]:
    return list(
        browser.run("[...document.querySelectorAll('#rows .row:not([hidden]) .name strong')].map((e) => e.textContent)")
    )


def text(browser: Any, selector: str) -> str:
    return str(browser.run(f"document.querySelector('{selector}').innerText"))


def test_the_overview(browser, page: Path) -> None:
    browser.open(page)
    assert names(browser) == ["bad.png", "stack.png", "x1.png", "x10.png", "x2.png"]
    assert "fused\n4\nfailed\n1\n" in text(browser, "#tiles")
    assert "bad.png" in text(browser, "#failures")
    assert "take it again" in text(browser, "#failures")
    browser.wait("[...document.querySelectorAll('#rows img')].every((img) => img.naturalWidth > 0)")
    widths = browser.run(
        "[...document.querySelectorAll('#rows .row:nth-child(4) .bar i')].map((i) => parseFloat(i.style.width))"
    )
    assert widths == pytest.approx([30, 30, 30, 10 / 3, 10 / 3, 10 / 3], abs=0.01)
    browser.click(".facts summary")
    assert "0.0.1" in text(browser, "#facts")
    assert (
        browser.run("document.querySelector('#leftovers li').textContent") == "in/vis/lonely.png: there is no ir to it"
    )


def test_sorting(browser, page: Path) -> None:
    browser.open(page)

    def sort(column: str) -> list[str]:
        place = browser.run(
            f"[...document.querySelectorAll('#head button')].findIndex((b) => b.textContent.startsWith('{column}')) + 2"
        )
        browser.click(f"#head > :nth-child({place}) button")
        return names(browser)

    assert sort("Result") == ["bad.png", "stack.png", "x1.png", "x2.png", "x10.png"]
    assert sort("Result") == ["x10.png", "x2.png", "x1.png", "stack.png", "bad.png"]
    assert sort("Seconds") == ["x2.png", "x1.png", "x10.png", "stack.png", "bad.png"]
    assert sort("Seconds") == ["stack.png", "x10.png", "x1.png", "x2.png", "bad.png"]
    assert sort("Alignment")[:3] == ["x10.png", "x1.png", "x2.png"]
    assert browser.run("document.querySelectorAll('#head [aria-sort]').length") == 1
    browser.press("Enter")  # the button that was clicked has the focus
    assert sort("Weights")[0] == "x2.png"
    assert sort("EN")[-1] == "bad.png"


def test_alignment_and_notes_have_columns(browser, batch, tmp_path: Path) -> None:
    batch.run()
    still = {"model": "none", "residual_px": None, "accepted": True}
    batch.done("moved.png", align=[still, {"model": "affine", "residual_px": 0.25, "accepted": True}])
    batch.done(
        "none.png", align=[still, {"model": "not aligned", "accepted": False}], notes=["`value_range` full", "b"]
    )
    write_report(batch.save(), tmp_path / "report.html")
    browser.open(tmp_path / "report.html")
    told = browser.run("[...document.querySelectorAll('#rows .told')].map((e) => e.textContent)")
    assert told == ["affine · 0.25 px", "a note on moved.png", "not aligned", "--range full (and 1 more)"]


def test_a_narrow_screen_shows_all_without_scrolling_sideways(browser, page: Path) -> None:
    with browser.narrow(390):
        browser.open(page)
        assert browser.run("document.documentElement.scrollWidth") <= 390
        right = browser.run(
            "Math.max(...[...document.querySelectorAll('#table *')].map((e) => e.getBoundingClientRect().right))"
        )
        assert right <= 390
        browser.click("#rows .thumbs")
        assert browser.run("document.querySelector('#viewer').getBoundingClientRect().right") <= 390
        browser.press("Escape")


def test_finding(browser, page: Path) -> None:
    browser.open(page)
    browser.click("#find")
    for key in "x1":
        browser.press(key)
    assert names(browser) == ["x1.png", "x10.png"]
    assert text(browser, "#count") == "2 of 5"
    browser.press("z")
    assert text(browser, "#none") == "Nothing matches."
    browser.run("document.querySelector('#find').value = ''")
    browser.click("#states label:last-child span")
    assert names(browser) == ["bad.png"]


def test_the_slider_follows_the_mouse(browser, page: Path) -> None:
    browser.open(page)
    browser.click("#rows .row:nth-child(3) .thumbs")
    browser.wait("document.querySelector('#viewer').open && document.querySelector('#under').naturalWidth > 0")
    assert text(browser, "#viewer-name") == "x1.png"

    def edge() -> float:
        script = """(() => { const stage = document.querySelector('#stage').getBoundingClientRect();
            const edge = document.querySelector('.edge').getBoundingClientRect();
            return (edge.x + edge.width / 2 - stage.x) / stage.width; })()"""
        return float(browser.run(script))

    assert edge() == pytest.approx(0.5, abs=0.01)
    browser.mouse("mousePressed", *browser.place("#slider", 0.5))
    browser.mouse("mouseMoved", *browser.place("#slider", 0.4))
    browser.mouse("mouseMoved", *browser.place("#slider", 0.25))
    assert edge() == pytest.approx(0.25, abs=0.02)
    browser.mouse("mouseReleased", *browser.place("#slider", 0.25))
    assert "calc(75" in browser.run("getComputedStyle(document.querySelector('#over')).clipPath") or edge() < 0.3


def test_the_viewer_is_used_by_keyboard(browser, page: Path) -> None:
    browser.open(page)
    browser.run("document.querySelector('#rows .row:nth-child(2) .thumbs').focus()")
    browser.press("Enter")
    browser.wait("document.querySelector('#viewer').open")
    assert text(browser, "#viewer-name") == "stack.png"
    before = browser.run("Number(document.querySelector('#slider').value)")
    browser.press("ArrowRight")
    assert browser.run("Number(document.querySelector('#slider').value)") > before
    browser.press("ArrowLeft")
    browser.press("ArrowLeft")
    assert browser.run("Number(document.querySelector('#slider').value)") < before
    first = browser.run("document.querySelector('#over').src")
    browser.press("3")
    assert browser.run("document.querySelector('#over').src") != first
    assert text(browser, "#tabs [aria-pressed=true]") == "s2/stack.png"
    assert browser.run("document.querySelectorAll('#weights .step').length") == 3
    browser.press("k")
    assert text(browser, "#viewer-name") == "bad.png"
    assert text(browser, "#blank") == "bad.png: is damaged — take it again"
    browser.press("k")
    assert text(browser, "#viewer-name") == "bad.png"
    browser.press("j")
    browser.press("j")
    assert text(browser, "#viewer-name") == "x1.png"
    browser.press("Escape")
    browser.wait("document.activeElement.getAttribute('aria-label') === 'Compare x1.png'")
    assert browser.run("document.querySelector('#viewer').open") is False


def test_two_thousand_rows(browser, batch, tmp_path: Path) -> None:
    batch.run()
    batch.done("first.png")
    pattern = batch._lines.pop()
    for number in range(2000):
        result = {**pattern["result"], "weights": [[[1 / 6] * 3] * 2]}
        seconds = {"fuse": (number * 7919) % 2000 / 1000}
        batch._lines.append({**pattern, "output": f"{number}.png", "result": result, "seconds": seconds})
    write_report(batch.save(), tmp_path / "report.html", metrics="none")
    browser.open(tmp_path / "report.html")
    assert browser.run("document.querySelectorAll('#rows .row').length") == 2000
    browser.wait("document.querySelector('#rows img').naturalWidth > 0")
    # Pictures out of view cost nothing.
    assert browser.run("[...document.querySelectorAll('#rows img')].filter((img) => img.src).length") < 200
    browser.click("#head > :last-child button")
    assert names(browser)[0] == f"{next(n for n in range(2000) if n * 7919 % 2000 == 1999)}.png"
    browser.run("window.scrollTo(0, document.body.scrollHeight / 2)")
    browser.wait(
        "[...document.querySelectorAll('#rows img')].some((img) => img.src && img.closest('.row').offsetTop > 50000)"
    )


def test_a_set_shows_what_part_each_source_gives(browser, batch, tmp_path: Path) -> None:
    batch.run()
    batch.done("set.png", sources=3, weights=[[[0.0, 0.0, 1.0], [0.0] * 3, [0.0] * 3]], parts=[0.4, 0.35, 0.25])
    batch.done("pair.png", share=0.75)
    write_report(batch.save(), tmp_path / "report.html", metrics="none")
    browser.open(tmp_path / "report.html")
    labels = "[...document.querySelectorAll('#rows .bar')].map((bar) => bar.getAttribute('aria-label'))"
    pair, told = browser.run(labels)
    assert told.count(",") == 2 and told.endswith(" 25 %") and " 40 %, " in told and " 35 %, " in told
    assert browser.run("document.querySelectorAll('#rows .row:nth-child(2) .share span').length") == 3
    assert pair.startswith("first high-pass 25 %")
    browser.run("document.querySelector('#rows .row:nth-child(2) .thumbs').click()")
    browser.wait("document.querySelector('#viewer').open")
    assert browser.run("document.querySelectorAll('#parts .meter, #parts > *').length") == 3
