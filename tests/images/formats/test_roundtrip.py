"""Every depth × mode × format that is claimed, written and read back; the tables in the docs are made from it.

``TITA_UPDATE_DOCS=1 python -m pytest tests/images/formats/test_roundtrip.py`` writes the tables anew.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tita_cli.errors import InputError, OutputError
from tita_cli.images import Picture, read_picture, write_picture
from tita_cli.images.formats import FORMATS, READ, WRITTEN, Format, choose_format, readable_suffixes, recognise
from tita_cli.options import Depth

DOCS = Path(__file__).parents[3] / "docs" / "reference" / "formats.md"
BEGIN, END = "<!-- {} written by tests/images/formats/test_roundtrip.py: begin -->", "<!-- end -->"

MODES = {"grey": (1, False), "grey + alpha": (1, True), "RGB": (3, False), "RGB + alpha": (3, True)}
CASES = [(entry, depth, mode) for entry in WRITTEN for depth in entry.depths for mode in MODES]


def _skip_without_library(entry: Format) -> None:
    if entry.library is not None and not entry.library.available:
        pytest.skip(f"no library for {entry.title}")


def _picture(depth: Depth, mode: str) -> Picture:
    """A smooth picture whose values are exactly on the grid of its depth, black and white included."""
    channels, has_alpha = MODES[mode]
    y, x = np.mgrid[0:13, 0:17].astype(np.float32)
    planes = [x / 16, y / 12, (x + y) / 28][:channels]
    alpha = ((12 - y) / 12).astype(np.float32) if has_alpha else None
    pixels = np.stack(planes, axis=2).astype(np.float32)
    if depth == 32:
        return Picture(pixels, None if alpha is None else np.maximum(alpha, 0.25), depth)
    white = np.float32(2**depth - 1)
    return Picture(np.rint(pixels * white) / white, None if alpha is None else np.rint(alpha * white) / white, depth)


def _round_trip(entry: Format, depth: Depth, mode: str) -> tuple[Picture, Picture]:
    picture = _picture(depth, mode)
    buffer = io.BytesIO()
    written = write_picture(picture, buffer, format=entry.name, depth=depth)
    assert written.depth == depth
    buffer.seek(0)
    return picture, read_picture(buffer)


@pytest.mark.parametrize(("entry", "depth", "mode"), CASES, ids=lambda value: getattr(value, "name", str(value)))
def test_round_trip(entry: Format, depth: Depth, mode: str) -> None:
    _skip_without_library(entry)
    before, after = _round_trip(entry, depth, mode)
    assert after.depth == depth and after.format == entry.name
    assert after.is_color == (before.is_color or not entry.grey)
    expected = before.pixels
    if before.alpha is not None and not entry.alpha:
        expected = expected * before.alpha[..., None]
    if entry.loss:
        assert np.abs(after.pixels - expected).mean() * 255 < entry.loss
    elif entry.name == "exr":  # to linear light and back
        np.testing.assert_allclose(after.pixels, np.broadcast_to(expected, after.pixels.shape), atol=1e-6)
    elif depth == 32:
        np.testing.assert_array_equal(after.pixels, np.broadcast_to(expected, after.pixels.shape))
    else:
        steps = np.abs(after.pixels - expected) * (2**depth - 1)
        flattened = before.alpha is not None and not entry.alpha
        assert steps.max() < (0.501 if flattened else 0.01)  # the same integers, or the nearest to a product
    if before.alpha is not None and entry.alpha:
        assert after.alpha is not None
        np.testing.assert_allclose(after.alpha, before.alpha, atol=2 / 255 if entry.loss else 1e-6)
    else:
        assert after.alpha is None


@pytest.mark.parametrize("entry", WRITTEN, ids=lambda entry: entry.name)
def test_same_picture_gives_same_bytes(entry: Format) -> None:
    _skip_without_library(entry)
    contents = []
    for _ in range(2):
        buffer = io.BytesIO()
        write_picture(_picture(8, "RGB"), buffer, format=entry.name)
        contents.append(buffer.getvalue())
    assert contents[0] == contents[1]


@pytest.mark.parametrize(("format", "depth", "others"), [("jpeg", 16, "TIFF"), ("png", 32, "TIFF"), ("exr", 8, "PNG")])
def test_demanded_depth_that_the_format_has_not(format: str, depth: Depth, others: str) -> None:
    with pytest.raises(OutputError, match="bits a sample") as caught:
        write_picture(_picture(8, "grey"), io.BytesIO(), format=format, depth=depth)
    assert caught.value.hint is not None and others in caught.value.hint


def test_lost_depth_is_told() -> None:
    written = write_picture(_picture(16, "RGB"), io.BytesIO(), format="jpeg")
    assert written.depth == 8 and "8 bits a sample" in written.notes[0]


def test_rounding_is_the_nearest_and_clips() -> None:
    pixels = np.array([[[-0.5], [0.0], [0.4999 / 255], [0.501 / 255], [1.0], [1.7]]], np.float32)
    buffer = io.BytesIO()
    write_picture(Picture(pixels), buffer, format="png")
    buffer.seek(0)
    assert np.rint(read_picture(buffer).pixels.ravel() * 255).tolist() == [0, 0, 0, 1, 255, 255]


@pytest.mark.parametrize("entry", WRITTEN, ids=lambda entry: entry.name)
def test_what_is_written_is_recognised_and_read(entry: Format) -> None:
    _skip_without_library(entry)
    buffer = io.BytesIO()
    write_picture(_picture(8, "RGB"), buffer, format=entry.name)
    assert recognise(buffer.getvalue()[:64]) is entry and entry.decode is not None
    with pytest.raises(InputError, match="holds one picture, and none that is called 2"):
        read_picture(io.BytesIO(buffer.getvalue()), page="2")
    with pytest.raises(InputError, match="damaged or truncated"):
        read_picture(io.BytesIO(buffer.getvalue()[: 2 * len(buffer.getvalue()) // 3]))


def test_every_suffix_means_one_format() -> None:
    found = [suffix for entry in FORMATS.values() for suffix in (*entry.suffixes, *entry.read_suffixes)]
    assert len(found) == len(set(found)) and all(suffix == suffix.lower() and suffix[0] == "." for suffix in found)
    assert {suffix for entry in WRITTEN for suffix in entry.suffixes} <= readable_suffixes()
    for entry in WRITTEN:
        assert all(choose_format(f"x{suffix.upper()}") is entry for suffix in entry.suffixes)
    for name in ("x.pbm", "x.gif", "x.dng", "x.txt", "x"):
        with pytest.raises(OutputError, match=r"no format that tita writes|has no suffix"):
            choose_format(name)


def _written() -> str:
    """What is claimed of writing: one line for every format, from the cases that the tests above run."""
    lines = ["| format | suffixes | bits a sample | grey | alpha | EXIF, ICC, XMP | comes back | largest side |"]
    lines.append("|" + " --- |" * 8)
    for entry in WRITTEN:
        depths = ", ".join("32 (float)" if depth == 32 else str(depth) for depth in entry.depths)
        kinds = sorted(entry.metadata - {"geo"})
        more = ", and GeoTIFF" if "geo" in entry.metadata else ""
        held = f"all{more}" if len(kinds) == 3 else ", ".join(kind.upper() for kind in kinds) or "none"
        back = f"within {entry.loss:g}/255 on average" if entry.loss else "exactly"
        if entry.name == "exr":
            back = "to 10⁻⁶"
        side = "–" if entry.max_side > 2**30 else f"{entry.max_side:,}"
        grey, alpha = "yes" if entry.grey else "stored as RGB", "yes" if entry.alpha else "laid over black"
        cells = [entry.title, " ".join(entry.suffixes), depths, grey, alpha, held, back, side]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _read() -> str:
    lines = ["| format | suffixes | samples | several pages | needs |", "|" + " --- |" * 5]
    for entry in READ:
        suffixes = " ".join((*entry.suffixes, *entry.read_suffixes))
        needs = f"`{entry.library.hint}`" if entry.library else "–"
        lines.append(f"| {entry.title} | {suffixes} | {entry.samples} | {'yes' if entry.pages else 'no'} | {needs} |")
    return "\n".join(lines)


def _recognised() -> str:
    lines = ["| format | suffixes | what helps |", "| --- | --- | --- |"]
    for entry in FORMATS.values():
        if entry.decode is None:
            lines.append(f"| {entry.title} | {' '.join(entry.suffixes)} | {entry.advice} |")
    return "\n".join(lines)


@pytest.mark.parametrize("table", [_written, _read, _recognised], ids=lambda table: table.__name__)
def test_documented_tables_are_those_of_the_registry(table: Callable[[], str]) -> None:
    begin = BEGIN.format(table.__name__.strip("_"))
    before, rest = DOCS.read_text(encoding="utf-8").split(begin)
    current, after = rest.split(END, 1)
    if os.environ.get("TITA_UPDATE_DOCS"):
        DOCS.write_text(f"{before}{begin}\n{table()}\n{END}{after}", encoding="utf-8")
    else:
        assert current.strip() == table(), "TITA_UPDATE_DOCS=1 writes the tables anew"


@pytest.mark.parametrize("entry", [entry for entry in FORMATS.values() if entry.encode], ids=lambda entry: entry.name)
def test_a_quality_that_changes_nothing_is_said_to(entry: Format, tmp_path: Path) -> None:
    if entry.library is not None and not entry.library.available:
        pytest.skip("its library is not installed")
    picture = Picture(np.random.default_rng(0).random((24, 32, 3), dtype=np.float32), name="a")
    contents, notes = [], []
    for quality in (20, 80):
        path = tmp_path / f"{quality}{entry.suffixes[0]}"
        notes.append(
            any("no quality to choose" in note for note in write_picture(picture, path, quality=quality).notes)
        )
        contents.append(path.read_bytes())
    assert notes == [contents[0] == contents[1]] * 2
