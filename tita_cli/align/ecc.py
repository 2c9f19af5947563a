"""Refine a transform by maximising the correlation of two vector fields.

Evangelidis and Psarakis (2008), "Parametric image alignment using enhanced correlation coefficient maximization",
forward compositional, on the vectors of ``structure`` instead of grey values, and only at points of the reference that
have structure: the cost depends on their number, not on the size of the picture. OpenCV's ``findTransformECC`` takes
one grey channel and the whole frame, and on pairs of two modalities it diverges (bench/align.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from tita_cli.align.geometry import Matrix, corner_error, inverse, normalized, translating
from tita_cli.align.modes import Model
from tita_cli.align.motion import MOTIONS, Motion
from tita_cli.align.structure import Field

_ROW = 128  # points in a row of the maps that cv2.remap gets
_MIN_POINTS = 64
_BORDER = 2.0
_STRETCH, _PERSPECTIVE = 0.01, 0.01  # usual between two views, at half the frame's longer side from the centre


Prior: TypeAlias = tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]


@dataclass(frozen=True)
class Samples:
    """Points of a reference field: ``x``, ``y`` (N), ``vectors`` (N×2), and the field's size (width, height)."""

    x: npt.NDArray[np.float32]
    y: npt.NDArray[np.float32]
    vectors: npt.NDArray[np.float32]
    size: tuple[int, int]

    def __len__(self) -> int:
        return len(self.x)

    def where(self, chosen: npt.NDArray[np.bool_]) -> Samples:
        """The samples that the mask (N) keeps."""
        return Samples(self.x[chosen], self.y[chosen], self.vectors[chosen], self.size)


@dataclass(frozen=True)
class Gradients:
    """A source field, H×W×2, and its derivatives.

    ``correlated``: how many samples have the same error and count as one; it weighs a prior that keeps stretch, shear
    and perspective small unless enough samples support them. 0 is no prior.
    """

    field: Field
    correlated: float = 0.0

    @cached_property
    def derivatives(self) -> Field:
        """Central differences, H×W×4: ∂x of both, ∂y of both."""
        across = cv2.Sobel(self.field, cv2.CV_32F, 1, 0, ksize=1, scale=0.5)
        down = cv2.Sobel(self.field, cv2.CV_32F, 0, 1, ksize=1, scale=0.5)
        return np.concatenate([across, down], axis=2)


def sample(field: Field, count: int, *, cells: int = 8) -> Samples:
    """The ``count`` points of ``field`` with the longest vectors, chosen cell by cell so that they cover the frame."""
    height, width = field.shape[:2]
    energy = np.einsum("ijk,ijk->ij", field, field)
    energy[:3] = energy[-3:] = 0.0
    energy[:, :3] = energy[:, -3:] = 0.0
    rows, columns = (np.linspace(0, n, cells + 1).astype(int) for n in (height, width))
    chosen = np.zeros((height, width), dtype=bool)
    for top, bottom in pairwise(rows):
        for left, right in pairwise(columns):
            cell = energy[top:bottom, left:right]
            keep = count // (cells * cells)
            if cell.size > keep:
                limit = np.partition(cell.ravel(), cell.size - keep)[cell.size - keep]
                chosen[top:bottom, left:right] = cell > max(float(limit), 1e-6)
            else:
                chosen[top:bottom, left:right] = cell > 1e-6
    y, x = np.nonzero(chosen)
    return Samples(x.astype(np.float32), y.astype(np.float32), field[y, x], (width, height))


def refine(
    reference: Samples, source: Gradients, matrix: Matrix, model: Model, *, rounds: int = 20, still: float = 0.01
) -> tuple[Matrix, float]:
    """Improve ``matrix`` (source → reference, both in the pixels of these fields) within ``model``.

    Returns the matrix and the correlation (−1..1) before the last step; where nothing can be computed (no overlap, no
    structure), the matrix as given and −1. Stops when the corners move less than ``still`` pixels.
    """
    width, height = reference.size
    half = max(width, height) / 2.0
    to_unit = np.diag([1 / half, 1 / half, 1.0]) @ translating(-(width - 1) / 2, -(height - 1) / 2)
    from_unit = np.linalg.inv(to_unit)
    u = ((reference.x - (width - 1) / 2) / half).astype(np.float32)
    v = ((reference.y - (height - 1) / 2) / half).astype(np.float32)
    columns, rows = source.field.shape[1], source.field.shape[0]
    centred = np.diag([1 / half, 1 / half, 1.0]) @ translating(-(columns - 1) / 2, -(rows - 1) / 2)
    motion, back, rho = MOTIONS[model], np.linalg.inv(matrix), -1.0
    for _ in range(rounds):
        system = _linearize(reference, source, back @ from_unit, u, v, motion)
        if system is None:
            return matrix, -1.0
        step, rho = _solve(*system, _prior(centred @ back @ from_unit, motion.freedom, source.correlated))
        if step is None:
            return matrix, -1.0
        move = from_unit @ motion.step(step) @ to_unit
        back = normalized(back @ move)
        moved = corner_error(move, np.eye(3), reference.size)
        if not np.isfinite(back).all() or not moved < half:
            return matrix, -1.0
        if moved < still:
            break
    return normalized(np.linalg.inv(back)), rho


