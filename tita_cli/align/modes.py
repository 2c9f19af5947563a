"""The names of motion models, and the choices of ``--align`` and ``--border``: light to import.

What the models do is in ``motion``.
"""

from __future__ import annotations

from typing import Final, Literal, TypeAlias, get_args

from tita_cli.options import BORDERS, MODES, Border, MatrixModel, Mode

__all__ = ["BORDERS", "MATRIX_MODELS", "MODELS", "MODES", "Border", "MatrixModel", "Mode", "Model"]

Model: TypeAlias = Literal["none", "translation", "similarity", "affine", "homography", "flow"]
"""How a source moves, from the least freedom to the most."""


MODELS: Final[tuple[Model, ...]] = get_args(Model)
MATRIX_MODELS: Final[tuple[Model, ...]] = get_args(MatrixModel)
