"""Networks for sets: any number of sources at a reduced size, in one piece. What they decide is applied elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from tita_cli.errors import UsageError

if TYPE_CHECKING:
    import numpy.typing as npt

    from tita_cli.images.picture import FloatArray
    from tita_cli.network.spec import Spec


BYTES_A_PIXEL = 120
"""Memory of a network for a pixel of each source that it sees, roughly and rather too much."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What a network says of N sources of H×W, all float32.

    ``shares``: for each level of a Laplacian pyramid, fine to coarse and the base last, N×⌈H/2^l⌉×⌈W/2^l⌉ in 0..1 that
    sum to 1 over the sources. ``gains``: the same around 0 for the finer levels: what a source adds of its detail
    beyond its share. ``direct``: h×w in 0..1, how far the finest shares apply to the sources themselves, not to their
    bands. ``weights``: N×3, OAF's, of sum 1.
    """

    shares: tuple[FloatArray, ...]
    gains: tuple[FloatArray, ...]
    direct: FloatArray
    weights: FloatArray

    def winner(self) -> npt.NDArray[np.uint16]:
        """H×W: the source with the largest share of the finest level, the first of equal ones."""
        first, *others = self.shares[0]
        best, most = np.zeros(first.shape, np.uint16), first.copy()
        for index, share in enumerate(others, 1):
            best[share > most] = index
            np.maximum(most, share, out=most)
        return best


class SetRunner(Protocol):
    """A loaded network for sets."""

    spec: Spec

    def run(self, images: FloatArray, hidden: FloatArray, role: FloatArray, /) -> list[FloatArray]:
        """N×H×W, N×2×H/4×W/4 and N → the shares of each level and the gains, N×h×w each, 1×h×w, OAF's weights N×3."""
        ...

    def describe(self) -> dict[str, Any]:
        """What runs, fit for JSON."""
        ...


def described(spec: Spec, ran: dict[str, Any], notes: tuple[str, ...], memory: int | None) -> dict[str, Any]:
    """What an engine says of itself; ``ran`` has ``needs`` where the last run took more than ``memory``."""
    if "needs" in ran:
        most = "is free" if memory is None else f"`memory` allows ({memory / (1 << 20):.0f} MiB)"
        notes = (*notes, f"the network takes about {ran['needs'] / (1 << 20):.0f} MiB, more than {most}")
    return {"variant": spec.variant, **ran, **({"notes": list(notes)} if notes else {})}


class SetEngine:
    """A loaded network for sets. Use it as often as you like, from one thread at a time.

    It sees a fixed number of pixels in one piece, so that a result does not depend on ``memory``, in bytes: where that
    is too little, :meth:`describe` says so, and a note.
    """

    def __init__(self, runner: SetRunner, *, memory: int | None = None, notes: tuple[str, ...] = ()) -> None:
        if memory is not None and memory < 1:
            raise UsageError(f"an engine cannot work in {memory} bytes")
        self._runner, self._memory, self._notes = runner, memory, notes
        self._ran: dict[str, Any] = {}

    @property
    def spec(self) -> Spec:
        """What the network declares of itself."""
        return self._runner.spec

    def decide(self, images: FloatArray, hidden: FloatArray, role: FloatArray | None = None) -> Decision:
        """``images``: luminance N×H×W in 0..1, N ≥ 2, sides multiples of ``spec.multiple``. ``hidden``: N×2×H/4×W/4,
        how strong the detail is that a reduction from full size has hidden (``tita_cli.fusion.coarse``). ``role``: N,
        1 for what is known to be a photograph, -1 for what is known to be infrared, 0 for the others."""
        if images.ndim != 3 or len(images) < 2 or any(side % self.spec.multiple for side in images.shape[1:]):
            raise UsageError(f"this engine takes N×H×W, H and W multiples of {self.spec.multiple}, not {images.shape}")
        needed = images.size * BYTES_A_PIXEL
        self._ran = {"needs": needed} if self._memory is not None and needed > self._memory else {}
        known = np.zeros(len(images), np.float32) if role is None else np.asarray(role, np.float32)
        *maps, direct, weights = self._runner.run(np.ascontiguousarray(images, np.float32), hidden, known)
        levels = next(k for k, plane in enumerate(maps) if k and plane.shape[1] >= maps[k - 1].shape[1])
        return Decision(tuple(maps[:levels]), tuple(maps[levels:]), direct[0], weights)

    def describe(self) -> dict[str, Any]:
        """What runs, fit for JSON: variant, back end, device, precision; ``needs``: bytes that the network took for the
        last set, where that is more than the engine was given."""
        return described(self.spec, self._runner.describe() | self._ran, self._notes, self._memory)
