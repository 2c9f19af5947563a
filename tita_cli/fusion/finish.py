"""Finish a fusion: colour, depth, profile, range, metadata and provenance of the result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from tita_cli.fusion.blend import strips
from tita_cli.fusion.plan import Plan
from tita_cli.fusion.strategy import Fused
from tita_cli.images import Metadata, Picture
from tita_cli.images.color import merge_luma, to_range
from tita_cli.images.geo import GeoTags
from tita_cli.images.picture import FloatArray
from tita_cli.images.profile import profile_space
from tita_cli.images.provenance import Provenance, Value
from tita_cli.images.value_range import undo_range
from tita_cli.options import Depth
from tita_cli.runtime.threads import each


def finish(
    plan: Plan,
    fused: Fused,
    *,
    model: str,
    options: Mapping[str, Value],
    depth: Depth | None = None,
    metadata: int | None = 0,
) -> Picture:
    """The picture that ``fused`` becomes, H×W×1 or H×W×3.

    ``model`` and ``options``: for the provenance. ``depth``: bits a sample, the deepest of the sources where None.
    ``metadata``: index of the source whose EXIF, XMP and profile it bears; None for none, and for no provenance.
    """
    look = plan.looks[plan.reference if metadata is None else metadata]
    is_color = fused.chroma is not None
    icc = plan.profile if is_color == (profile_space(plan.profile) != "GRAY") else None
    kept = Metadata(icc=icc)
    if metadata is not None:
        record = Provenance.of([plan.looks[index].name for index in plan.used], model, options)
        kept = replace(look.metadata, icc=icc, provenance=record, geo=_place(plan))
    picture = Picture(
        _pixels(fused, plan.threads),
        fused.alpha,
        depth=max(plan.looks[index].depth for index in plan.used),
        name=look.name,
        metadata=kept,
        format=look.format,
        levels=look.levels,
    )
    if plan.frame is not None:
        picture = plan.frame.masked(picture)
    picture = undo_range(picture, plan.restored)
    if depth is not None:
        if picture.shown is not None and depth < 32:
            low, high = picture.shown
            plan.remark(f"{picture.name}: {low:g} to {high:g} become black to white in {depth} bits a sample")
        picture = picture.with_depth(depth)
    if picture.depth == 32:
        return picture
    pixels = picture.pixels
    each(lambda rows: to_range(pixels[rows]), strips(*pixels.shape[:2]), plan.threads)
    return picture


def _pixels(fused: Fused, threads: int) -> FloatArray:
    """H×W×1 or H×W×3 of the luminance and the chroma."""
    y, chroma = fused.luminance, fused.chroma
    if chroma is None:
        return y[..., None]
    pixels = np.empty((*y.shape, 3), np.float32)

    def merge(rows: slice) -> None:
        pixels[rows] = merge_luma(y[rows], *(plane[rows] for plane in chroma))

    each(merge, strips(*y.shape), threads)
    return pixels


def _place(plan: Plan) -> GeoTags | None:
    """Where on the map the result lies: as the reference, whichever source its other metadata is of."""
    geo = plan.looks[plan.reference].metadata.geo
    if geo is None or plan.frame is None:
        return geo
    return geo.shifted(plan.frame.area.left, plan.frame.area.top)


def winner_map(plan: Plan, fused: Fused) -> Picture | None:
    """Which source gave the most to every pixel, as grey levels from black, the first, to white, the last."""
    if fused.winner is None:
        return None
    last = np.float32(min(len(plan.looks), 256) - 1)
    levels = np.divide(fused.winner, last, dtype=np.float32)
    return Picture(levels[..., None], name=plan.looks[plan.reference].name)
