"""Bring the sources of a fusion into one frame, or report that they do not align. OpenCV is loaded on first use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tita_cli.align.modes import BORDERS, MODES, Border, Mode

if TYPE_CHECKING:
    from tita_cli.align.calibration import Calibration, CalibrationLike
    from tita_cli.align.frame import Frame
    from tita_cli.align.pictures import Aligned, align_pictures
    from tita_cli.align.placement import Placement
    from tita_cli.align.stack import find_frame

__all__ = [
    "BORDERS",
    "MODES",
    "Aligned",
    "Border",
    "Calibration",
    "CalibrationLike",
    "Frame",
    "Mode",
    "Placement",
    "align_pictures",
    "find_frame",
]

_HOMES = {
    "Aligned": "pictures",
    "align_pictures": "pictures",
    "Calibration": "calibration",
    "CalibrationLike": "calibration",
    "Frame": "frame",
    "Placement": "placement",
    "find_frame": "stack",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
