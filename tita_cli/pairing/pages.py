"""Files that hold the pictures of a scene themselves: radiometric JPEG with a photograph, z-stacks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tita_cli.errors import InputError
from tita_cli.images import list_pages
from tita_cli.pairing.plan import Group, Leftover, Plan, listing, make_plan
from tita_cli.pairing.scan import ImageFile

RADIOMETRIC = "in one file: photograph, thermal counts"
"""Why the two pictures of a radiometric file belong together."""


def pair_pages(images: Sequence[ImageFile]) -> Plan:
    """Every file that holds several pictures that can be fused is a group of its own."""
    groups: list[Group] = []
    leftovers: list[Leftover] = []
    for image in images:
        try:
            pages = [page for page in list_pages(image.path) if page.fused]
        except InputError as error:
            leftovers.append(Leftover(image.path, error.message.removeprefix(f"{image.path}: ")))
            continue
        if len({page.series for page in pages}) > 1:
            leftovers.append(Leftover(image.path, "holds several series: channels, or times"))
            continue
        if len(pages) < 2:
            leftovers.append(Leftover(image.path, "holds one picture"))
            continue
        sources = tuple(image.path.with_name(f"{image.path.name}@{page.name}") for page in pages)
        names = [Path(page.title or f"picture {page.name}") for page in pages]
        groups.append(Group(str(image.folder / image.stem), sources, f"in one file: {listing(names, 3)}"))
    return make_plan("pages", groups, leftovers)
