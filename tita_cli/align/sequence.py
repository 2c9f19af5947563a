"""A stack as a sequence: neighbours are compared with neighbours, and farther frames where that is cheap."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import cv2
import numpy as np

from tita_cli.align.estimator import Estimator
from tita_cli.align.geometry import (
    FRAME,
    Matrix,
    Size,
    corners,
    displacement,
    inverse,
    mean_scale,
    normalized,
    transform,
)
from tita_cli.align.graph import Edge, Solution, adjust, connected
from tita_cli.align.modes import Model
from tita_cli.align.structure import View
from tita_cli.align.warp import common_area, covered
from tita_cli.images.naming import natural

A_SET = 5
"""So many pictures of which no two fit are taken for no set of one scene without looking farther."""

_FIRST = 2  # pairs that are sought everywhere before that
_FARTHEST = 4  # frames apart, at which unconnected frames are still tried with one another
_TRIES = 4  # refused estimates after which a frame is no longer tried: each costs as much as several that succeed
_STILL, _SAME = 0.5, 0.2  # px on a 640-px-wide frame: not worth a resampling, and not worth a richer model
_SURE, _RATIO = 0.5, 2.0  # px on a 640-px-wide frame, and standard deviations
_COARSE = 160  # px of the frames by which a reference is chosen
_WORTH = 0.01  # by which a reference must be better than the first source


def capture_order(pictures: Sequence[tuple[str, bytes | None]]) -> list[int]:
    """The order in which frames were taken, from their names and EXIF blocks: by time where all have one, else by name,
    in which ``x2`` comes before ``x10``; in the order given where neither tells."""
    times = [_taken(exif) for _, exif in pictures]
    known = all(times)
    return sorted(range(len(pictures)), key=lambda i: (times[i] if known else "", natural(pictures[i][0])))


def _taken(exif: bytes | None) -> str:
    """EXIF's DateTimeOriginal and its fraction of a second, which sort as text; empty where there is none."""
    if exif is None:
        return ""
    from PIL import Image

    block = Image.Exif()
    try:
        block.load(exif)
        taken = block.get_ifd(0x8769)
    except (ValueError, SyntaxError, OSError, KeyError):
        return ""
    return f"{taken[0x9003]}.{taken.get(0x9291, '')}" if 0x9003 in taken else ""


def find_edges(
    views: Sequence[View], order: Sequence[int], estimator: Estimator, most: Model, exact: bool
) -> list[Edge]:
    """Estimate neighbours, then reconnect what that left apart, then close loops over two, four, eight … frames.

    Where the first pairs do not fit, and no other neighbours either as far as a short look tells, the pictures are no
    set, and that is the end of it: what does not fit costs most. In as many threads as OpenCV may use: much of an
    estimate is one thread's work.
    """

    def neighbours(a: int, b: int) -> Edge:
        return Edge(a, b, estimator.estimate(views[a], views[b], most=most, exact=exact))

    def glance(a: int, b: int) -> Edge:
        return Edge(a, b, estimator.estimate(views[a], views[b], most=most, exact=exact, wide=False))

    def loop(ends: tuple[int, int]) -> Edge | None:
        a, b = ends
        known = next((m for m in placed.values() if a in m and b in m), None)
        if known is None:
            return None
        found = estimator.near(views[a], views[b], normalized(inverse(known[a]) @ known[b]), most=most)
        return None if found is None else Edge(a, b, found)

    pool = ThreadPoolExecutor(max(1, cv2.getNumThreads()), "tita-align")
    try:
        first, rest = order[: _FIRST + 1], order[_FIRST:]
        edges = list(pool.map(neighbours, first, first[1:]))
        if len(order) >= A_SET and not _any_fit(edges):
            seen = [*pool.map(glance, rest, rest[1:]), *pool.map(glance, order, order[2:])]
            if not _any_fit(seen):
                return edges + seen
        edges += pool.map(neighbours, rest, rest[1:])
        edges += _reconnected(views, order, edges, estimator, most, exact)
        placed = {frame: connected(edges, frame).matrices for frame in order[:: max(1, len(order) - 1)]}
        return edges + [edge for edge in pool.map(loop, _loops(order)) if edge is not None]
    finally:
        pool.shutdown(cancel_futures=True)


def _any_fit(edges: Sequence[Edge]) -> bool:
    return any(edge.estimate.accepted for edge in edges)


