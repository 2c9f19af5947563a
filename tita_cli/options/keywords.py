"""The fields of :class:`tita_cli.options.FuseOptions` as keywords, for type checkers: a test holds both together."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from typing import Any, Literal, TypedDict

from tita_cli.options.per_source import PerSource, Role
from tita_cli.options.values import (
    Backend,
    Border,
    ColorRule,
    Denoise,
    Depth,
    FalseColor,
    Mode,
    PaletteName,
    Polarity,
    RangeSetting,
)


class FusionKeywords(TypedDict, total=False):
    """What may change from fusion to fusion."""

    resize: bool
    max_pixels: int | None
    value_range: PerSource[RangeSetting] | Mapping[int | str, RangeSetting] | RangeSetting
    polarity: PerSource[Polarity] | Mapping[int | str, Polarity] | Polarity
    role: PerSource[Role] | Mapping[int | str, Role] | Role
    false_color: PerSource[FalseColor] | Mapping[int | str, FalseColor] | FalseColor
    denoise: Denoise
    align: Mode
    reference: int | None
    border: Border
    align_from: str | PathLike[str] | Mapping[str, Any] | None
    deghost: bool
    color: ColorRule
    balance: float
    palette: PaletteName | None
    overlay: float | None
    scale_bar: bool
    depth: Depth | None
    metadata: int | Literal["none"] | None


class FuseKeywords(FusionKeywords, total=False):
    """All of them: the network's belong to a whole session."""

    model: str
    device: str
    backend: Backend
    provider: str | None
    memory: int | None
    threads: int | None
