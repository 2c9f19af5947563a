"""Run a network on images of any size, whole or in tiles: exactly the same result, in bounded memory.

A network is an encoder and a decoder, with OAF's pooling over the whole image between them. In tiles, a first pass runs
the encoder on all of them and sums up what is pooled; a second pass runs both with the guidance that follows. A tile is
cut with as much around it as its inside sees (``Spec.encode_halo``, ``Spec.decode_halo``), on the grid of the windows:
nothing is blended, and nothing differs but the order in which numbers are added up.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

from tita_cli.errors import DeviceError
from tita_cli.network.filters import load_filters, padded_part
from tita_cli.network.spec import WEIGHTS, WINDOW, Spec
from tita_cli.runtime.rectangle import Rectangle, rectangles

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tita_cli.images.picture import FloatArray

    DoubleArray = NDArray[np.float64]

SMALLEST = 2
"""Windows to the side of the smallest tile."""


class OutOfMemoryError(DeviceError):
    """The device has no memory left for a part of this size: a smaller one may do."""


class Runner(Protocol):
    """A network's encoder and decoder on images H×W float32 whose sides are multiples of ``spec.multiple``."""

    spec: Spec

    def encode(self, images: Sequence[FloatArray], keep: Rectangle) -> Any:
        """The features of all images within ``keep``, in windows. Raises ``OutOfMemoryError``."""
        ...

    def pool(self, features: Any) -> DoubleArray:
        """The sum of each channel of each image's features, float64."""
        ...

    def weigh(self, pooled: FloatArray) -> FloatArray:
        """The mean of each channel, and the statistics of the images behind them → guidance."""
        ...

    def decode(self, images: Sequence[FloatArray], features: Any, guidance: FloatArray) -> list[FloatArray]:
        """Images, their features, which are used up, and guidance → ``spec.planes``. Raises ``OutOfMemoryError``."""
        ...

    def bytes_for(self, pixels: int) -> int:
        """Memory that encoder and decoder take for so many pixels, roughly and rather too much."""
        ...

    def free_memory(self) -> int:
        """Bytes that there are for it, leaving something for others."""
        ...

    def keep_within(self, budget: int) -> None:
        """From now on work in ``budget`` bytes, as far as that depends on how much is done at a time."""
        ...

    def describe(self) -> dict[str, Any]:
        """What runs where, fit for JSON."""
        ...


class Planes(NamedTuple):
    """The planes that ``Spec.planes`` names, H×W each, and OAF's weights."""

    planes: list[FloatArray]
    weights: FloatArray


def largest_tile(runner: Runner, shape: tuple[int, int], budget: int) -> int | None:
    """Windows to the side of the largest tiles that keep within ``budget`` bytes; None where the whole image does.

    Where not even tiles of ``SMALLEST`` do, the largest that take no more than those. In a small image that is the
    whole, which a tile and its halo fill anyway: cutting it would save no memory and do the same work for every tile.
    """
    spec = runner.spec
    rows, cols = (-(-length // spec.multiple) for length in shape)
    budget = max(budget, tile_bytes(runner, shape, SMALLEST))
    if tile_bytes(runner, shape, max(rows, cols)) <= budget:
        return None
    side = SMALLEST
    while tile_bytes(runner, shape, side + 1) <= budget:
        side += 1
    return side


def tile_bytes(runner: Runner, shape: tuple[int, int], side: int) -> int:
    """Memory that a tile of ``side`` windows takes with its halo, as far as an image of ``shape`` goes."""
    step, halo = runner.spec.multiple, 2 * (runner.spec.encode_halo + runner.spec.decode_halo)
    rows, cols = (min(side + halo, -(-length // step)) for length in shape)
    return runner.bytes_for(rows * cols * step**2)


def run(runner: Runner, images: Sequence[FloatArray], side: int | None) -> Planes:
    """Fuse luminances H×W in tiles of ``side`` windows to a side, or as a whole."""
    spec, (height, width) = runner.spec, images[0].shape
    filters = load_filters(spec.filters)
    rows, cols = (-(-length // spec.multiple) for length in (height, width))
    statistics = filters.statistics(images)
    tokens = rows * cols * WINDOW**2

    def guidance(sums: DoubleArray) -> FloatArray:
        return runner.weigh(np.concatenate((sums / tokens, statistics)).astype(np.float32))

    if side is None or side >= max(rows, cols):
        whole = Rectangle(0, rows, 0, cols)
        padded = _parts(spec, images, whole)
        features = runner.encode(padded, whole)
        guide = guidance(runner.pool(features))
        planes = [plane[:height, :width] for plane in runner.decode(padded, features, guide)]
    else:
        guide = guidance(_pool_tiles(runner, images, rows, cols, side))
        planes = _decode_tiles(runner, images, rows, cols, side, guide)
    filters.finish(images, planes, guide)
    return Planes(planes, guide[:WEIGHTS])


def _pool_tiles(runner: Runner, images: Sequence[FloatArray], rows: int, cols: int, side: int) -> DoubleArray:
    sums = np.zeros(len(images) * runner.spec.dim)
    for core in rectangles(rows, cols, side, side):
        features = _encode(runner, images, core, rows, cols)
        sums += runner.pool(features)
        del features  # before the next tile's are made
    return sums


def _decode_tiles(
    runner: Runner, images: Sequence[FloatArray], rows: int, cols: int, side: int, guidance: FloatArray
) -> list[FloatArray]:
    spec = runner.spec
    planes = [np.empty(images[0].shape, np.float32) for _ in spec.planes]
    for core in rectangles(rows, cols, side, side):
        around = core.grown(spec.decode_halo, rows, cols)
        features = _encode(runner, images, around, rows, cols)
        parts = runner.decode(_parts(spec, images, around), features, guidance)
        del features
        place, inside = core.scaled(spec.multiple).slices, core.relative_to(around).scaled(spec.multiple).slices
        for plane, part in zip(planes, parts, strict=True):
            target = plane[place]
            target[...] = part[inside][: target.shape[0], : target.shape[1]]
    return planes


def _encode(runner: Runner, images: Sequence[FloatArray], kept: Rectangle, rows: int, cols: int) -> Any:
    """Exact features of a rectangle of windows."""
    seen = kept.grown(runner.spec.encode_halo, rows, cols)
    return runner.encode(_parts(runner.spec, images, seen), kept.relative_to(seen))


def _parts(spec: Spec, images: Sequence[FloatArray], windows: Rectangle) -> list[FloatArray]:
    return [padded_part(image, *windows.scaled(spec.multiple).slices) for image in images]
