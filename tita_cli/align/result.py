"""``align_pictures``: several pictures into the frame of one of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import numpy as np

from tita_cli.align.geometry import MODELS, Matrix, Model, resizing
from tita_cli.align.pair import LONGEST, Estimate, estimate
from tita_cli.align.structure import View
from tita_cli.align.warp import Area, Border, Mask, common_area, cropped, filled, warp
from tita_cli.errors import MismatchError, UsageError
from tita_cli.images.picture import Picture

Mode: TypeAlias = Literal["auto", "strict", "none", "translation", "similarity", "affine", "homography", "flow"]
MODES: tuple[str, ...] = ("auto", "strict", *MODELS)
BORDERS: tuple[str, ...] = ("crop", "fill", "mask")