def _reconnected(
    views: Sequence[View], order: Sequence[int], edges: Sequence[Edge], estimator: Estimator, most: Model, exact: bool
) -> list[Edge]:
    """Where neighbours do not fit, the frames before and after are tried: one of them may be an outlier."""
    more: list[Edge] = []
    for step in range(2, _FARTHEST + 1):
        for a, b in zip(order, order[step:], strict=False):
            known = [*edges, *more]
            refused = [frame for e in known if not e.estimate.accepted for frame in (e.first, e.second)]
            if max(refused.count(a), refused.count(b)) < _TRIES and b not in connected(known, a).matrices:
                more.append(Edge(a, b, estimator.estimate(views[a], views[b], most=most, exact=exact)))
    return more


def _loops(order: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Pairs of frames that are two apart, four, eight and so on, the fewer the farther."""
    apart = 2
    while apart < len(order):
        for at in range(0, len(order) - apart, apart // 2):
            yield order[at], order[at + apart]
        apart *= 2


def solve(
    edges: Sequence[Edge], order: Sequence[int], sizes: Sequence[Size], reference: int | None, models: Sequence[Model]
) -> tuple[int, Model, Solution]:
    """All frames in the frame of ``reference``; where it is None, of the one that costs the least.

    Returns that frame, the simplest of ``models`` that describes all frames as well as the last does, and the motions.
    A frame that moves by less than is worth a resampling stays where it is.
    """
    if reference is None:
        groups = [connected(edges, frame) for frame in order]
        most = max(len(group.matrices) for group in groups)
        inside = [frame for frame, group in zip(order, groups, strict=True) if len(group.matrices) == most]
        reference = choose_reference(adjust(edges, inside[len(inside) // 2], order, sizes).matrices, sizes)
    unit = sizes[reference][0] / FRAME
    best = adjust(edges, reference, order, sizes, models[-1])
    for model in models:
        found = adjust(edges, reference, order, sizes, model)
        apart = {f: _apart(found.matrices[f], m, sizes[f]) for f, m in best.matrices.items() if f in found.matrices}
        if len(apart) == len(best.matrices) and _describes(apart, best.spread, unit):
            break
    still = {
        f for f, m in found.matrices.items()
        if sizes[f] == sizes[reference] and displacement(m, np.eye(3), sizes[f]) < _STILL * unit
    }  # fmt: skip
    return (
        reference,
        model,
        replace(found, matrices={f: np.eye(3) if f in still else m for f, m in found.matrices.items()}),
    )


def choose_reference(matrices: Mapping[int, Matrix], sizes: Sequence[Size]) -> int:
    """The frame into which all others go at the least cost of crop and detail; the first where all cost about the same.

    ``matrices``: frame → one common frame. The cost counts what of the frame all others show, and by how much those
    that show the scene larger are reduced.
    """
    scores = {}
    for frame, matrix in sorted(matrices.items()):
        relative = {other: normalized(inverse(matrix) @ m) for other, m in matrices.items()}
        kept = _kept(relative, sizes, sizes[frame])
        detail = np.mean([min(1.0, mean_scale(m, sizes[other])) ** 2 for other, m in relative.items()])
        scores[frame] = kept * float(detail)
    first = min(scores)
    best = max(scores, key=lambda frame: scores[frame])
    return best if scores[best] > scores[first] * (1.0 + _WORTH) else first


def _kept(matrices: Mapping[int, Matrix], sizes: Sequence[Size], size: Size) -> float:
    """The share of a frame of ``size`` that is left after the crop to what all show."""
    scale = _COARSE / max(size)
    small = max(1, round(size[0] * scale)), max(1, round(size[1] * scale))
    down = np.diag([small[0] / size[0], small[1] / size[1], 1.0])
    seen = np.ones((small[1], small[0]), bool)
    for frame, matrix in matrices.items():
        seen &= covered(sizes[frame], normalized(down @ matrix), small)
    area = common_area(seen)
    return 0.0 if area is None else area.width * area.height / seen.size


def _describes(apart: Mapping[int, float], spread: Mapping[int, float], unit: float) -> bool:
    """Whether a model that puts frames ``apart`` pixels from where a richer one does describes them as well.

    It does where most frames are as near as the richer model is certain, and all of those of which it is certain: the
    frames are of one camera, and a frame that shows little does not decide how that moves.
    """
    off = {frame: distance / max(_SAME * unit, spread.get(frame, 0.0)) for frame, distance in apart.items()}
    sure = [ratio for frame, ratio in off.items() if spread.get(frame, 0.0) < _SURE * unit]
    return float(np.median(list(off.values()))) < 1.0 and max(sure, default=0.0) < _RATIO


def _apart(one: Matrix, two: Matrix, size: Size) -> float:
    distance = transform(one, corners(size)) - transform(two, corners(size))
    return float(np.hypot(*distance.T).mean())
