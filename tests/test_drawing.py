"""Drawings look the same as SVG and as a picture."""

from __future__ import annotations

from xml.etree import ElementTree

from tita_cli.drawing import Dot, Line, Text, to_image, to_svg

MARKS = (Line(((0, 5), (20, 5)), "#ff0000", 2), Dot(30, 10, "#0000ff", opacity=1), Text(5, 18, "a < b", bold=True))


def test_a_picture_shows_lines_and_dots_where_they_are() -> None:
    image = to_image(MARKS, 40, 20, zoom=2)
    assert image.size == (80, 40)
    assert image.getpixel((20, 10)) == (255, 0, 0)
    assert image.getpixel((60, 20)) == (0, 0, 255)
    assert image.getpixel((79, 0)) == (255, 255, 255)


def test_svg_is_well_formed_and_text_is_escaped() -> None:
    root = ElementTree.fromstring(to_svg(MARKS, 40, 20))
    assert [child.tag.partition("}")[2] for child in root] == ["rect", "polyline", "circle", "text"]
    assert root[3].text == "a < b"
