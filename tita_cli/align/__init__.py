"""Bring the sources of a fusion into one frame, or say that they do not fit. OpenCV is loaded on first use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tita_cli.align.modes import BORDERS, MODES, Border, Mode

if TYPE_CHECKING:
    from tita_cli.align.aligner import Aligner
    from tita_cli.align.frame import Frame
    from tita_cli.align.pictures import Alignment, align_pictures
    from tita_cli.align.placement import Placement
    from tita_cli.align.rig import Rig, RigLike

__all__ = [
    "BORDERS",
    "MODES",
    "Aligner",
    "Alignment",
    "Border",
    "Frame",
    "Mode",
    "Placement",
    "Rig",
    "RigLike",
    "align_pictures",
]

_HOMES = {
    "Aligner": "aligner",
    "Alignment": "pictures",
    "align_pictures": "pictures",
    "Frame": "frame",
    "Placement": "placement",
    "Rig": "rig",
    "RigLike": "rig",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
