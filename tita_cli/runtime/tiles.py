"""Run a network on images of any size, whole or in tiles: exactly the same result, in bounded memory.

A network is an encoder and a decoder, with OAF's pooling over the whole image between them. In tiles, a first pass runs
the encoder on all of them and sums up what is pooled; a second pass runs both with the weights that follow. A tile is
cut with as much around it as its inside sees (``Spec.encode_halo``, ``Spec.decode_halo``), on the grid of the windows:
nothing is blended, and nothing differs but the order in which numbers are added up.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

from tita_cli.errors import DeviceError
from tita_cli.network.spec import WINDOW, Spec
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
        """The mean of each channel → OAF's weights."""
        ...

    def decode(self, features: Any, weights: FloatArray) -> FloatArray:
        """Features, which are used up, and OAF's weights → luminance. Raises ``OutOfMemoryError``."""
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


class Fused(NamedTuple):
    """Luminance H×W, not clipped, and OAF's weights."""

    luminance: FloatArray
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


def run(runner: Runner, images: Sequence[FloatArray], side: int | None) -> Fused:
    """Fuse luminances H×W in tiles of ``side`` windows to a side, or as a whole."""
    spec, (height, width) = runner.spec, images[0].shape
    rows, cols = (-(-length // spec.multiple) for length in (height, width))
    tiles = [Rectangle(0, rows, 0, cols)] if side is None else list(rectangles(rows, cols, side, side))
    if len(tiles) == 1:
        features = _encode(runner, images, tiles[0], rows, cols)
        weights = _weigh(runner, runner.pool(features), rows * cols)
        return Fused(runner.decode(features, weights)[:height, :width], weights)
    sums = np.zeros(len(images) * spec.dim)
    for core in tiles:
        features = _encode(runner, images, core, rows, cols)
        sums += runner.pool(features)
        del features  # before the next tile's are made
    weights = _weigh(runner, sums, rows * cols)
    fused = np.empty((height, width), np.float32)
    for core in tiles:
        around = core.grown(spec.decode_halo, rows, cols)
        features = _encode(runner, images, around, rows, cols)
        part = runner.decode(features, weights)
        del features
        target = fused[core.scaled(spec.multiple).slices]
        inside = core.relative_to(around).scaled(spec.multiple).slices
        target[...] = part[inside][: target.shape[0], : target.shape[1]]
    return Fused(fused, weights)


def _weigh(runner: Runner, sums: DoubleArray, windows: int) -> FloatArray:
    return runner.weigh((sums / (windows * WINDOW**2)).astype(np.float32))


def _encode(runner: Runner, images: Sequence[FloatArray], kept: Rectangle, rows: int, cols: int) -> Any:
    """Exact features of a rectangle of windows."""
    seen = kept.grown(runner.spec.encode_halo, rows, cols)
    return runner.encode(_parts(runner.spec, images, seen), kept.relative_to(seen))


def _parts(spec: Spec, images: Sequence[FloatArray], windows: Rectangle) -> list[FloatArray]:
    return [_padded(image, *windows.scaled(spec.multiple).slices) for image in images]


def _padded(image: FloatArray, rows: slice, cols: slice) -> FloatArray:
    """A rectangle of an image H×W that is reflected at its bottom and right as often as needed."""
    h, w = image.shape
    if rows.stop <= h and cols.stop <= w:
        return image[rows, cols]
    places = (_reflected(np.arange(s.start, s.stop), n) for s, n in ((rows, h), (cols, w)))
    part: FloatArray = image[np.ix_(*places)]
    return part


def _reflected(positions: NDArray[np.signedinteger], length: int) -> NDArray[np.signedinteger]:
    """Where positions of an axis of ``length`` look: NumPy's form of ``network.layout.reflect_index``."""
    period = max(2 * (length - 1), 1)
    i = positions % period
    return np.asarray(np.minimum(i, period - i))
