"""``align_pictures``: several pictures into the frame of one of them."""

from __future__ import annotations

from typing import Literal, TypeAlias

from tita_cli.align.geometry import MODELS

Mode: TypeAlias = Literal["auto", "strict", "none", "translation", "similarity", "affine", "homography", "flow"]
MODES: tuple[str, ...] = ("auto", "strict", *MODELS)
BORDERS: tuple[str, ...] = ("crop", "fill", "mask")
