"""``fuse``: read → align → fuse → colour → write, as a program calls it and as the commands do."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from tita_cli.errors import ModelError, UsageError
from tita_cli.fusing.sources import FALSE_COLOR_CHOICES, FalseColor, Look, Preparation, Source, Sources
from tita_cli.fusing.tree import COLOR_CHOICES, OPERATIONS, ColorMode, Layers, Step, Tree
from tita_cli.images import Metadata, Picture, Written, write_picture
from tita_cli.images.color import merge_luma
from tita_cli.images.picture import Depth
from tita_cli.images.profile import common_profile, to_profile
from tita_cli.images.provenance import Provenance, Value
from tita_cli.images.value_range import RangeSetting, undo_range

if TYPE_CHECKING:
    from tita_cli.align import Border, Mode, Placement, Rig, RigLike
    from tita_cli.engine import Engine

__all__ = ["DEFAULT_MODEL", "OPERATIONS", "Fusion", "Step", "fuse"]

DEFAULT_MODEL = "tita-lite"


@dataclass(frozen=True, slots=True)
class Fusion:
    """The result of :func:`fuse`.

    ``picture``: the fused picture. ``steps``: one for each fusion of two, in the order in which they were done.
    ``engine``: what ran, as ``Engine.describe()`` says. ``notes``: what the user should know (a range that was
    mapped, a source that was resized). ``winners``: a picture whose grey levels say which source gave the most to
    every pixel, evenly spaced from black, the first, to white, the last; None for a network without a gate.
    ``placements``: how alignment placed the sources, in the order given; empty where it was switched off.
    """

    picture: Picture
    steps: tuple[Step, ...]
    engine: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    winners: Picture | None = None
    placements: tuple[Placement, ...] = ()

    def save(self, target: str | os.PathLike[str] | BinaryIO, *, overwrite: bool = False, **options: Any) -> Written:
        """Write the picture; ``options`` and what can go wrong as in :func:`tita_cli.write_picture`."""
        return write_picture(self.picture, target, overwrite=overwrite, **options)

    def save_winners(self, target: str | os.PathLike[str], *, overwrite: bool = False) -> Written:
        """Write which source won where. Raises ``ModelError`` where the network does not tell."""
        if self.winners is None:
            raise ModelError("this network has no gate that says which source won where", hint="--model tita-lite has")
        return write_picture(self.winners, target, overwrite=overwrite)

    def explain(self) -> str:
        """OAF's weights for every step, and what they say."""
        return "\n".join(step.explain() for step in self.steps)


def fuse(
    sources: Sequence[Source],
    *,
    model: str = DEFAULT_MODEL,
    engine: Engine | None = None,
    device: str = "auto",
    backend: str = "auto",
    provider: str | None = None,
    precision: str = "fp32",
    threads: int | None = None,
    memory: int | None = None,
    resize: bool = False,
    page: int | None = None,
    max_pixels: int | None = None,
    value_range: RangeSetting = "auto",
    invert: Collection[int] = (),
    false_color: FalseColor = "refuse",
    align: Mode = "auto",
    reference: int = 0,
    border: Border = "crop",
    align_from: RigLike | None = None,
    deghost: bool = False,
    color: ColorMode = "auto",
    depth: Depth | None = None,
    metadata: int | None = 0,
) -> Fusion:
    """Fuse two or more images of one scene into one picture.

    ``sources``: paths, open binary files or ``Picture``s, of one size unless ``resize`` or
    alignment brings them to the reference's.
    ``model``: a shipped name or a file; ``engine``: one from ``load_engine`` to be used again, instead of ``model``
    and of ``device``, ``backend``, ``provider``, ``precision``, ``threads`` and ``memory``: see ``load_engine``.
    ``page``: of files with several pictures. ``value_range``: which values become black and
    white (``tita_cli.images.value_range``). ``invert``: indices of sources of inverted polarity. ``false_color``: what
    becomes of infrared that a palette has coloured. ``align``: how the sources come into the frame of the one with the
    index ``reference``, and ``border`` what becomes of places that not all show (``tita_cli.align.align_pictures``);
    registered sources keep their pixels. ``align_from``: transforms to apply instead, a file that ``tita calibrate``
    wrote or its content. ``deghost``: what does not fit the reference, in its own exposure, gives way to it.
    ``color``: "auto" lets chroma follow the network's gate where that
    has decided, "reference" is the published rule, "grey" drops colour. ``depth``: bits a sample of the result, the
    deepest of the sources where None. ``metadata``: index of the source whose EXIF, XMP and profile the result bears;
    None for none.

    More than two sources go through a balanced binary tree, ordered by what they show and not by how they were given:
    colour before grey, then from bright to dark, so that neighbours in brightness meet first and the same images give
    the same picture in any order. Files are read as the tree needs them.

    Raises ``UsageError``, ``InputError``, ``MismatchError``, ``ModelError``, ``DeviceError``.
    """
    _check_choices(color, false_color, metadata, len(sources))
    _check_alignment(align, reference, border, len(sources))
    rig = None if align_from is None else _rig(align_from, align)
    preparation = Preparation(
        resize, page, max_pixels, value_range, frozenset(invert), false_color, align, reference, border, rig, deghost
    )
    engine_of = _loading(engine, model, device, backend, provider, precision, threads, memory)
    given = Sources(sources, preparation)
    order = sorted(range(len(given)), key=lambda index: _rank(given.looks[index]))
    base = given.raw(reference if metadata is None else metadata)
    first_color = next((i for i, look in enumerate(given.looks) if look.has_chroma), None)
    profile = common_profile(base, None if first_color is None else given.raw(first_color))
    depths: list[Depth] = []

    def leaf(index: int) -> Picture:
        picture = given.picture(index)
        depths.append(picture.depth)
        return to_profile(picture, profile)

    tree = Tree(leaf, order, engine_of, color)
    layers = tree.fuse()
    options: dict[str, Value] = {
        "color": color,
        "range": _range_text(value_range),
        "false_color": false_color,
        "resize": resize,
        "align": align if rig is None else rig.name,
        "deghost": deghost,
    }
    record = Provenance.of([look.name for look in given.looks], model, options)
    kept = base.metadata if metadata is not None else Metadata()
    icc = profile if (layers.chroma is not None) == _is_rgb(profile) else None
    picture = Picture(
        layers.luma[..., None] if layers.chroma is None else merge_luma(layers.luma, *layers.chroma),
        layers.alpha,
        depth=depth or max(depths),
        name=base.name,
        metadata=replace(kept, icc=icc, provenance=record if metadata is not None else None),
        format=base.format,
        levels=base.levels,
    )
    if given.frame is not None:
        picture = given.frame.masked(picture)
    if given.shared is not None:
        picture = undo_range(picture, given.shared)
    if picture.depth != 32:
        picture = replace(picture, pixels=np.clip(picture.pixels, 0, 1))
    winners = _winners(layers, len(given), base.name)
    placements = () if given.frame is None else given.frame.placements
    return Fusion(picture, tuple(tree.steps), tree.engine.describe(), tuple(given.notes), winners, placements)


