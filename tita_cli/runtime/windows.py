"""Feature maps as windows of channels × tokens: the layout in which a block is worked on chunk by chunk.

A map C×H×W becomes (H/8)×(W/8)×C×64. A window's 64 tokens are its four quadrants of 4×4, one after the other, so that
a window shifted by half a window is four whole quadrants of its neighbours: nothing finer than 16 numbers is moved.
Channels stand before tokens because a linear layer is then one matrix times each window, sums over channels run over
contiguous rows, and a head's queries and keys need no transposing.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise, product
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from tita_cli.network.spec import WINDOW
from tita_cli.runtime.rectangle import Rectangle

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tita_cli.images.picture import FloatArray

    IndexArray = NDArray[np.signedinteger]

TOKENS = WINDOW * WINDOW
_HALF = WINDOW // 2
_ROW = np.dtype("V16")  # four float32: moved as one
_QUADRANT = np.dtype("V64")

INSIDE, RIGHT, BOTTOM, CORNER = range(4)
"""Kinds of shifted windows: the map's edge divides RIGHT and BOTTOM ones into two parts, CORNER ones into four."""

SIDE_SCORE = 10.0
"""In place of Swin's mask: two more channels of queries and keys, ± this, say on which side of the map's edge a token
is, by row and by column. Tokens of one part then score 2·100 more than tokens of different parts. Trained weights,
whose scores reach ±56 on noise, looked across the edge when it was 2·50. Adding the same number to all of a token's
scores changes a softmax by rounding only."""


def token_order() -> IndexArray:
    """The place, row by row in an 8×8 window, of each of the 64 tokens."""
    places = np.arange(TOKENS).reshape(2, _HALF, 2, _HALF)
    return places.transpose(0, 2, 1, 3).reshape(-1)


def edge_sides() -> FloatArray:
    """For each kind of shifted window, on which side of the map's edge a token is, by row and by column: 4×2×64, ±1."""
    side = np.ones((2, 2, 2, _HALF * _HALF), np.float32)  # row or column, quadrant's row, quadrant's column, tokens
    side[0, 1], side[1, :, 1] = -1, -1
    divided = side.reshape(2, TOKENS)
    whole = np.ones(TOKENS, np.float32)
    return np.stack(
        [np.stack((divided[0] if k & BOTTOM else whole, divided[1] if k & RIGHT else whole)) for k in range(4)]
    )


def to_windows(features: FloatArray) -> FloatArray:
    """C×H×W, sides multiples of 8 → (H/8)×(W/8)×C×64."""
    c, h, w = features.shape
    rows = np.ascontiguousarray(features).view(_ROW).reshape(c, h // WINDOW, 2, _HALF, w // WINDOW, 2)
    windows = np.ascontiguousarray(rows.transpose(1, 4, 0, 2, 5, 3))
    return windows.view(np.float32).reshape(h // WINDOW, w // WINDOW, c, TOKENS)


def to_map(windows: FloatArray) -> FloatArray:
    """(H/8)×(W/8)×C×64 → C×H×W: the inverse of :func:`to_windows`."""
    rows, cols, c, _ = windows.shape
    quads = np.ascontiguousarray(windows).view(_ROW).reshape(rows, cols, c, 2, 2, _HALF)
    features = np.ascontiguousarray(quads.transpose(2, 0, 3, 5, 1, 4))
    return features.view(np.float32).reshape(c, rows * WINDOW, cols * WINDOW)


def cut(windows: FloatArray, tokens: Rectangle) -> FloatArray:
    """A rectangle of tokens out of (H/8)×(W/8)×C×64 windows, as C×h×w."""
    around = tokens.coarsened(WINDOW)
    return to_map(windows[around.slices])[(..., *tokens.relative_to(around.scaled(WINDOW)).slices)]


class Chunk(NamedTuple):
    """A rectangle of windows that are worked on together, all of one kind."""

    place: Rectangle
    kind: int = INSIDE


def chunks(rows: int, cols: int, shifted: bool, size: int) -> Iterator[Chunk]:
    """Cut a map of rows × cols windows into chunks of at most ``size`` windows, by kind where they are shifted."""
    inner = (rows - 1, cols - 1) if shifted else (rows, cols)
    bands, columns = (0, inner[0], rows), (0, inner[1], cols)
    for kind, (band, column) in enumerate(product(pairwise(bands), pairwise(columns))):
        yield from _chunks(Rectangle(*band, *column), kind, size)  # the empty ones have none


def _chunks(whole: Rectangle, kind: int, size: int) -> Iterator[Chunk]:
    """Whole rows where several fit into a chunk, otherwise pieces of one row of about equal length."""
    top, bottom, left, right = whole
    if top == bottom or left == right:
        return
    pieces = -(-(right - left) // size)
    width = -(-(right - left) // pieces)
    height = max(1, size // (right - left))
    for row in range(top, bottom, height):
        for col in range(left, right, width):
            yield Chunk(Rectangle(row, min(row + height, bottom), col, min(col + width, right)), kind)


def take(windows: FloatArray, place: Rectangle) -> FloatArray:
    """The shifted windows at ``place``, N×C×64: gathered from four windows each, cyclic at the map's edges."""
    c = windows.shape[2]
    quads = _quadrants(windows)
    out = np.empty((place.bottom - place.top, place.right - place.left, c, 2, 2), _QUADRANT)
    for (down, across), rows, cols in _sources(windows, place):
        out[:, :, :, down, across] = quads[rows, cols, :, 1 - down, 1 - across]
    return out.view(np.float32).reshape(-1, c, TOKENS)


def put(windows: FloatArray, place: Rectangle, values: FloatArray) -> None:
    """Write N×C×64 back to where :func:`take` found it."""
    quads = _quadrants(windows)
    shape = (place.bottom - place.top, place.right - place.left, windows.shape[2], 2, 2)
    new = np.ascontiguousarray(values).view(_QUADRANT).reshape(shape)
    for (down, across), rows, cols in _sources(windows, place):
        quads[rows, cols, :, 1 - down, 1 - across] = new[:, :, :, down, across]


def _quadrants(windows: FloatArray) -> FloatArray:
    return windows.view(_QUADRANT).reshape(*windows.shape[:3], 2, 2)


def _sources(windows: FloatArray, place: Rectangle) -> Iterator[tuple[tuple[int, int], slice, slice]]:
    """Where each quadrant of the shifted windows at ``place`` lies: quadrant, rows and columns of windows."""

    def moved(start: int, stop: int, by: int, length: int) -> slice:
        return slice(0, 1) if start + by == length else slice(start + by, stop + by)

    rows, cols = windows.shape[:2]
    for down, across in ((0, 0), (0, 1), (1, 0), (1, 1)):
        yield (down, across), moved(*place[:2], down, rows), moved(*place[2:], across, cols)
