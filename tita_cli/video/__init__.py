"""Video: two clips of one scene become one, steady in time. PyAV (the extra ``video``) is loaded on first use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tita_cli.video.fuse import VideoOptions, VideoResult, fuse_video
    from tita_cli.video.writer import Encoding

__all__ = ["Encoding", "VideoOptions", "VideoResult", "fuse_video"]

_HOMES = {"Encoding": "writer", "VideoOptions": "fuse", "VideoResult": "fuse", "fuse_video": "fuse"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
