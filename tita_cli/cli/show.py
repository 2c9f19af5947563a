"""``tita show``: what a picture is, and how it was fused."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO

import typer

from tita_cli.cli.console import envelope, printable, put, results, warn
from tita_cli.cli.expand import Only, expand
from tita_cli.errors import InputError
from tita_cli.files import drained
from tita_cli.options import Input, Reporting

if TYPE_CHECKING:
    from tita_cli.images import Picture
    from tita_cli.images.formats.format import Page
    from tita_cli.images.picture import Thermal


@expand
def command(
    path: Annotated[str, typer.Argument(metavar="FILE", help="A picture; - for stdin.", show_default=False)],
    input: Annotated[Input, Only(("max_pixels",))],
    reporting: Annotated[Reporting, Only(("json",))],
) -> None:
    """Show what a file holds: its pictures, their size, depth, colour profile and metadata, and how tita fused it."""
    from tita_cli.images import list_pages, read_picture
    from tita_cli.images.formats.format import main_page

    with results() as stdout:
        source = _stdin() if path == "-" else path
        pages = list_pages(source, max_pixels=input.max_pixels)
        named = main_page(pages).name if len(pages) > 1 else None
        if not isinstance(source, str):
            source.seek(0)
        picture = read_picture(source, page=named, max_pixels=input.max_pixels)
        report = _report(picture, pages)
        if reporting.json:
            stdout.write(envelope("show", report))
        else:
            put(stdout, _lines(report), hang=12)
    for note in picture.notes:
        warn(note)


def _stdin() -> BinaryIO:
    if sys.stdin.isatty():
        raise InputError("<stdin>: a terminal, not an image", hint="cat picture.png | tita show -")
    return drained(sys.stdin.buffer, "<stdin>")


def _report(picture: Picture, pages: Sequence[Page]) -> dict[str, Any]:
    from tita_cli.images.profile import profile_name

    metadata = picture.metadata
    facts = {
        "name": picture.name,
        "format": picture.format,
        "width": picture.width,
        "height": picture.height,
        "depth": picture.depth,
        "color": picture.is_color,
        "alpha": picture.alpha is not None,
        "profile": profile_name(metadata.icc),
        "exif": metadata.exif is not None,
        "xmp": metadata.xmp is not None,
        "geo": metadata.geo is not None,
        "thermal": picture.thermal and _thermal(picture, picture.thermal),
    }
    held = [
        {"name": page.name, "title": page.title or page.series, "size": page.size, "fused": page.fused}
        for page in pages
    ]
    return {"picture": facts, "pictures": held, "provenance": metadata.provenance and metadata.provenance.as_dict()}


def _thermal(picture: Picture, thermal: Thermal) -> dict[str, Any]:
    """What a radiometric file says: the range of temperatures in °C, and how the counts lie in the photograph."""
    import numpy as np

    celsius = None
    if thermal.celsius is not None:
        used = thermal.celsius[np.rint(picture.pixels[..., 0] * (len(thermal.celsius) - 1)).astype(np.intp)]
        known = used[np.isfinite(used)]
        celsius = [round(float(known.min()), 2), round(float(known.max()), 2)] if known.size else None
    place = None if thermal.to_photograph is None else np.round(thermal.to_photograph, 4).tolist()
    return {"camera": thermal.camera, "celsius": celsius, "to_photograph": place}


def _held(pages: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """Rows about the pictures of a file with several: one for each where they are different things."""
    if len(pages) < 2:
        return []
    if not any(page["title"] for page in pages):
        left = sum(not page["fused"] for page in pages)
        text = f"{len(pages)} pictures, @{pages[0]['name']} to @{pages[-1]['name']}"
        return [("holds", text + (f", of which {left} are previews, masks or of another size" if left else ""))]
    return [
        ("holds", f"@{page['name']}: {page['title']}" + (", {}×{}".format(*page["size"]) if page["size"] else ""))
        for page in pages
    ]


def _measured(thermal: dict[str, Any]) -> list[tuple[str, str]]:
    rows = [("camera", thermal["camera"] or "unknown")]
    if thermal["celsius"] is None:
        return [*rows, ("measures", "thermal counts, for which the file gives no temperatures")]
    rows.append(("measures", "{:g} to {:g} °C".format(*thermal["celsius"])))
    if thermal["to_photograph"] is not None:
        (scale, _, left), (_, _, top), _ = thermal["to_photograph"]
        rows.append(("lies", f"at {left:.0f}, {top:.0f} of the photograph, {scale:.3f} of its pixels each"))
    return rows


def _lines(report: dict[str, Any]) -> str:
    facts, record = report["picture"], report["provenance"]
    kind = ("colour" if facts["color"] else "grey") + (" with alpha" if facts["alpha"] else "")
    blocks = [title for title, name in (("EXIF", "exif"), ("XMP", "xmp"), ("GeoTIFF", "geo")) if facts[name]]
    rows = [
        *_held(report["pictures"]),
        ("picture", f"{facts['width']}×{facts['height']}, {facts['depth']} bits a sample, {kind}, {facts['format']}"),
        ("profile", facts["profile"] or "none (sRGB)"),
        ("metadata", ", ".join(blocks) or "none"),
    ]
    if facts["thermal"]:
        rows += _measured(facts["thermal"])
    if record is None:
        rows.append(("fused", "not by tita, or without provenance"))
    else:
        rows.append(("fused by", f"tita {record['version']}, model {record['model']}"))
        rows += [("source", source) for source in record["sources"]]
        rows += [("option", f"{name} = {value}") for name, value in record["options"].items()]
    return f"{printable(facts['name'])}\n" + "".join(f"  {label:<9} {printable(text)}\n" for label, text in rows)
