"""``GeoTags``: where on the map a picture lies, as GeoTIFF and GDAL say it; moved along when the picture is cropped.

OGC GeoTIFF 1.1 (19-008r4), sections 7 and 10; RPC: the GeoTIFF extension of DigitalGlobe, as GDAL writes it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

Numbers: TypeAlias = tuple[float, ...]
TiffTag: TypeAlias = tuple[int, str, int, Any, bool]

SCALE, TIEPOINTS, TRANSFORMATION = 33550, 33922, 34264
KEYS, DOUBLES, TEXT = 34735, 34736, 34737
GDAL_METADATA, RPC = 42112, 50844
_LINE_OFFSET, _SAMPLE_OFFSET, _RPC_VALUES = 2, 3, 92
_MOST_VALUES = 1 << 16


@dataclass(frozen=True, slots=True)
class GeoTags:
    """The tags of one page.

    ``scale``: 3 numbers, units of the map a pixel. ``tiepoints``: of 6 numbers each, a place in the picture and one on
    the map. ``transformation``: 4×4 by rows, from pixels to the map. ``rpc``: 92 coefficients of a satellite's camera.
    ``keys``, ``doubles``, ``text``: the coordinate system. ``remarks``: what GDAL keeps of the picture as a whole, XML.
    """

    scale: Numbers = ()
    tiepoints: Numbers = ()
    transformation: Numbers = ()
    rpc: Numbers = ()
    keys: tuple[int, ...] = ()
    doubles: Numbers = ()
    text: bytes = b""
    remarks: bytes = b""

    def shifted(self, left: int, top: int) -> GeoTags:
        """As true of the part of the picture that begins ``left`` and ``top`` pixels inside it."""
        if not (left or top):
            return self
        points, matrix, rpc = list(self.tiepoints), list(self.transformation), list(self.rpc)
        points[0::6] = [column - left for column in points[0::6]]
        points[1::6] = [row - top for row in points[1::6]]
        for start in range(0, len(matrix), 4):  # M · translation(left, top)
            matrix[start + 3] += matrix[start] * left + matrix[start + 1] * top
        if rpc:
            rpc[_LINE_OFFSET] -= top
            rpc[_SAMPLE_OFFSET] -= left
        return replace(self, tiepoints=tuple(points), transformation=tuple(matrix), rpc=tuple(rpc))

    def as_tags(self) -> list[TiffTag]:
        """For tifffile's ``extratags``."""
        numbers = [
            (SCALE, self.scale), (TIEPOINTS, self.tiepoints), (TRANSFORMATION, self.transformation),
            (DOUBLES, self.doubles), (RPC, self.rpc),
        ]  # fmt: skip
        tags: list[TiffTag] = [(code, "d", len(values), values, True) for code, values in numbers if values]
        if self.keys:
            tags.append((KEYS, "H", len(self.keys), self.keys, True))
        tags += [
            (code, "s", 0, text, True) for code, text in ((TEXT, self.text), (GDAL_METADATA, self.remarks)) if text
        ]
        return tags


def read_geo(tags: Any) -> tuple[GeoTags | None, bool]:
    """What a page's ``tags``, tifffile's, say of its place, None for nothing; and whether something was damaged."""

    def raw(code: int) -> Any:
        tag = tags.get(code)
        return None if tag is None else tag.value

    try:
        found = GeoTags(
            scale=_numbers(raw(SCALE), 3), tiepoints=_numbers(raw(TIEPOINTS), 6, many=True),
            transformation=_numbers(raw(TRANSFORMATION), 16), rpc=_numbers(raw(RPC), _RPC_VALUES),
            keys=_keys(raw(KEYS)), doubles=_numbers(raw(DOUBLES), 1, many=True), text=_text(raw(TEXT)),
            remarks=_remarks(_text(raw(GDAL_METADATA))),
        )  # fmt: skip
    except (TypeError, ValueError):
        return None, True
    return (found if found != GeoTags() else None), False


def _numbers(value: Any, count: int, *, many: bool = False) -> Numbers:
    """``value`` as ``count`` finite numbers, with ``many`` as a multiple of them; none for None. Raises ValueError."""
    if value is None:
        return ()
    numbers = tuple(float(one) for one in (value if isinstance(value, Sequence) else (value,)))
    whole = len(numbers) % count == 0 and len(numbers) <= _MOST_VALUES if many else len(numbers) == count
    if not (whole and numbers and all(map(math.isfinite, numbers))):
        raise ValueError("not the numbers of a GeoTIFF tag")
    return numbers


def _keys(value: Any) -> tuple[int, ...]:
    """A header of four numbers, and four for each key that it promises. Raises ValueError."""
    if value is None:
        return ()
    keys = tuple(int(one) for one in value)
    if (
        len(keys) < 4
        or len(keys) < 4 * (1 + keys[3])
        or len(keys) > _MOST_VALUES
        or not all(0 <= k < 65536 for k in keys)
    ):
        raise ValueError("not a directory of geographic keys")
    return keys


def _text(value: Any) -> bytes:
    if value is None:
        return b""
    if not isinstance(value, str | bytes):
        raise TypeError("not a text")
    return value if isinstance(value, bytes) else value.encode("utf-8", "replace")


def _remarks(xml: bytes) -> bytes:
    """GDAL's items on the picture as a whole; statistics, scales and names of bands are not true of a fused picture."""
    if not xml:
        return b""
    from xml.etree import ElementTree

    try:
        root = ElementTree.fromstring(xml.rstrip(b"\0 "))
    except ElementTree.ParseError:  # GDAL passes over it, too
        return b""
    for item in list(root):
        if "sample" in item.attrib or item.get("name", "").startswith("STATISTICS_"):
            root.remove(item)
    return ElementTree.tostring(root) + b"\n" if len(root) else b""
