"""Every depth × mode × format that is claimed, written and read back; the table in the docs is made from it.

``TITA_UPDATE_DOCS=1 python -m pytest tests/images/test_roundtrip.py`` writes the table anew.
"""

from __future__ import annotations

import io
import os
from pathlib import Path

import numpy as np
import pytest

from tita_cli.errors import OutputError
from tita_cli.images import Picture, read_picture, write_picture
from tita_cli.images.formats import FORMATS, Format
from tita_cli.images.picture import Depth

DOCS = Path(__file__).parents[2] / "docs" / "reference" / "formats.md"
BEGIN, END = "<!-- written by tests/images/test_roundtrip.py: begin -->", "<!-- end -->"

MODES = {"grey": (1, False), "grey + alpha": (1, True), "RGB": (3, False), "RGB + alpha": (3, True)}
# Mean error in units of 1/255 that a lossy format may make on a smooth picture.
LOSSY = {"jpeg": 2.0, "avif": 2.0, "hdr": 0.5}
CASES = [(entry, depth, mode) for entry in FORMATS.values() for depth in entry.depths for mode in MODES]


def _available(entry: Format) -> bool:
    if entry.name == "exr":
        return bool(__import__("importlib.util").util.find_spec("OpenEXR"))
    return True


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
    if not _available(entry):
        pytest.skip(f"no library for {entry.title}")
    before, after = _round_trip(entry, depth, mode)
    assert after.depth == depth and after.format == entry.name
    assert after.is_color == (before.is_color or not entry.grey)
    expected = before.pixels
    if before.alpha is not None and not entry.alpha:
        expected = expected * before.alpha[..., None]
    if entry.name in LOSSY:
        assert np.abs(after.pixels - expected).mean() * 255 < LOSSY[entry.name]
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
        np.testing.assert_allclose(after.alpha, before.alpha, atol=2 / 255 if entry.name in LOSSY else 1e-6)
    else:
        assert after.alpha is None


@pytest.mark.parametrize("entry", FORMATS.values(), ids=lambda entry: entry.name)
def test_same_picture_gives_same_bytes(entry: Format) -> None:
    if not _available(entry):
        pytest.skip(f"no library for {entry.title}")
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


def _table() -> str:
    """What is claimed: one line for every format, from the cases that the tests above run."""
    lines = ["| format | extensions | bits a sample | grey | alpha | EXIF, ICC, XMP | comes back | largest side |"]
    lines.append("|" + " --- |" * 8)
    for entry in FORMATS.values():
        depths = ", ".join("32 (float)" if depth == 32 else str(depth) for depth in entry.depths)
        kinds = sorted(entry.metadata)
        held = "all" if len(kinds) == 3 else ", ".join(kind.upper() for kind in kinds) or "none"
        back = f"within {LOSSY[entry.name]:g}/255 on average" if entry.name in LOSSY else "exactly"
        if entry.name == "exr":
            back = "to 10⁻⁶"
        side = "–" if entry.max_side > 2**30 else f"{entry.max_side:,}"
        grey, alpha = "yes" if entry.grey else "stored as RGB", "yes" if entry.alpha else "laid over black"
        cells = [entry.title, " ".join(entry.extensions), depths, grey, alpha, held, back, side]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def test_documented_table_is_what_is_tested() -> None:
    text = DOCS.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    current, after = rest.split(END)
    if os.environ.get("TITA_UPDATE_DOCS"):
        DOCS.write_text(f"{before}{BEGIN}\n{_table()}\n{END}{after}", encoding="utf-8")
    else:
        assert current.strip() == _table(), "TITA_UPDATE_DOCS=1 writes the table anew"
