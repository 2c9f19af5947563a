"""The names of motion models, and the choices of ``--align`` and ``--border``: light to import.

What the models do is in ``motion``.
"""

from __future__ import annotations

from typing import Final, Literal, TypeAlias, get_args

Model: TypeAlias = Literal["none", "translation", "similarity", "affine", "homography", "flow"]
"""How a source moves, from the least freedom to the most."""

Mode: TypeAlias = Literal["auto", "none", "strict", "translation", "similarity", "affine", "homography", "flow"]
Border: TypeAlias = Literal["crop", "fill", "mask"]

MODELS: Final[tuple[Model, ...]] = get_args(Model)
MATRIX_MODELS: Final[tuple[Model, ...]] = MODELS[1:-1]
"""Those that move a source by a matrix and nothing else."""

MODES: Final[tuple[Mode, ...]] = get_args(Mode)
BORDERS: Final[tuple[Border, ...]] = get_args(Border)