def compare(reference: Samples, source: Field, matrix: Matrix) -> npt.NDArray[np.float32]:
    """What each sample contributes to the correlation under ``matrix`` (source → reference): N×3, the products
    reference·source, reference·reference and source·source; zeros where the source has no pixel."""
    back = np.linalg.inv(matrix).astype(np.float32)
    depth = back[2, 0] * reference.x + back[2, 1] * reference.y + back[2, 2]
    x = (back[0, 0] * reference.x + back[0, 1] * reference.y + back[0, 2]) / depth
    y = (back[1, 0] * reference.x + back[1, 1] * reference.y + back[1, 2]) / depth
    seen = _inside(x, y, source)
    vectors = _at(source, np.where(seen, x, 0), np.where(seen, y, 0))
    own = reference.vectors
    products = [np.einsum("ij,ij->i", p, q) for p, q in ((own, vectors), (own, own), (vectors, vectors))]
    return np.stack(products, axis=1) * seen[:, None]


def correlation(products: npt.NDArray[np.floating[Any]]) -> float:
    """The correlation (−1..1) from what ``compare`` gives, or from sums over it (…×3)."""
    ab, aa, bb = products.reshape(-1, 3).sum(axis=0, dtype=np.float64)
    return float(ab / np.sqrt(aa * bb)) if aa > 0.0 and bb > 0.0 else -1.0


def block_shifts(
    reference: Samples, source: Gradients, matrix: Matrix, block: npt.NDArray[np.intp]
) -> npt.NDArray[np.float64]:
    """The shift at which each block of samples would match best: B×2 (x, y), in pixels of the field.

    One Gauss–Newton step per block. NaN for a block with too few samples, too little correlation, or edges in one
    direction only, along which a shift cannot be measured.
    """
    shifts = np.full((int(block.max(initial=0)) + 1, 2), np.nan)
    own = Samples(reference.x, reference.y, np.column_stack([reference.vectors, block]), reference.size)
    system = _linearize(own, source, inverse(matrix), reference.x, reference.y, MOTIONS["translation"])
    if system is None:
        return shifts
    a, b, jacobian = system
    where = a.reshape(-1, 3)[:, 2].astype(np.intp)
    a = a.reshape(-1, 3)[:, :2].ravel()
    at = np.repeat(where, 2)

    def add(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        return np.bincount(at, values, minlength=len(shifts)).astype(np.float64)

    xx, xy, yy = add(jacobian[:, 0] ** 2), add(jacobian[:, 0] * jacobian[:, 1]), add(jacobian[:, 1] ** 2)
    aa, bb, ab = add(a * a), add(b * b), add(a * b)
    scaled = b * np.sqrt(aa / np.maximum(bb, 1e-12))[at].astype(np.float32)
    gx, gy = add(jacobian[:, 0] * (a - scaled)), add(jacobian[:, 1] * (a - scaled))
    determinant, trace = xx * yy - xy * xy, xx + yy
    good = (add(np.ones_like(a)) >= 2 * _MIN_POINTS) & (determinant > 0.02 * trace**2)
    good &= ab > 0.2 * np.sqrt(aa * bb)
    shifts[good, 0] = ((yy * gx - xy * gy)[good]) / determinant[good]
    shifts[good, 1] = ((xx * gy - xy * gx)[good]) / determinant[good]
    return shifts


def _inside(x: npt.NDArray[np.float32], y: npt.NDArray[np.float32], field: Field) -> npt.NDArray[np.bool_]:
    height, width = field.shape[:2]
    return np.asarray((x > _BORDER) & (y > _BORDER) & (x < width - 1 - _BORDER) & (y < height - 1 - _BORDER))


def _linearize(
    reference: Samples,
    source: Gradients,
    back: Matrix,
    u: npt.NDArray[np.float32],
    v: npt.NDArray[np.float32],
    motion: Motion,
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32], npt.NDArray[np.float32]] | None:
    """The reference's and the source's vectors (2n) at the points that both show, and the Jacobian (2n×freedom)."""
    m = back.astype(np.float32)
    depth = m[2, 0] * u + m[2, 1] * v + m[2, 2]
    x = (m[0, 0] * u + m[0, 1] * v + m[0, 2]) / depth
    y = (m[1, 0] * u + m[1, 1] * v + m[1, 2]) / depth
    seen = _inside(x, y, source.field)
    if np.count_nonzero(seen) < max(_MIN_POINTS, 0.1 * len(seen)):
        return None
    x, y, u, v, depth = x[seen], y[seen], u[seen], v[seen], depth[seen]
    values = _at(source.field, x, y)
    slopes = _at(source.derivatives, x, y)
    # Chain rule: derivatives along the source's axes → along the unit axes of the reference.
    xu, xv = (m[0, 0] - x * m[2, 0]) / depth, (m[0, 1] - x * m[2, 1]) / depth
    yu, yv = (m[1, 0] - y * m[2, 0]) / depth, (m[1, 1] - y * m[2, 1]) / depth
    du = slopes[:, :2] * xu[:, None] + slopes[:, 2:] * yu[:, None]
    dv = slopes[:, :2] * xv[:, None] + slopes[:, 2:] * yv[:, None]
    columns = motion.derivatives(du, dv, u[:, None], v[:, None])
    jacobian = np.stack([column.ravel() for column in columns], axis=1)
    return reference.vectors[seen].ravel(), values.ravel(), jacobian


