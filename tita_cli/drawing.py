"""Line drawings from a few primitives, written as SVG or drawn by Pillow: what the charts of this package need."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from PIL.Image import Image

Point: TypeAlias = tuple[float, float]

INK, GRID = "#333333", "#dddddd"
FONT = 12
"""Size of all text in pixels."""


@dataclass(frozen=True, slots=True)
class Line:
    """A polyline through ``points``, in pixels."""

    points: Sequence[Point]
    color: str
    width: float = 1.5


@dataclass(frozen=True, slots=True)
class Dot:
    """A filled circle, translucent, so that dots on top of each other show."""

    x: float
    y: float
    color: str
    radius: float = 3.0
    opacity: float = 0.35


@dataclass(frozen=True, slots=True)
class Text:
    """A text whose baseline starts, is centred or ends at (x, y)."""

    x: float
    y: float
    text: str
    anchor: Literal["start", "middle", "end"] = "start"
    bold: bool = False
    color: str = INK


Mark: TypeAlias = Line | Dot | Text


def to_svg(marks: Sequence[Mark], width: int, height: int) -> str:
    """A complete SVG document of ``width``×``height`` pixels on white."""
    body = "\n".join(_svg(mark) for mark in marks)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'font-family="sans-serif" font-size="{FONT}">\n<rect width="{width}" height="{height}" fill="white"/>\n'
        f"{body}\n</svg>\n"
    )


def to_image(marks: Sequence[Mark], width: int, height: int, *, zoom: int = 2) -> Image:
    """The same as a picture, ``zoom`` times as large. Dots are drawn opaque."""
    from PIL import Image, ImageDraw, ImageFont

    image = Image.new("RGB", (zoom * width, zoom * height), "white")
    draw = ImageDraw.Draw(image)
    font = ImageFont.load_default(FONT * zoom)
    anchors = {"start": "ls", "middle": "ms", "end": "rs"}
    for mark in marks:
        if isinstance(mark, Line):
            points = [(zoom * x, zoom * y) for x, y in mark.points]
            draw.line(points, fill=mark.color, width=round(zoom * mark.width), joint="curve")
        elif isinstance(mark, Dot):
            draw.circle((zoom * mark.x, zoom * mark.y), zoom * mark.radius, fill=mark.color)
        else:
            stroke = 0.5 if mark.bold else 0
            place = (zoom * mark.x, zoom * mark.y)
            draw.text(place, mark.text, mark.color, font, anchor=anchors[mark.anchor], stroke_width=stroke)
    return image


def _svg(mark: Mark) -> str:
    if isinstance(mark, Line):
        points = " ".join(f"{x:.1f},{y:.1f}" for x, y in mark.points)
        return f'<polyline points="{points}" fill="none" stroke="{mark.color}" stroke-width="{mark.width:g}"/>'
    if isinstance(mark, Dot):
        place = f'cx="{mark.x:.1f}" cy="{mark.y:.1f}" r="{mark.radius:g}"'
        return f'<circle {place} fill="{mark.color}" fill-opacity="{mark.opacity:g}"/>'
    weight = ' font-weight="bold"' if mark.bold else ""
    place = f'x="{mark.x:.1f}" y="{mark.y:.1f}" text-anchor="{mark.anchor}"'
    return f'<text {place} fill="{mark.color}"{weight}>{escape(mark.text)}</text>'
