"""tita: fuse images of one scene into one picture, with one network and no task flag.

The public API is imported on first use, so that ``import tita_cli`` costs nothing::

    from tita_cli import fuse
    fuse("ir.png", "vis.png").save("out.png")
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

__all__ = [
    "Aligned",
    "BatchResult",
    "FuseOptions",
    "Fusion",
    "Picture",
    "Session",
    "TitaError",
    "__version__",
    "align_pictures",
    "fuse",
    "fuse_batch",
    "read_picture",
    "write_picture",
]

if TYPE_CHECKING:
    from tita_cli.api import Aligned, Fusion, Session, align_pictures, fuse
    from tita_cli.batch.iterate import BatchResult, fuse_batch
    from tita_cli.errors import TitaError
    from tita_cli.images import Picture, read_picture, write_picture
    from tita_cli.options import FuseOptions

_HOMES = {
    "FuseOptions": "tita_cli.options",
    "Aligned": "tita_cli.api",
    "BatchResult": "tita_cli.batch.iterate",
    "Fusion": "tita_cli.api",
    "Session": "tita_cli.api",
    "align_pictures": "tita_cli.api",
    "fuse": "tita_cli.api",
    "fuse_batch": "tita_cli.batch.iterate",
    "TitaError": "tita_cli.errors",
    "Picture": "tita_cli.images",
    "read_picture": "tita_cli.images",
    "write_picture": "tita_cli.images",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