def _loading(engine: Engine | None, model: str, *where: Any) -> Callable[[], Engine]:
    """What waits for the engine, which loads while the sources are read, and says what went wrong with it."""
    if engine is not None:
        return lambda: engine
    names = ("device", "backend", "provider", "precision", "threads", "memory")

    def load() -> Engine:
        from tita_cli.engine import load_engine

        return load_engine(model, **dict(zip(names, where, strict=True)))

    return ThreadPoolExecutor(1, "tita-load").submit(load).result


def _rank(look: Look) -> tuple[bool, float, float]:
    """Colour first, then bright before dark: the order A, B in which the network was trained."""
    return (not look.has_chroma, -look.brightness, -look.contrast)


def _range_text(value_range: RangeSetting) -> str:
    return value_range if isinstance(value_range, str) else f"{value_range[0]:g},{value_range[1]:g}"


def _is_rgb(icc: bytes | None) -> bool:
    from tita_cli.images.profile import profile_space

    return profile_space(icc) != "GRAY"


def _winners(layers: Layers, count: int, name: str) -> Picture | None:
    if layers.winner is None:
        return None
    return Picture(layers.winner.astype(np.float32)[..., None] / np.float32(min(count, 256) - 1), name=name)


def _check_choices(color: str, false_color: str, metadata: int | None, count: int) -> None:
    if color not in COLOR_CHOICES:
        raise UsageError(f"unknown colour mode {color!r}", hint=f"one of {', '.join(COLOR_CHOICES)}")
    if false_color not in FALSE_COLOR_CHOICES:
        raise UsageError(f"unknown treatment of false colour {false_color!r}", hint=", ".join(FALSE_COLOR_CHOICES))
    if metadata is not None and not 0 <= metadata < count:
        raise UsageError(f"there is no source {metadata + 1} to take metadata from, {count} are given")


def _rig(align_from: RigLike, align: str) -> Rig:
    from tita_cli.align import Rig

    if align not in ("auto", "strict"):
        raise UsageError(f"--align {align} and --align-from exclude each other")
    return Rig.of(align_from)


def _check_alignment(align: str, reference: int, border: str, count: int) -> None:
    from tita_cli.align.modes import BORDERS, MODES

    if align not in MODES:
        raise UsageError(f"unknown alignment {align!r}", hint=f"one of {', '.join(MODES)}")
    if border not in BORDERS:
        raise UsageError(f"unknown border {border!r}", hint=f"one of {', '.join(BORDERS)}")
    if not 0 <= reference < count:
        raise UsageError(f"there is no source {reference + 1} to be the reference, {count} are given")
