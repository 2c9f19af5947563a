"""What a variant computes of the images outside its graph, in NumPy and OpenCV; of this kind, by itself, nothing.

A convolution of a single channel is what neural networks' frameworks are worst at: ONNX Runtime pads it to 16 channels,
PyTorch copies the image five times over, and both take ten times as long as OpenCV's separable filter. So the runtime
calls these filters, while training and the exported graph have the same functions in PyTorch; a test compares them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tita_cli.images.picture import FloatArray

    IndexArray = NDArray[np.signedinteger]


class Filters:
    """Images and planes are H×W float32 in pixels, maps K×h×w in tokens. Works on parts of an image, except where said.

    ``encoder_reach``, ``head_reach``: pixels that the filters before encoder and head see to each side.
    ``after_reach``: tokens that those after the head see. ``has_after``: whether there are any after the head.
    """

    encoder_reach = 0
    head_reach = 0
    after_reach = 0
    has_after = False

    def statistics(self, images: Sequence[FloatArray]) -> FloatArray:
        """Numbers on the whole images, before any padding, for the guidance."""
        return np.empty(0, np.float32)

    def before_encoder(self, image: FloatArray) -> list[FloatArray]:
        """Maps that the shallow convolutions take beside the image."""
        return []

    def before_head(self, images: Sequence[FloatArray]) -> list[FloatArray]:
        """Stacks of planes, K×H×W, that the head takes beside the images."""
        return []

    def summarize(self, planes: Sequence[FloatArray]) -> FloatArray:
        """The head's planes → maps that :meth:`aggregate` takes."""
        return np.empty((0, 0, 0), np.float32)

    def aggregate(self, summary: FloatArray) -> FloatArray:
        """The summary of a whole image or tile → one map h×w for :meth:`after_head`."""
        return np.empty((0, 0), np.float32)

    def after_head(
        self,
        images: Sequence[FloatArray],
        planes: Sequence[FloatArray],
        aggregated: FloatArray,
        guidance: FloatArray,
        inside: tuple[slice, slice],
    ) -> Sequence[FloatArray]:
        """The head's planes → the network's. Images and ``aggregated`` have a token more on each side where there is
        one; ``inside`` says where the planes lie in the images."""
        return planes

    def finish(self, images: Sequence[FloatArray], planes: Sequence[FloatArray], guidance: FloatArray) -> None:
        """Change the network's planes in place, on the whole image, without padding."""


def reflected(positions: IndexArray, length: int) -> IndexArray:
    """Where positions of an axis of ``length`` look when it is reflected at its end, as often as needed."""
    period = max(2 * (length - 1), 1)
    i = positions % period
    return np.minimum(i, period - i)


def padded_part(image: FloatArray, rows: slice, cols: slice) -> FloatArray:
    """A rectangle of an image H×W that is reflected at its bottom and right, as ``pad_to_multiple`` does."""
    h, w = image.shape
    if rows.stop <= h and cols.stop <= w:
        return image[rows, cols]
    places = (reflected(np.arange(s.start, s.stop), n) for s, n in ((rows, h), (cols, w)))
    part: FloatArray = image[np.ix_(*places)]
    return part


@cache
def load_filters(name: str) -> Filters:
    """The filters in ``tita_cli.network.NAME_filters``, or those that do nothing. Raises ``ValueError``."""
    if not name:
        return Filters()
    module = f"tita_cli.network.{name}_filters"
    if not re.fullmatch(r"\w+", name) or find_spec(module) is None:
        raise ValueError(f"no filters {name!r}")
    found = import_module(module).FILTERS
    if not isinstance(found, Filters):
        raise TypeError(f"{module}.FILTERS is none")
    return found