def _prior(
    back: Matrix, columns: int, correlated: float
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]] | None:
    """A prior that keeps an affine or a homography near a similarity: P and q of the penalty |P·step + q|².

    ``back``: between unit coordinates; ``columns``: the model's degrees of freedom. Stretch, shear and perspective are
    small between views that are worth fusing, and where only some corners have structure they are poorly determined.
    """
    if columns < 6 or not correlated:
        return None
    m = back / back[2, 2]
    rows = np.zeros((columns - 4, columns))
    rows[0, [2, 5]], rows[1, [3, 4]] = (1.0, -1.0), (1.0, 1.0)
    values = [m[0, 0] - m[1, 1], m[0, 1] + m[1, 0]]
    precision = [1.0 / _STRETCH, 1.0 / _STRETCH]
    if columns == 8:
        rows[2, 6] = rows[3, 7] = 1.0
        values += [m[2, 0], m[2, 1]]
        precision += [1.0 / _PERSPECTIVE, 1.0 / _PERSPECTIVE]
    weights = np.sqrt(correlated) * np.array(precision)
    return rows * weights[:, None], np.array(values) * weights


def _solve(
    a: npt.NDArray[np.float32],
    b: npt.NDArray[np.float32],
    jacobian: npt.NDArray[np.float32],
    prior: Prior | None,
) -> tuple[npt.NDArray[np.float64] | None, float]:
    """The step of the ECC iteration (their eq. 17–20, without removing means, which are near zero for directions)."""
    aa, bb, ab = float(a @ a), float(b @ b), float(a @ b)
    if aa <= 0.0 or bb <= 0.0:
        return None, -1.0
    hessian = (jacobian.T @ jacobian).astype(np.float64)
    hessian[np.diag_indices_from(hessian)] *= 1.0 + 1e-4
    towards = np.zeros(len(hessian))
    if prior is not None:
        variance = bb / len(b) * max(1.0 - ab * ab / (aa * bb), 0.0)
        hessian += variance * prior[0].T @ prior[0]
        towards = variance * prior[0].T @ prior[1]
    try:
        inverse = np.linalg.inv(hessian)
    except np.linalg.LinAlgError:
        return None, -1.0
    ja, jb = (jacobian.T @ a).astype(np.float64), (jacobian.T @ b).astype(np.float64)
    rho = ab / np.sqrt(aa * bb)
    rest = ab - float(ja @ inverse @ jb)
    gain = (bb - float(jb @ inverse @ jb)) / rest if rest > 0.0 else np.sqrt(bb / aa)
    return inverse @ (gain * ja - jb - towards), float(rho)


def _at(field: Field, x: npt.NDArray[np.float32], y: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Bilinear samples of an H×W×C field at N points: N×C."""
    count = len(x)
    if not count:
        return np.zeros((0, field.shape[2]), dtype=np.float32)
    maps = np.zeros((2, count + -count % _ROW), np.float32)
    maps[0, :count], maps[1, :count] = x, y
    rows = maps.reshape(2, -1, _ROW)
    values = cv2.remap(field, rows[0], rows[1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(values.reshape(-1, field.shape[2])[:count])
