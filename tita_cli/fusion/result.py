"""``Fusion``: what a fusion gives."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from tita_cli.errors import ModelError
from tita_cli.fusion.strategy import Step
from tita_cli.images import Picture, Written, write_picture

if TYPE_CHECKING:
    from tita_cli.align import Placement

_NAMED = 4  # sources that a sentence names


@dataclass(frozen=True, slots=True)
class Fusion:
    """The result of :func:`tita_cli.fuse`.

    ``picture``: the fused picture. ``steps``: the runs of the network, in their order, with its weights for every
    source of each. ``engine``: what ran, as ``Engine.describe()`` has it. ``notes``: what the user should know (a range
    that was mapped, a source that was resized). ``winners``: a picture whose grey levels say which source gave the most
    to every pixel, evenly spaced from black, the first, to white, the last; None for a network without a gate.
    ``placements``: how alignment placed the sources, in the order given; empty where it was switched off.
    ``alignment``: what it did, in one line; None where nothing moved. ``sources``: their names, in the order given.
    """

    picture: Picture
    steps: tuple[Step, ...]
    engine: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    winners: Picture | None = None
    placements: tuple[Placement, ...] = ()
    alignment: str | None = None
    sources: tuple[str, ...] = ()

    def save(self, target: str | os.PathLike[str] | BinaryIO, *, overwrite: bool = False, **options: Any) -> Written:
        """Write the picture; ``options`` and errors as in :func:`tita_cli.write_picture`."""
        return write_picture(self.picture, target, overwrite=overwrite, **options)

    def save_winners(self, target: str | os.PathLike[str], *, overwrite: bool = False) -> Written:
        """Write which source gave the most where. Raises ModelError where the network does not say."""
        if self.winners is None:
            raise ModelError("this network has no gate that says which source won where", hint="--model tita-lite has")
        return write_picture(self.winners, target, overwrite=overwrite)

    def explain(self) -> str:
        """What the picture takes from which source, in a sentence."""
        last = self.steps[-1].sources
        if len(self.steps) == 1 and all(source.part is not None for source in last):
            shares = [(source.part or 0.0, source.name) for source in last]
        elif self.winners is not None:
            which = np.rint(self.winners.pixels * (min(len(self.sources), 256) - 1)).astype(np.int64)
            counts = np.bincount(which.ravel(), minlength=len(self.sources)) / which.size
            shares = list(zip(counts.tolist(), self.sources, strict=False))
        else:
            return "The network weighs " + ", ".join(f"{one.name} {sum(one.values):.0%}" for one in last) + "."
        ranked = sorted(shares, key=lambda one: -one[0])
        named = [f"{name} ({share:.0%})" for share, name in ranked[:_NAMED]]
        if rest := ranked[_NAMED:]:
            named.append(f"{len(rest)} others ({sum(share for share, _ in rest):.0%})")
        return f"Detail comes from {', '.join(named[:-1])} and {named[-1]}, in each place from what shows most there."
