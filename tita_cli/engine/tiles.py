"""Run a network on an image of any size, in one piece or in tiles: exactly the same picture, in bounded memory.

A network has two halves, before and after OAF's pooling over the whole image. In tiles, a first pass runs the first
half on all of them and sums up what OAF pools; a second pass runs both halves with the guidance that follows. A tile is
cut with as much around it as its inside sees (``Geometry.encode_halo``, ``decode_halo``), on the grid of the windows:
nothing is blended, and nothing differs but the order in which numbers are added up.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

from tita_cli.engine.afar import tones
from tita_cli.engine.box import Box, padded_part
from tita_cli.engine.geometry import Geometry
from tita_cli.engine.patches import parts
from tita_cli.engine.salience import lift_salient
from tita_cli.errors import DeviceError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tita_cli.images.picture import FloatArray

    DoubleArray = NDArray[np.float64]

SMALLEST = 2
"""Windows to the side of the smallest tile."""


class OutOfMemoryError(DeviceError):
    """The device has no memory left for a piece of this size: a smaller one may do."""


class Halves(Protocol):
    """A network's two halves on images H×W float32 whose sides are multiples of ``geometry.multiple``."""

    geometry: Geometry

    def encode(self, a: FloatArray, b: FloatArray, keep: Box) -> Any:
        """The features of both sources within ``keep``. Raises ``OutOfMemoryError``."""
        ...

    def pool(self, features: Any) -> DoubleArray:
        """The sum of each of the 2C channels over ``features``, float64."""
        ...

    def weigh(self, pooled: FloatArray) -> FloatArray:
        """The mean of each channel, 2C float32, and with a gate the sources' tones → guidance, OAF's weights first."""
        ...

    def decode(
        self, a: FloatArray, b: FloatArray, features: Any, guidance: FloatArray
    ) -> tuple[FloatArray, FloatArray | None]:
        """Images, their features and the guidance → the picture and its gate, H×W. The features are used up.

        Raises ``OutOfMemoryError``.
        """
        ...

    def bytes_for(self, pixels: int) -> int:
        """Memory that it takes to run both halves on as many pixels, roughly and rather too much."""
        ...

    def free_memory(self) -> int:
        """Bytes that there are for it, leaving something for others."""
        ...

    def keep_within(self, budget: int) -> None:
        """From now on work in ``budget`` bytes, as far as that is a matter of how much is done at a time."""
        ...

    def describe(self) -> dict[str, Any]:
        """What runs where, in words fit for JSON."""
        ...


class Planes(NamedTuple):
    """The picture H×W, its gate, and the weights it was made with."""

    fused: FloatArray
    gate: FloatArray | None
    weights: FloatArray


def largest_tile(halves: Halves, shape: tuple[int, int], budget: int) -> int | None:
    """Windows to the side of the largest tiles that keep within ``budget`` bytes; None where the image does as a whole.

    Never less than ``SMALLEST``, however little memory there is.
    """
    geometry = halves.geometry
    rows, cols = (-(-length // geometry.multiple) for length in shape)
    if halves.bytes_for(rows * cols * geometry.multiple**2) <= budget:
        return None
    around = 2 * (geometry.encode_halo + geometry.decode_halo)
    side = SMALLEST
    while (
        side < max(rows, cols)
        and halves.bytes_for(min(side + 1 + around, rows) * min(side + 1 + around, cols) * geometry.multiple**2)
        <= budget
    ):
        side += 1
    return side


def run(halves: Halves, a: FloatArray, b: FloatArray, side: int | None) -> Planes:
    """Fuse two luminances H×W in tiles of ``side`` windows, or as a whole."""
    geometry = halves.geometry
    step = geometry.multiple
    rows, cols = (-(-length // step) for length in a.shape)
    whole = Box(0, rows, 0, cols)
    seen = tones(a, b, step)[: geometry.tones] if geometry.has_gate else np.empty(0)
    if side is None or side >= max(rows, cols):
        images = (padded_part(a, whole.scaled(step)), padded_part(b, whole.scaled(step)))
        features = halves.encode(*images, whole)
        guidance = halves.weigh(_pooled(halves.pool(features), whole, seen))
        fused, gate = halves.decode(*images, features, guidance)
        h, w = a.shape
        return _finished(halves, a, b, fused[:h, :w], None if gate is None else gate[:h, :w], guidance)

    pooled = np.zeros(2 * geometry.dim)
    for core in _cores(rows, cols, side):
        _, features = _encode(halves, a, b, core, 0)
        pooled += halves.pool(features)
        del features  # before the next tile's are made
    guidance = halves.weigh(_pooled(pooled, whole, seen))
    fused = np.empty(a.shape, np.float32)
    gate = np.empty(a.shape, np.float32) if geometry.has_gate else None
    for core in _cores(rows, cols, side):
        kept, features = _encode(halves, a, b, core, geometry.decode_halo)
        images = (padded_part(a, kept.scaled(step)), padded_part(b, kept.scaled(step)))
        planes = halves.decode(*images, features, guidance)
        del features
        place, inside = core.scaled(step).slices, core.seen_from(kept).scaled(step).slices
        for target, plane in zip((fused, gate), planes, strict=True):
            if target is not None and plane is not None:
                part = target[place]
                part[...] = plane[inside][: part.shape[0], : part.shape[1]]
    return _finished(halves, a, b, fused, gate, guidance)


def _finished(
    halves: Halves, a: FloatArray, b: FloatArray, fused: FloatArray, gate: FloatArray | None, guidance: FloatArray
) -> Planes:
    if gate is not None and halves.geometry.heeds:
        lift_salient(a, b, fused, gate, float(guidance[-3]))
    return Planes(fused, gate, guidance[:6])


def _encode(halves: Halves, a: FloatArray, b: FloatArray, core: Box, around: int) -> tuple[Box, Any]:
    """Exact features of a tile and ``around`` windows more, and where these lie."""
    geometry = halves.geometry
    rows, cols = (-(-length // geometry.multiple) for length in a.shape)
    kept = core.grown(around, rows, cols)
    seen = kept.grown(geometry.encode_halo, rows, cols)
    part_a, part_b = (padded_part(image, seen.scaled(geometry.multiple)) for image in (a, b))
    return kept, halves.encode(part_a, part_b, kept.seen_from(seen))


def _pooled(sums: DoubleArray, whole: Box, seen: DoubleArray) -> FloatArray:
    """What guidance is read off: the channels' means and, for a network that blends, the tones."""
    tokens = math.prod(stop.stop for stop in whole.slices) * 64
    return np.concatenate((sums / tokens, seen)).astype(np.float32)


def _cores(rows: int, cols: int, side: int) -> Iterator[Box]:
    """Tiles of at most ``side`` windows a side, about equal."""
    for top, bottom in parts(rows, side):
        for left, right in parts(cols, side):
            yield Box(top, bottom, left, right)
