"""The types of options' values, whose ``Literal``s are the choices, and how their text is read. Light to import."""

from __future__ import annotations

import math
import re
from typing import Literal, TypeAlias, get_args

from tita_cli.options.declaration import OptionError, source_number

Mode: TypeAlias = Literal["auto", "none", "strict", "translation", "similarity", "affine", "homography", "flow"]
MatrixModel: TypeAlias = Literal["translation", "similarity", "affine", "homography"]
"""The motions that a matrix describes."""
Border: TypeAlias = Literal["crop", "fill", "mask"]
ColorRule: TypeAlias = Literal["auto", "grey"]
FalseColor: TypeAlias = Literal["auto", "intensity", "keep", "refuse"]
PaletteName: TypeAlias = Literal["inferno", "magma", "plasma", "viridis", "cividis", "turbo", "hot", "iron", "ironbow"]
"""Those that a result may be coloured by; all are in ``tita_cli.images.palettes``."""
Denoise: TypeAlias = Literal["auto", "on", "off"]
Polarity: TypeAlias = Literal["white-hot", "black-hot"]
Depth: TypeAlias = Literal[8, 16, 32]
RangeSetting: TypeAlias = Literal["auto", "full"] | tuple[float, float]
Backend: TypeAlias = Literal["auto", "torch", "onnx"]
FormatName: TypeAlias = Literal["png", "tiff", "jpeg", "webp", "avif", "bmp", "pnm", "pfm", "hdr", "exr"]
"""The formats that tita writes; a test holds it against the registry in ``tita_cli.images.formats``."""

MODES: tuple[Mode, ...] = get_args(Mode)
BORDERS: tuple[Border, ...] = get_args(Border)
BACKENDS: tuple[Backend, ...] = get_args(Backend)

DEFAULT_MODEL = "tita-lite"


def parse_range(text: str) -> RangeSetting:
    """``auto``, ``full``, or ``MIN,MAX`` in the file's own units. Raises OptionError."""
    if text == "auto":
        return "auto"
    if text == "full":
        return "full"
    try:
        low, high = (float(part) for part in text.split(","))
    except ValueError:
        low = high = 0.0
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise OptionError(f"`value_range`: {text!r} is neither auto, full, nor MIN,MAX", hint="`value_range` 7000,9000")
    return low, high


def range_text(value: RangeSetting) -> str:
    """The inverse of :func:`parse_range`."""
    return value if isinstance(value, str) else "{:g},{:g}".format(*value)


def parse_balance(text: str) -> float:
    """A number from 0 to 1. Raises OptionError."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value <= 1:
        raise OptionError(f"`balance`: {text!r} is not a number from 0 to 1")
    return value


def parse_size(text: str) -> int:
    """Bytes of a size as users write it: 800M, 2G, 1.5GiB; powers of 1024. Raises OptionError."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kmgt]?)(?:i?b)?", text.strip().lower())
    size = int(float(match[1]) * 1024 ** " kmgt".index(match[2] or " ")) if match else 0
    if size < 1:
        raise OptionError(f"`memory`: {text!r} is not a size", hint="as in `memory` 800M or `memory` 2G")
    return size


def parse_quality(text: str) -> int:
    """1 to 100. Raises ValueError."""
    if not text.isdecimal() or not 1 <= int(text) <= 100:
        raise ValueError(f"{text!r} is not a quality from 1 to 100")
    return int(text)


def parse_device(text: str) -> str:
    """``auto``, ``cpu``, ``cuda`` or ``cuda:N``. Raises OptionError."""
    if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", text):
        raise OptionError(f"`device`: {text!r} is not one of auto, cpu, cuda, cuda:N")
    return text


def source_or_none(text: str) -> int | str:
    if text == "none":
        return text
    try:
        return source_number(text)
    except ValueError:
        raise ValueError(f"{text!r} is neither none nor the number of a source, counted from 1") from None
