"""``Fusion``: what a fusion gives."""

from __future__ import annotations

import io
import os
from dataclasses import dataclass, field, replace
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
import numpy.typing as npt

from tita_cli.errors import ModelError
from tita_cli.fusion.strategy import Step
from tita_cli.images import Picture, Written, write_picture
from tita_cli.images.quantize import quantize

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Tensor

    from tita_cli.align import Placement

_NAMED = 4  # sources that a sentence names
_LEAST = 0.005  # share of one that it names
_SHOWN = 1600  # pixels of width or height in a notebook


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

    def __repr__(self) -> str:
        of = f" of {', '.join(self.sources)}" if self.sources else ""
        return f"<Fusion{of}: {self.picture.size}, {self.picture.depth} bits>"

    @property
    def array(self) -> npt.NDArray[Any]:
        """H×W, H×W×3, or with alpha last H×W×2 or H×W×4: uint8, uint16 or float32, as deep as the deepest source."""
        picture = self.picture
        pixels = picture.pixels if picture.alpha is None else np.dstack([picture.pixels, picture.alpha])
        samples = quantize(pixels, picture.depth)
        return samples[..., 0] if samples.shape[2] == 1 else samples

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> npt.NDArray[Any]:
        """So that ``np.asarray(fusion)`` is :attr:`array`."""
        return np.asarray(self.array, dtype)

    def to_pil(self) -> Image:
        """A Pillow image: L, RGB or with alpha of 8 bits; I;16 for grey of 16. Deeper colour is rounded to 8."""
        from PIL import Image

        grey_of_16 = self.picture.depth == 16 and not self.picture.is_color and self.picture.alpha is None
        if self.picture.depth == 8 or grey_of_16:
            return Image.fromarray(self.array)
        return replace(self, picture=self.picture.with_depth(8)).to_pil()

    def to_tensor(self) -> Tensor:
        """A PyTorch tensor, C×H×W float32, nominally in 0..1."""
        import torch

        return torch.from_numpy(np.ascontiguousarray(self.picture.pixels.transpose(2, 0, 1)))

    def _repr_png_(self) -> bytes:
        """What a notebook shows: 8 bits, at most 1600 pixels wide or high."""
        image, file = self.to_pil(), io.BytesIO()
        image.thumbnail((_SHOWN, _SHOWN))
        image.save(file, "png")
        return file.getvalue()

    def save(self, target: str | os.PathLike[str] | BinaryIO, *, overwrite: bool = False, **options: Any) -> Written:
        """Write the picture; ``options`` and errors as in :func:`tita_cli.write_picture`."""
        return write_picture(self.picture, target, overwrite=overwrite, **options)

    def save_winners(self, target: str | os.PathLike[str], *, overwrite: bool = False) -> Written:
        """Write which source gave the most where. Raises ModelError where the network does not say."""
        if self.winners is None:
            raise ModelError("this network has no gate that says which source won where", hint="`model` tita-lite has")
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
        short = [PurePath(name).name or name for _, name in shares]
        if len(set(short)) == len(short):
            shares = [(share, name) for (share, _), name in zip(shares, short, strict=True)]
        ranked = sorted(shares, key=lambda one: -one[0])
        shown = max(1, sum(share >= _LEAST for share, _ in ranked[:_NAMED]))
        named = [f"{name} ({share:.0%})" for share, name in ranked[:shown]]
        if rest := ranked[shown:]:
            others = rest[0][1] if len(rest) == 1 else f"{len(rest)} others"
            part = sum(share for share, _ in rest)
            named.append(f"{others} ({'under 1%' if part < _LEAST else format(part, '.0%')})")
        return f"Detail comes from {', '.join(named[:-1])} and {named[-1]}, in each place from what shows most there."
