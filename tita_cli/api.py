"""``fuse``: read → align → fuse → colour → write, as a program calls it and as the commands do."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, BinaryIO, TypeAlias

import numpy as np

from tita_cli.errors import MismatchError, UsageError
from tita_cli.images import Picture, Written, read_picture, write_picture
from tita_cli.images.color import Chroma, fuse_chroma, merge_luma, split_luma
from tita_cli.images.picture import Depth, FloatArray

if TYPE_CHECKING:
    from tita_cli.engine import Engine

Source: TypeAlias = str | os.PathLike[str] | BinaryIO | Picture

DEFAULT_MODEL = "tita-lite"
OPERATIONS = ("high-pass", "add", "multiply")
EVEN = 1 / 6


@dataclass(frozen=True, slots=True)
class Step:
    """One fusion of two pictures: what went in, and OAF's six weights (three for the first, three for the second)."""

    first: str
    second: str
    weights: tuple[float, ...]

    def explain(self) -> str:
        """The weights in words."""
        half = len(OPERATIONS)
        shares = [sum(self.weights[:half]), sum(self.weights[half:])]
        lines = [f"{self.first} + {self.second}"]
        for name, share, own in (
            (self.first, shares[0], self.weights[:half]),
            (self.second, shares[1], self.weights[half:]),
        ):
            parts = ", ".join(f"{op} {w:.3f}" for op, w in zip(OPERATIONS, own, strict=True))
            lines.append(f"  {share:4.0%} features of {name}: {parts}")
        strongest = max(range(len(self.weights)), key=lambda i: self.weights[i])
        name = (self.first, self.second)[strongest // half]
        if max(self.weights) < EVEN * 1.25:
            lines.append("  the operations weigh about the same: nothing in these images asks for one of them")
        else:
            lines.append(f"  what these images ask for most: {OPERATIONS[strongest % half]} on {name}")
        return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class Fusion:
    """The result of :func:`fuse`.

    ``picture``: the fused picture. ``steps``: one for each fusion of two, in the order in which they were done.
    ``engine``: what ran, as ``Engine.describe()`` says. ``notes``: what the user should know (a depth that the format
    cannot hold, a source that was resized).
    """

    picture: Picture
    steps: tuple[Step, ...]
    engine: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def save(self, target: str | os.PathLike[str] | BinaryIO, *, overwrite: bool = False, **options: Any) -> Written:
        """Write the picture; ``options`` and what can go wrong as in :func:`tita_cli.write_picture`."""
        return write_picture(self.picture, target, overwrite=overwrite, **options)

    def explain(self) -> str:
        """OAF's weights for every step, and what they say."""
        return "\n".join(step.explain() for step in self.steps)


@dataclass(frozen=True, slots=True)
class _Layers:
    """A picture on its way through the tree: luminance, chroma (None for grey), alpha, all H×W float32."""

    name: str
    luma: FloatArray
    chroma: Chroma | None
    alpha: FloatArray | None


def fuse(
    sources: Sequence[Source],
    *,
    model: str = DEFAULT_MODEL,
    engine: Engine | None = None,
    resize: bool = False,
    device: str = "auto",
    threads: int | None = None,
) -> Fusion:
    """Fuse two or more images of one scene into one picture.

    ``sources``: paths, open binary files or ``Picture``s, all of the same size unless ``resize`` brings them to the
    first one's. ``model``: a shipped name or a file. ``engine``: one from ``load_engine`` to be used again, instead of
    ``model``, ``device`` and ``threads``.

    More than two sources go through a balanced binary tree in the order given: (1, 2), (3, 4), … are fused, then
    their results, until one is left. Files are read as the tree needs them, so memory grows with the tree's depth, not
    with the number of sources.

    The first source is the reference: its name, metadata and size are the result's. Raises ``UsageError``,
    ``InputError``, ``MismatchError``, ``ModelError``, ``DeviceError``.
    """
    if len(sources) < 2:
        raise UsageError(f"fusing takes at least two images, {len(sources)} given")
    for source in sources:
        if isinstance(source, str | os.PathLike) and not os.path.exists(source):  # noqa: PTH110  (it may be any path-like)
            read_picture(source)  # says what is wrong, before anything is loaded or computed

    def load() -> Engine:
        from tita_cli.engine import load_engine

        return load_engine(model, device=device, threads=threads)

    tree = _Tree(sources, engine, load, resize=resize)
    layers = tree.fuse(0, len(sources))
    pixels = layers.luma[..., None] if layers.chroma is None else merge_luma(layers.luma, *layers.chroma)
    reference = tree.reference
    picture = Picture(
        np.clip(pixels, 0, 1),
        layers.alpha,
        depth=tree.depth,
        name=reference.name,
        metadata=reference.metadata,
    )
    return Fusion(picture, tuple(tree.steps), tree.engine.describe(), tuple(tree.notes))


class _Tree:
    """The balanced tree of fusions, worked depth first.

    The engine is loaded when the first pair has been read: a file that is no image is told at once.
    """

    def __init__(
        self, sources: Sequence[Source], engine: Engine | None, load: Callable[[], Engine], *, resize: bool
    ) -> None:
        self._sources = sources
        self._engine = engine
        self._load = load
        self._resize = resize
        self.steps: list[Step] = []
        self.notes: list[str] = []
        self.depth: Depth = 8
        self.reference: Picture = None  # type: ignore[assignment]  # set by the first leaf, which is read first

    @property
    def engine(self) -> Engine:
        """The engine, loaded on first use."""
        if self._engine is None:
            self._engine = self._load()
        return self._engine

    def fuse(self, start: int, stop: int) -> _Layers:
        """Fuse sources ``start`` … ``stop − 1``; the left half is the larger power of two, so pairs are neighbours."""
        if stop - start == 1:
            return self._leaf(start)
        half = 1 << ((stop - start - 1).bit_length() - 1)
        return self._merge(self.fuse(start, start + half), self.fuse(start + half, stop))

    def _leaf(self, index: int) -> _Layers:
        source = self._sources[index]
        picture = source if isinstance(source, Picture) else read_picture(source)
        if index == 0:
            self.reference = picture
        picture = self._fit(picture)
        self.depth = max(self.depth, picture.depth)
        if not picture.is_color:
            return _Layers(picture.name, picture.pixels[..., 0], None, picture.alpha)
        luma, cb, cr = split_luma(picture.pixels)
        return _Layers(picture.name, luma, Chroma(cb, cr), picture.alpha)

    def _fit(self, picture: Picture) -> Picture:
        reference = self.reference
        if (picture.height, picture.width) == (reference.height, reference.width):
            return picture
        if not self._resize:
            raise MismatchError(
                f"{picture.name} is {picture.size} but {reference.name} is {reference.size}",
                hint="--resize brings all sources to the first one's size",
            )
        from tita_cli.images.resize import resize_picture

        self.notes.append(f"{picture.name}: resized from {picture.size} to {reference.size}")
        return resize_picture(picture, reference.height, reference.width)

    def _merge(self, first: _Layers, second: _Layers) -> _Layers:
        out = self.engine.fuse(first.luma, second.luma)
        self.steps.append(Step(first.name, second.name, tuple(float(w) for w in out.weights)))
        chroma = fuse_chroma(first.chroma, second.chroma, out.gate)
        return _Layers(f"({first.name} + {second.name})", out.fused, chroma, _union(first.alpha, second.alpha))


def _union(first: FloatArray | None, second: FloatArray | None) -> FloatArray | None:
    """Visible where either is; no alpha means opaque everywhere."""
    return None if first is None or second is None else np.maximum(first, second)
