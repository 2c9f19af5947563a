"""The choices of ``--align`` and ``--border``."""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

Model: TypeAlias = Literal["none", "translation", "similarity", "affine", "homography", "flow"]
Mode: TypeAlias = Literal["auto", "none", "strict", "translation", "similarity", "affine", "homography", "flow"]
Border: TypeAlias = Literal["crop", "fill", "mask"]

MODES: Final[tuple[Mode, ...]] = (
    "auto", "none", "strict", "translation", "similarity", "affine", "homography", "flow",
)  # fmt: skip
BORDERS: Final[tuple[Border, ...]] = ("crop", "fill", "mask")
